"""From one operators' page to another."""

import re
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

# An id as an address or a search names it.
ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def link(page: str, pk: Any, words: Any) -> SafeString:
    """A link to the admin's page of this name."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{page}", args=[pk]), words)
