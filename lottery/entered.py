"""How a POST that placed an entry is answered: shape, status and headers. No decisions."""

from lottery import selectors
from lottery.entries import ACCEPTED
from lottery.models import Entry
from lottery.serializers import EntrySerializer
from shop.api.idempotency import REPLAYED, Answer
from shop.api.placed import Placed

# One for all answers: each serializer makes its fields anew, which costs as much as filling them.
_shape = EntrySerializer().to_representation


def entered(answer: Answer[Entry]) -> Placed:
    """The entry as it is now; where it waits to be settled, with where to look for it and when."""
    entry = answer.row
    headers = dict(REPLAYED) if answer.replayed else {}
    if entry.first_status == ACCEPTED:
        headers |= {"Location": f"/api/v1/lottery/entries/{entry.entry_no}", "Retry-After": "1"}
        if not answer.replayed:
            pending = {"entry_no": entry.entry_no, "status": entry.status}
            return Placed(pending, ACCEPTED, headers)
    if answer.replayed:
        entry = selectors.entry_of(entry.user_id, entry.entry_no)
    return Placed(_shape(entry), entry.first_status, headers)
