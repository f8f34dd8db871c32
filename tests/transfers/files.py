"""Files as a browser gets them, and back."""

import csv
from io import BytesIO, StringIO

from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from openpyxl import load_workbook

from shop.transfers.writing import MARK


def export(desk, model, *, filters="", **form):
    """What the export page of a list answers to this form."""
    page = reverse(f"admin:{model}_export") + filters
    return desk.post(page, {"file_format": "csv", **form})


def csv_rows(response):
    """The lines of the CSV file, each a dict by its heading."""
    assert response.status_code == 200, (
        getattr(response, "context", None) and response.context["form"].errors
    )
    text = b"".join(response.streaming_content).decode()
    assert text.startswith(MARK)
    return list(csv.DictReader(StringIO(text.removeprefix(MARK), newline="")))


def xlsx_rows(response):
    """The lines of the XLSX file, each a dict by its heading."""
    content = BytesIO(b"".join(response.streaming_content))
    first, *rest = load_workbook(content, read_only=True).active.iter_rows(values_only=True)
    return [dict(zip(first, row, strict=True)) for row in rest]


def csv_of(*rows, encoding="utf-8"):
    """A CSV file of these rows of cells."""
    written = StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode(encoding)


def look(desk, content, name="catalogue.csv"):
    """What the import page shows of a file."""
    return desk.post(
        reverse("admin:goods_goods_import"), {"file": SimpleUploadedFile(name, content)}
    )


def carry_out(desk, shown):
    """The yes to what was shown; returns what is said last."""
    sent = {"shown": shown.context["form"].initial["shown"]}
    response = desk.post(reverse("admin:goods_goods_import"), sent)
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)][-1]


def refusal(shown):
    """Why the file was refused as a whole."""
    (message,) = shown.context["form"].errors["file"]
    return message
