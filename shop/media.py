"""Uploaded files, where no server in front serves them (settings.SERVE_MEDIA)."""

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.static import serve


def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """One file of MEDIA_ROOT. Raises Http404 for all else, however strange its name."""
    try:
        return serve(request, path, document_root=str(settings.MEDIA_ROOT))
    except (OSError, SuspiciousFileOperation) as error:
        # A name that the file system can't have, or a way out of the folder: nobody's fault here,
        # so no error in the log either.
        raise Http404 from error
