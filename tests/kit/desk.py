"""What an operator's browser shows."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from shop.operators_log import words_of


def page_of(row: models.Model, name: str = "change") -> str:
    """The address of a row's page, or of one of its steps."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[row.pk])


def said(response: Any) -> list[str]:
    """The messages that an answer leaves."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def shown(desk: Client, row: models.Model) -> dict[str, str]:
    """The facts of a row's page: their words, by the field's name."""
    page = desk.get(page_of(row)).context["adminform"]
    cells = [cell for fieldset in page for line in fieldset for cell in line if cell.is_readonly]
    return {cell.field["name"]: strip_tags(cell.contents()).strip() for cell in cells}


def offered(desk: Client, row: models.Model) -> list[str]:
    """The names of the steps that a row's page offers."""
    steps = desk.get(page_of(row)).context["steps"]
    return [address.rstrip("/").rsplit("/", 1)[1] for _title, address in steps]


def listed(desk: Client, model: type[models.Model], **query: Any) -> list[Any]:
    """The ids on the first page of a model's list."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return [row.pk for row in desk.get(address, query).context["cl"].result_list]


def logged(row: models.Model) -> list[tuple[Any, ...]]:
    """What operators did to a row: who, Django's flag, what."""
    entries = LogEntry.objects.filter(object_id=str(row.pk), object_repr=str(row)).order_by("pk")
    return [(entry.user_id, entry.action_flag, words_of(entry)) for entry in entries]
