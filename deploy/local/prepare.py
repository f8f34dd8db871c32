"""Brings the database of the shop that the environment names up to date and seeds the demo.

One Django process for both, because starting one costs more than the work. On stdout it leaves a
line of JSON, the demo's logins, for `up`; everything else goes to stderr.
"""

import json
import sys

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("seed_demo", stdout=sys.stderr)

    from shop import demo  # only now: models need the apps

    logins = {"shopper": demo.SHOPPER, "operator": demo.OPERATOR, "owner": demo.OWNER}
    print(json.dumps(logins))


if __name__ == "__main__":
    main()
