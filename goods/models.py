"""Categories, goods and SKUs: descriptions only. What can run out is a pool (`shop.pools`)."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField
from shop.pools.models import Pool

POOL_KIND = "sku"
# Ten tonnes: a mistake, not a parcel.
MOST_GRAMS = 10_000_000


def in_reader_language(chinese: str, english: str) -> str:
    """The text for whoever reads now; Chinese where there is no English."""
    return english if english and (get_language() or "").startswith("en") else chinese


class Category(models.Model):
    title = models.CharField(_("title"), max_length=60)
    title_en = models.CharField(_("English title"), max_length=60, blank=True, default="")
    position = models.IntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.title


class Goods(models.Model):
    """What a shopper looks at. On the shelf it is public; off it, it does not exist for them."""

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="goods")
    title = models.CharField(_("title"), max_length=120)
    title_en = models.CharField(_("English title"), max_length=120, blank=True, default="")
    description = models.TextField(_("description"), blank=True, default="")
    description_en = models.TextField(_("English description"), blank=True, default="")
    on_shelf = models.BooleanField(_("on the shelf"), default=True)
    # The least price of its SKUs on the shelf, kept by goods.services so that lists can be
    # ordered by it from an index; null while there is none.
    min_price_fen = models.BigIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("goods")
        verbose_name_plural = _("goods")
        indexes = [
            models.Index(fields=["on_shelf", "min_price_fen"], name="goods_by_price"),
            models.Index(
                fields=["on_shelf", "category", "min_price_fen"], name="goods_by_category"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class GoodsImage(models.Model):
    """A picture by address or by upload: exactly one of the two."""

    goods = models.ForeignKey(Goods, on_delete=models.CASCADE, related_name="images")
    url = models.URLField(_("address"), max_length=500, blank=True, default="")
    file = models.ImageField(_("file"), upload_to="goods/%Y/%m", blank=True)
    position = models.IntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("image")
        verbose_name_plural = _("images")
        constraints = [
            models.CheckConstraint(
                condition=(Q(url="") & ~Q(file="")) | (~Q(url="") & Q(file="")),
                name="goods_image_url_or_file",
            )
        ]

    def __str__(self) -> str:
        return self.url or str(self.file)

    @property
    def address(self) -> str:
        """Where it is shown from: absolute, or from the root."""
        return self.url or str(self.file.url)


class Sku(models.Model):
    """What is sold. Its stock is its pool's counter, which no form can write."""

    goods = models.ForeignKey(Goods, on_delete=models.PROTECT, related_name="skus")
    code = ExactCharField(_("code"), max_length=64, unique=True)
    spec = models.CharField(_("spec"), max_length=120, blank=True, default="")
    price_fen = models.BigIntegerField(_("price (fen)"))
    # Of one unit, packed, for freight that goes by weight.
    grams = models.PositiveIntegerField(
        _("weight (g)"), default=0, validators=[MaxValueValidator(MOST_GRAMS)]
    )
    on_shelf = models.BooleanField(_("on the shelf"), default=True)
    pool = models.OneToOneField(
        Pool, on_delete=models.PROTECT, related_name="sku", db_constraint=False, editable=False
    )

    class Meta:
        verbose_name = _("SKU")
        verbose_name_plural = _("SKUs")
        permissions = [("adjust_stock", "Can adjust stock")]
        constraints = [
            models.CheckConstraint(condition=Q(price_fen__gte=0), name="sku_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.spec}".strip()

    @property
    def stock(self) -> int:
        """Units that can be bought now."""
        return self.pool.available

    @property
    def sold(self) -> int:
        """Units in orders that still hold them."""
        return self.pool.taken
