"""Clothes for what django-unfold leaves bare: forms that no model made, and fields in tables, whose
label is a heading that nothing ties to them."""

from typing import Any

from django import forms
from django.forms.utils import pretty_name
from django.forms.widgets import Input
from django.utils.text import capfirst
from unfold.widgets import (
    CHECKBOX_CLASSES,
    FILE_CLASSES,
    INPUT_CLASSES,
    SELECT_CLASSES,
    TEXTAREA_CLASSES,
)

# The first that fits, so the more special kind before the more general one.
CLOTHES: tuple[tuple[type[forms.Widget], list[str]], ...] = (
    (forms.CheckboxInput, CHECKBOX_CLASSES),
    (forms.Select, SELECT_CLASSES),
    (forms.Textarea, TEXTAREA_CLASSES),
    (forms.FileInput, FILE_CLASSES),
    (forms.HiddenInput, []),
    (Input, INPUT_CLASSES),
)


def dressed(form: forms.BaseForm) -> forms.BaseForm:
    """The same form, whose widgets look like the rest of the console."""
    for name, field in form.fields.items():
        field.label = capfirst(field.label or pretty_name(name))
        for kind, classes in CLOTHES:
            if isinstance(field.widget, kind):
                field.widget.attrs["class"] = " ".join(classes)
                break
    return form


def labelled(field: forms.Field | None) -> forms.Field | None:
    """The same field, whose widget says what it is to who can't see the heading above it."""
    if field is not None:
        field.widget.attrs["aria-label"] = capfirst(field.label or "")
    return field


class InTables:
    """A ModelAdmin, or an inline, that edits rows in a table."""

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> forms.Field | None:
        return labelled(super().formfield_for_dbfield(*args, **kwargs))  # type: ignore[misc]
