"""Who a user is to WeChat. Nothing of a WeChat session is kept: it would open what WeChat encrypts,
and the shop needs none of that."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField

# Enough of an openid to tell two people apart, too little to be one.
SHOWN = 6


def shortened(text: str) -> str:
    """An openid or unionid as operators see it."""
    return f"{text[:SHOWN]}…" if text else ""


class Identity(models.Model):
    """A person in one mini-program. They are another one in every other mini-program, unless WeChat
    tells a `unionid`, which is the same in all that belong to one owner; "" where it told none."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="wechat_identities"
    )
    appid = ExactCharField(_("mini-program"), max_length=64)
    openid = ExactCharField(max_length=64)
    unionid = ExactCharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("WeChat identity")
        verbose_name_plural = _("WeChat identities")
        constraints = [
            models.UniqueConstraint(fields=["appid", "openid"], name="wechat_identity_openid"),
        ]

    def __str__(self) -> str:
        return f"{self.appid} {shortened(self.openid)}"


class Union(models.Model):
    """Whose `unionid` it is: one user's, whatever arrives first and from which mini-programs. In a
    table of its own, because an identity may have none, and many of one user have the same."""

    unionid = ExactCharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return shortened(self.unionid)
