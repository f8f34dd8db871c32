"""Names of static files that hold a hash of what is in them, so that they may be kept for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage

# How one module of the storefront names another. Other people's scripts are left as they came.
_MODULES = (
    "storefront/*.js",
    (
        (
            r"""(?m)^(?P<matched>(?P<before>(?:import|export)\b[^'";]*)"(?P<url>\.[^"]+)";)$""",
            '%(before)s"%(url)s";',
        ),
    ),
)


class HashedStorage(CompressedManifestStaticFilesStorage):
    """As its base, and modules that import each other do so by the hashed names.

    A module's hash changes with those of what it imports, from the leaves up, so each pass settles
    one more level of them.
    """

    patterns = (*CompressedManifestStaticFilesStorage.patterns, _MODULES)
    max_post_process_passes = 12
