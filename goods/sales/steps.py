"""The steps that steer a flash sale: what each is called, asks, does, and where it is offered. The
pages are `goods.sales.admin`'s, the deeds `goods.sales.services`'."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from goods.sales import services
from goods.sales.forms import PlacementForm, PoolForm, UnitsForm
from goods.sales.selectors import Status
from shop.backoffice.steps import Step
from shop.forms import ConfirmForm


def _goes_on(sale: Any) -> bool:
    return bool(sale.status_now != Status.ENDED)


def _holds_units(sale: Any) -> bool:
    return _goes_on(sale) or sale.pool.open or sale.pool.available > 0


PAUSE = Step(
    name="pause",
    title=_("Pause"),
    about=_("Nobody can buy until it is resumed. What was accepted is settled."),
    done=_("The sale is paused."),
    form=ConfirmForm,
    service=services.sale_pause,
    is_offered=lambda sale: _goes_on(sale) and not sale.paused,
)
RESUME = Step(
    name="resume",
    title=_("Resume"),
    about=_("The sale goes on; its end stays where it was."),
    done=_("The sale goes on."),
    form=ConfirmForm,
    service=services.sale_resume,
    is_offered=lambda sale: _goes_on(sale) and sale.paused,
)
UNITS = Step(
    name="units",
    title=_("Add units"),
    about=_("Moves units from the SKU's stock into the sale."),
    done=_("The units are in the sale."),
    not_now=_("Carried out before; nothing changed now."),
    form=UnitsForm,
    service=services.sale_add_units,
    is_offered=_goes_on,
)
PLACEMENT = Step(
    name="placement",
    title=_("Placement"),
    about=_("When the counter is taken, from the next order on."),
    done=_("The placement is set."),
    form=PlacementForm,
    service=services.sale_set_placement,
    is_offered=_goes_on,
)
POOL = Step(
    name="pool",
    title=_("Strategy and gate"),
    about=_("How units are taken, and whether Redis turns requests away first."),
    done=_("Strategy and gate are set."),
    form=PoolForm,
    service=services.sale_set_pool,
    is_offered=_goes_on,
)
REBUILD = Step(
    name="rebuild",
    title=_("Rebuild the gate"),
    about=_("Opens the gate anew with what the database says. Buyers may go on meanwhile."),
    done=_("The gate is rebuilt."),
    form=ConfirmForm,
    service=services.rebuild_gate,
    is_offered=lambda sale: _goes_on(sale) and sale.pool.gated,
)
END = Step(
    name="end",
    title=_("End"),
    about=_(
        "Nothing more is accepted. What waits is settled, then the units that are left go back to"
        " the SKU's stock. A sale that is over can't be started again."
    ),
    done=_("The sale is over."),
    form=ConfirmForm,
    service=services.sale_end,
    is_offered=_holds_units,
)
STEPS = (PAUSE, RESUME, UNITS, PLACEMENT, POOL, REBUILD, END)
