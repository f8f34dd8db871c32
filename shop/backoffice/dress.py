"""Forms that no model made, in the console's clothes: django-unfold dresses those of models."""

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
