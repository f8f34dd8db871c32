"""How a grab is answered: shape, status and headers. No decisions."""

from lottery.packets.grabbing import Grabbed
from shop.api.placed import Placed


def grabbed(grab: Grabbed, *, public_id: str) -> Placed:
    """What was in it; while it waits, where to look for that and when."""
    if grab.amount_fen is not None:
        return Placed({"amount_fen": grab.amount_fen}, 200, {})
    headers = {"Location": f"/api/v1/red-packets/{public_id}", "Retry-After": "1"}
    return Placed({"status": "pending"}, 202, headers)
