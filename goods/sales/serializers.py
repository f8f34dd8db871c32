"""Flash sales on the wire. Shapes only."""

from typing import Any

from rest_framework import serializers

from goods.models import in_reader_language
from goods.sales.models import FlashSale, Protection
from goods.sales.selectors import Status
from shop.api.fields import StrictCharField

# Far more than an id or an answer has.
MAX_TEXT = 200


class SalesQuery(serializers.Serializer[Any]):
    """What GET /flash-sales understands."""

    status = serializers.ChoiceField(choices=[status.value for status in Status], required=False)


class FlashSaleSerializer(serializers.Serializer[FlashSale]):
    """A sale as shoppers see it; count down by `server_time`, not by the phone's clock."""

    id = serializers.IntegerField()
    sku = serializers.IntegerField(source="sku_id", help_text="A SKU's id.")
    goods_title = serializers.SerializerMethodField()
    spec = serializers.CharField(source="sku.spec")
    image = serializers.SerializerMethodField(help_text='"" where there is none.')
    price_fen = serializers.IntegerField()
    original_price_fen = serializers.IntegerField(source="sku.price_fen")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    per_user_limit = serializers.IntegerField(
        source="pool.per_user_limit", allow_null=True, help_text="null: no limit."
    )
    total = serializers.IntegerField()
    remaining = serializers.IntegerField(source="pool.available")
    status = serializers.ChoiceField(
        source="status_now", choices=[status.value for status in Status]
    )
    protection = serializers.ChoiceField(choices=Protection.choices)
    server_time = serializers.DateTimeField(source="db_now")

    def get_goods_title(self, sale: FlashSale) -> str:
        goods = sale.sku.goods
        return in_reader_language(goods.title, goods.title_en)

    def get_image(self, sale: FlashSale) -> str:
        image = next(iter(sale.sku.goods.images.all()), None)
        return "" if image is None else image.address


class TokenRequestSerializer(serializers.Serializer[Any]):
    captcha_id = StrictCharField(max_length=MAX_TEXT, required=False)
    captcha_answer = StrictCharField(max_length=MAX_TEXT, required=False)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class CaptchaSerializer(serializers.Serializer[Any]):
    captcha_id = serializers.CharField()
    image = serializers.CharField(help_text="A data URI.")
