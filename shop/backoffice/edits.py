"""Pages on which operators edit rows: what a field was before and after is in the operators' log.

`EditsAdmin` is what the admin of such a model is made of. It adds to what Django writes into its
log the values of each field that a form changed, of the row itself and of those edited with it. And
it writes no column that the form has not changed: others may have, since the row was read.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import override
from unfold.admin import ModelAdmin

from shop.backoffice.history import HistoryAdmin
from shop.operators_log import HIDDEN, Value, is_secret, label_of, plain


class EditsAdmin(HistoryAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """The log of whoever edits, with values."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=_changed(obj, form))
        else:
            super().save_model(request, obj, form, change)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        message = super().construct_change_message(request, form, formsets, add)
        # Django writes a part for the form, where it changed or added, and then one for each row
        # that was added, changed or deleted with it, in this order.
        forms_behind = [form] if add or form.changed_data else []
        for formset in formsets or ():
            forms_behind += _behind(formset)
        for part, behind in zip(message, forms_behind, strict=True):
            if behind is not None and (values := list(_values(behind))):
                part["values"] = values
        return message


def _changed(row: Model, form: Any) -> list[str]:
    """The fields that are not as the form has read them; it may have changed more than was sent."""
    return [
        field.name
        for field in row._meta.concrete_fields
        if field.name in form.fields
        and not field.primary_key
        and field.value_from_object(row) != form.initial.get(field.name)
    ]


def _behind(formset: Any) -> Iterator[forms.BaseForm | None]:
    """The form of each row that was saved, as Django lists them; None: it was deleted."""
    by_row = {id(form.instance): form for form in formset.forms}
    changed = (row for row, _fields in formset.changed_objects)
    for row in chain(formset.new_objects, changed):
        yield by_row.get(id(row))
    for _row in formset.deleted_objects:
        yield None


def _values(form: Any) -> Iterator[Value]:
    with override(None):
        for name in form.changed_data:
            # Django's form of a new password says "password", and has no such field.
            field = form.fields.get(name)
            label = _label(form, name)
            if is_secret(name) or (field and isinstance(field.widget, forms.PasswordInput)):
                yield label, HIDDEN, HIDDEN
                continue
            if field is None:
                continue
            before = _shown(field, form[name].initial)
            after = _shown(field, form.cleaned_data.get(name))
            # Some widgets send less of a value than there is, and have changed nothing.
            if before != after:
                yield label, before, after


def _label(form: Any, name: str) -> str:
    """What the field is called, as it is translated: a form's own label begins with a capital."""
    try:
        return label_of(type(form.instance), name)
    except (AttributeError, FieldDoesNotExist):
        field = form.fields.get(name)
        return str((field and field.label) or name)


def _shown(field: forms.Field, value: Any) -> Any:
    """What people read of a value: the names of rows, in place of their ids."""
    if isinstance(field, forms.ModelMultipleChoiceField):
        return plain([str(row) for row in _rows(field, value)])
    if isinstance(field, forms.ModelChoiceField):
        return next((plain(str(row)) for row in _rows(field, [value])), None)
    return plain(value)


def _rows(field: Any, values: Any) -> Sequence[Any]:
    if isinstance(values, QuerySet):
        return list(values)
    given = [value for value in values or () if value is not None]
    rows = [value for value in given if isinstance(value, Model)]
    ids = [value for value in given if not isinstance(value, Model)]
    return rows + (list(field.queryset.filter(pk__in=ids)) if ids else [])
