"""`embedded`, or `stack` where TEST_DATABASE=mariadb, with throw-away data and cheap passwords."""

from settings.base import env

if env.str("TEST_DATABASE", default="sqlite") == "mariadb":
    from settings.stack import *  # noqa: F403
else:
    from settings.embedded import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
