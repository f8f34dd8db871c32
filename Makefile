# Two commands matter: `make run` (a shop, Python alone) and `make test` (all tests, real servers).

# The first Python that is new enough; `make run PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv/bin/python
MANAGE := $(VENV) manage.py
# Named, so that a shop that runs here is not asked.
EMBEDDED := DJANGO_SETTINGS_MODULE=settings.embedded
# Production settings refuse to load without these. No server of these names is asked for anything.
PRODUCTION := DJANGO_SETTINGS_MODULE=settings.production ALLOWED_HOSTS=shop.example \
	SECRET_KEY=0123456789-not-a-secret-but-long-enough-to-pass-for-one-abcdefghijklm \
	MYSQL_PASSWORD=none REDIS_URL=redis://redis.invalid/0 CELERY_BROKER_URL=redis://redis.invalid/1

.DEFAULT_GOAL := help
.PHONY: help run stack test soak lint bench schema messages clean python embedded everything \
	style types walls migrations deployment openapi

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: embedded ## a shop on SQLite at http://127.0.0.1:8000 (PORT=8001 for another port)
	@$(VENV) -m deploy.local.up embedded

stack: everything ## the same shop on a MariaDB and Redis of its own
	@$(VENV) -m deploy.local.up stack

test: python ## all tests, on SQLite and on MariaDB with Redis (ARGS="-k cart")
	@$(PYTHON) -m deploy.local.test $(ARGS)

soak: python ## the long rounds of the tests of races and faults
	@$(PYTHON) -m deploy.local.test --soak $(ARGS)

lint: style types walls migrations deployment openapi ## all checks of the code (make -k lint: go on after one fails)

style: everything
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .

types: everything
	$(VENV) -m mypy

walls: everything
	.venv/bin/lint-imports --no-logo

migrations: everything
	$(EMBEDDED) $(MANAGE) makemigrations --check --dry-run

deployment: everything
	@$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

openapi: everything
	$(EMBEDDED) $(MANAGE) spectacular --file var/openapi.yaml --validate --fail-on-warn
	@diff -u docs/openapi.yaml var/openapi.yaml \
		|| { echo 'docs/openapi.yaml is not what the code says: run `make schema`.'; exit 1; }

bench: everything ## orders, entries and grabs a second, beside a bare view
	@$(VENV) -m bench $(ARGS)

schema: everything ## writes docs/openapi.yaml and docs/errors.md from the code
	@$(EMBEDDED) $(MANAGE) spectacular --file docs/openapi.yaml --validate
	@$(EMBEDDED) $(MANAGE) list_errors --file docs/errors.md

messages: everything ## extracts and compiles translations, names what is untranslated
	@$(EMBEDDED) $(VENV) -m shop.locale.messages

clean: python ## forgets the data in var/
	@$(PYTHON) -m deploy.local.running

python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Scarce needs Python 3.11 or newer; $(or $(PYTHON),python3) is" \
			"`$(or $(PYTHON),python3) --version 2>/dev/null || echo 'not there'`."; \
		echo "Name a newer one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }

embedded: python
	@$(PYTHON) -m deploy.local.venv requirements-embedded.txt

everything: python
	@$(PYTHON) -m deploy.local.venv requirements-dev.txt
