"""What stands in the outbox, and time that passes there."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db.models import F

from shop.accounts.models import User
from shop.notices.events import EVENTS
from shop.notices.models import Notice
from shop.notices.services import News, tell


def write(user: User, event: str = "order_paid", *, subject: str = "", **facts: Any) -> Notice:
    """A notice of an order, as a transition would leave it."""
    subject = subject or uuid4().hex[:24]
    tell(EVENTS[event], [News(user.pk, subject, {"order_no": subject, **facts})])
    return Notice.objects.latest("pk")


def rows() -> list[tuple[str, str]]:
    """Event and subject of every notice, in the order in which they were written."""
    return list(Notice.objects.order_by("pk").values_list("event", "subject"))


def pass_time(seconds: float) -> None:
    """Everything is due that much sooner."""
    Notice.objects.update(due_at=F("due_at") - timedelta(seconds=seconds))


def standing(notice: Notice) -> Sequence[Any]:
    notice.refresh_from_db()
    return notice.state, notice.attempts, notice.failure
