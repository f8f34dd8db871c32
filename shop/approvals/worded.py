"""The terms of a plan in the words of the form that it was typed into."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from shop.approvals.deeds import Facts


def worded(form: type[forms.Form], plan: Any, said: Mapping[str, Any]) -> Facts:
    """Each of the form's fields that the plan has: its label, and what the plan says; `said` has
    the words of those fields whose value alone does not tell."""
    fields: Mapping[str, forms.Field] = form().fields
    return [
        (field.label or name, said.get(name, _words(field, getattr(plan, name))))
        for name, field in fields.items()
        if hasattr(plan, name)
    ]


def _words(field: forms.Field, value: Any) -> str:
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    choices = dict(getattr(field, "choices", ()))
    return str(choices.get(value, value))
