"""What the doctor makes of the settings and of the folders they name."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.checks import ERROR, run_checks
from django.core.checks import WARNING as CHECK_WARNING
from django.core.files.storage import FileSystemStorage, default_storage

from shop.ops.examining import Line, examination, is_production, ok, problem, warning

SECRET_CHARACTERS, SECRET_KINDS = 50, 5
TOKEN_CHARACTERS = 16
# Proxies in a row; more than so many is nearly always a mistake.
MOST_PROXIES = 3
POOR_PASSWORDS = {"", "scarce", "password", "root", "secret", "changeme", "admin", "123456"}


@examination("settings.checks")
def checks() -> Iterator[Line]:
    """Django's own checks and the shop's: half an account at WeChat is found here."""
    found = run_checks(include_deployment_checks=is_production())
    serious = [one for one in found if one.level >= CHECK_WARNING and not one.is_silenced()]
    for one in serious:
        verdict = problem if one.level >= ERROR else warning
        do = str(one.hint or "Correct that setting: docs/operations.md explains each.")
        yield verdict(f"settings.checks.{one.id}", str(one.msg), do)
    if not serious:
        yield ok("settings.checks", "Django's checks and the shop's own find nothing.")


@examination("settings.secrets")
def secrets() -> Iterator[Line]:
    weak = problem if is_production() else warning
    key = str(settings.SECRET_KEY)
    if (
        len(key) < SECRET_CHARACTERS
        or len(set(key)) < SECRET_KINDS
        or "not-a-secret" in key
        or key.startswith("django-insecure-")
    ):
        says = "SECRET_KEY is short or an example's: whoever guesses it logs in as anybody."
        do = "Take 50 random characters or more; all are logged out once by that."
        yield weak("settings.secret_key", says, do)
    else:
        yield ok("settings.secret_key", "SECRET_KEY is long, and not an example's.")
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("mysql") and database["PASSWORD"] in POOR_PASSWORDS:
        says = "The database's password is empty, or the first that anybody tries."
        yield weak("settings.database_password", says, "Set another one, and MYSQL_PASSWORD.")
    if 0 < len(settings.METRICS_TOKEN) < TOKEN_CHARACTERS:
        says = "METRICS_TOKEN is short enough to be tried out."
        yield weak("settings.metrics_token", says, "Take 16 random characters or more.")
    for appid, secret in settings.WECHAT_APPS.items():
        if not secret:
            says = f"WECHAT_APPS names {appid} without its secret: nobody can log in with it."
            yield problem("settings.wechat_apps", says, "Write appid=secret.")


@examination("settings.front")
def front() -> Iterator[Line]:
    """Who may ask, and whom the shop takes them for."""
    weak = problem if is_production() else warning
    if settings.DEBUG:
        says = "DEBUG is on: errors show the settings to whoever causes one."
        yield weak("settings.debug", says, "Switch it off.")
    else:
        yield ok("settings.debug", "DEBUG is off.")
    if not settings.ALLOWED_HOSTS:
        says = "ALLOWED_HOSTS is empty: every request is refused."
        yield problem("settings.hosts", says, "Name the shop's hosts.")
    elif "*" in settings.ALLOWED_HOSTS:
        says = "ALLOWED_HOSTS lets anything through: links may be made to point elsewhere."
        yield weak("settings.hosts", says, "Name the shop's hosts.")
    else:
        yield ok("settings.hosts", f"Asked as {', '.join(settings.ALLOWED_HOSTS)}.")
    yield _proxies(settings.TRUSTED_PROXIES)


def _proxies(trusted: int) -> Line:
    name = "settings.proxies"
    if trusted < 0 or trusted > MOST_PROXIES:
        says = f"TRUSTED_PROXIES is {trusted}: shoppers could say that they are somebody else."
        return problem(name, says, "Count the proxies in front, usually 1.")
    if trusted == 0 and is_production():
        says = "TRUSTED_PROXIES is 0: behind a proxy all shoppers seem to come from it, and the"
        says += " limits for one address hit all of them."
        return warning(name, says, "Count the proxies in front, usually 1.")
    return ok(name, f"TRUSTED_PROXIES is {trusted}: so many proxies are believed.")


@examination("files")
def files() -> Iterator[Line]:
    if not isinstance(staticfiles_storage, ManifestFilesMixin):
        yield ok("files.static", "Static files are served from where they are.")
    elif staticfiles_storage.hashed_files:
        count = len(staticfiles_storage.hashed_files)
        yield ok("files.static", f"{count} static files are collected.")
    else:
        says = "Static files are not collected: storefront and admin come without them, or fail."
        yield problem("files.static", says, "Run `manage.py collectstatic`.")
    if not isinstance(default_storage, FileSystemStorage):
        yield ok("files.media", "Uploads are kept elsewhere.")
        return
    try:
        _write_in(Path(settings.MEDIA_ROOT))
    except OSError as error:
        says = f"The folder of uploads can't be written ({os.strerror(error.errno or 0)})."
        do = "Let the shop's user write in MEDIA_ROOT (media/ in SCARCE_VAR)."
        yield problem("files.media", says, do)
    else:
        yield ok("files.media", "The folder of uploads can be written.")


def _write_in(folder: Path) -> None:
    """Writes there, or where it would be made. Raises OSError."""
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"picture")
