"""A file to look at, and the yes to what was shown of it.

Between the two nothing is stored: what was read travels through the browser, signed, so that no
server keeps files, any server may carry it out, and nobody can send what was not shown.
"""

import hashlib
from typing import Any

from django import forms
from django.core import signing
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from goods.imports.planning import Plan
from goods.imports.reading import MOST_BYTES, MOST_LINES, Line, format_of, lines_of
from goods.imports.services import File
from shop.accounts.models import User
from shop.errors import Invalid

SALT = "goods.imports"
# How long somebody may look at what was shown, in seconds.
GOOD_FOR = 3600
MOST_NAME = 100


class FileForm(forms.Form):
    file = forms.FileField(
        label=_("file"),
        help_text=format_lazy(
            _("CSV (UTF-8 or GB18030) or the first sheet of an XLSX file, at most {lines} lines."),
            lines=MOST_LINES,
        ),
    )

    def clean_file(self) -> File:
        """What the file says. Its faults as a whole are this field's."""
        sent = self.cleaned_data["file"]
        content = sent.read(MOST_BYTES + 1)
        try:
            lines = lines_of(content)
        except Invalid as refusal:
            raise forms.ValidationError(refusal.data["errors"][0]["message"]) from refusal
        return File(
            lines=lines,
            name=sent.name[:MOST_NAME],
            sha256=hashlib.sha256(content).hexdigest(),
            file_format=format_of(content),
        )


class CarryOutForm(forms.Form):
    """What was shown, and to whom."""

    shown = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, operator: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator = operator

    def clean_shown(self) -> tuple[File, str]:
        """The file, and the digest of the plan that was shown."""
        try:
            said = signing.loads(self.cleaned_data["shown"], salt=SALT, max_age=GOOD_FOR)
        except signing.BadSignature as error:
            message = _("What was shown is too old or not from here: send the file again.")
            raise forms.ValidationError(message) from error
        if said["operator"] != self.operator.pk:
            raise forms.ValidationError(_("This was shown to somebody else."))
        lines = [Line(row, cells) for row, cells in said["lines"]]
        file = File(lines, said["name"], said["sha256"], said["file_format"])
        return file, said["digest"]


def shown_of(file: File, plan: Plan, *, operator: User) -> str:
    """What `CarryOutForm` is to be sent with."""
    said = {
        "operator": operator.pk,
        "lines": [[line.row, line.said] for line in file.lines],
        "name": file.name,
        "sha256": file.sha256,
        "file_format": file.file_format,
        "digest": plan.digest(),
    }
    return signing.dumps(said, salt=SALT, compress=True)
