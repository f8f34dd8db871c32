"""What waits for a second person, in the console."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from shop.approvals.models import Proposal
from shop.backoffice.today import Figure, Level, Part, count_words, few, level_of, panel


@panel("approvals.proposal", _("proposals"))
def to_decide() -> Sequence[Part]:
    """Those that can still be decided."""
    count = few(Proposal.objects.waiting())
    return [
        Figure(
            _("proposals for a second person"),
            count_words(count),
            level_of(count, Level.LOOK),
            query={"waits": "1"},
        )
    ]
