"""The log of files: who took what out of the shop and who brought what in, with which filters, and
how many rows it was. `shop.transfers.services` alone writes it.

The permissions to do so are here and not at the models that the files are of: they are about files,
and whoever may look at a page of orders need not be able to carry all of them away.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Transfer(models.Model):
    """One export or import. An export that nobody read to its end stays `begun`, or is `broken`."""

    class Direction(models.TextChoices):
        EXPORT = "export", _("export")
        IMPORT = "import", _("import")

    class State(models.TextChoices):
        BEGUN = "begun", _("begun")
        DONE = "done", _("done")
        BROKEN = "broken", _("broken off")

    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("operator"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    direction = models.CharField(_("direction"), max_length=6, choices=Direction.choices)
    what = models.CharField(_("what"), max_length=30)
    file_format = models.CharField(_("format"), max_length=4)
    # Of an export: the list's filters and the range. Of an import: the file's name and SHA-256.
    asked = models.TextField(_("filters"), blank=True, default="")
    rows = models.PositiveBigIntegerField(_("rows"), null=True)
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.BEGUN)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("import or export")
        verbose_name_plural = _("imports and exports")
        default_permissions = ("view",)
        permissions = [
            ("export_goods", "Can export goods"),
            ("export_sku", "Can export SKUs"),
            ("export_order", "Can export orders and their lines"),
            ("export_entry", "Can export lottery entries"),
            ("export_transaction", "Can export the ledger"),
            ("export_payment", "Can export payments"),
            ("export_refund", "Can export refunds"),
            ("export_addresses", "Sees names, phones and addresses whole in exports"),
            ("import_goods", "Can import goods and SKUs"),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.what} {self.pk}"
