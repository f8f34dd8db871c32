"""Users, their addresses, and the windows that limit log-in attempts."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField


def without_middle(phone: str) -> str:
    """A phone number as people may see it: without the four digits before its last four."""
    return f"{phone[:-8]}****{phone[-4:]}"


class User(AbstractUser):
    """A shopper or an operator. `nickname` is what other shoppers may see, `phone` (+8613800000000,
    "" for none) what WeChat vouched for and nobody sees whole."""

    nickname = models.CharField(_("nickname"), max_length=50, blank=True, default="")
    phone = models.CharField(_("phone"), max_length=20, blank=True, default="", editable=False)

    class Meta(AbstractUser.Meta):
        permissions = [("manage_staff", "Can decide who may do what")]

    @property
    def phone_shown(self) -> str | None:
        """The phone number without its middle, None for none."""
        return without_middle(self.phone) if self.phone else None


class Address(models.Model):
    """Where a parcel goes. Orders keep a snapshot, so editing or deleting one changes no order. Its
    phone is the shopper's to see, and at the order whoever sends the parcel."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="addresses")
    name = models.CharField(max_length=50)
    phone = models.CharField(max_length=30)
    region = models.CharField(max_length=100)
    detail = models.CharField(max_length=200)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.region} {self.detail}"


class RateWindow(models.Model):
    """How often `subject` did `scope` in the window that began at `started_at`."""

    scope = models.CharField(max_length=30)
    # A keyed hash: an address or a user name that failed to log in is nobody's to read.
    subject = ExactCharField(max_length=64)
    started_at = models.DateTimeField()
    hits = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "subject"], name="rate_window_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.hits}"
