"""What operations remember: when a worker of each queue last heard beat."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField


class Ring(models.Model):
    """The last of beat's regular rings that was heard in a queue, by the database's clock: while it
    is young, beat, the broker and a worker of that queue are alive."""

    queue = ExactCharField(_("queue"), max_length=40, unique=True)
    heard_at = models.DateTimeField(_("heard at"))

    class Meta:
        verbose_name = _("ring")
        verbose_name_plural = _("rings")

    def __str__(self) -> str:
        return str(self.queue)
