"""What commands that plan something share: moments and references as they are typed, and refusals
in the words of those who type options."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from shop.errors import Invalid
from shop.pools import gate
from shop.pools.models import Placement, Strategy


class PlanCommand(BaseCommand):
    """A command whose help keeps its paragraphs, with options for what stands behind a pool."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_pool_terms(self, parser: ArgumentParser) -> None:
        """How units are taken, and what stands before them."""
        parser.add_argument("--placement", choices=Placement.values, default=Placement.QUEUED.value)
        parser.add_argument(
            "--strategy",
            choices=[name for name in Strategy.values if name],
            default=Strategy.DEFAULT.value,
            help="default: the shop's setting",
        )
        parser.add_argument("--gate", choices=["on", "off"], help="default: on where there is one")

    def add_answer(self, parser: ArgumentParser, *, what: str) -> None:
        """What names the plan, and how the answer is printed."""
        parser.add_argument(
            "--reference", default="", help=f"up to 64 characters that name this {what} for ever"
        )
        parser.add_argument("--json", action="store_true", help="for machines")


def is_gated(options: Mapping[str, Any]) -> bool:
    """What `--gate` says."""
    return options["gate"] == "on" if options["gate"] else gate.configured()


def reference_of(options: Mapping[str, Any]) -> str:
    """What `--reference` says. Raises CommandError."""
    reference: str = options["reference"]
    if len(reference) > 64 or not reference.isprintable():
        raise CommandError("--reference is up to 64 printable characters.")
    return reference


def moment(text: str) -> datetime:
    """A moment as it is typed, in the shop's time zone unless it says otherwise."""
    if text == "now":
        return timezone.now()
    try:
        typed = parse_datetime(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text}: {error}") from error
    if typed is None:
        raise ArgumentTypeError(f"{text} is not a moment such as 2026-11-11T20:00")
    return typed if timezone.is_aware(typed) else timezone.make_aware(typed)


def end_of(options: Mapping[str, Any], *, starts_at: datetime) -> datetime | None:
    """What `--ends`, or `--for` in minutes, says; None for neither. Raises CommandError for an end
    that is over, or beyond all calendars."""
    ends_at: datetime | None = options["ends"]
    if options["minutes"] is not None:
        if not 0 < options["minutes"] < timedelta.max.total_seconds() / 60:
            raise CommandError("--for is a number of minutes above 0.")
        try:
            ends_at = starts_at + timedelta(minutes=options["minutes"])
        except OverflowError as error:
            raise CommandError("--for ends beyond all calendars.") from error
    if ends_at is not None and ends_at <= timezone.now():
        raise CommandError(f"--ends is over: {ends_at.isoformat()}.")
    return ends_at


def faults(refusal: Invalid, options: Mapping[str, str]) -> str:
    """What is wrong with a plan, each fault at the option that its field comes from."""
    said = [
        f"{options.get(fault['field'], fault['field'])}: {fault['message']}"
        for fault in refusal.data["errors"]
    ]
    return " ".join([*said, "Nothing was changed."])


def shown(at: datetime | None) -> str | None:
    """A moment in the shop's time zone, to the second."""
    return None if at is None else timezone.localtime(at).isoformat(timespec="seconds")
