"""The catalogue's shapes on the wire, and what a list may be asked. Nothing is decided here."""

from rest_framework import serializers

from goods.models import Category, Goods, Sku, in_reader_language
from goods.selectors import DEFAULT_ORDERING, ORDERINGS
from shop.api.fields import QueryIntegerField

SEARCH_CHARACTERS = 100


class GoodsQuery(serializers.Serializer[dict[str, object]]):
    """What GET /goods understands."""

    category = QueryIntegerField(required=False, help_text="A category's id.")
    search = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=SEARCH_CHARACTERS,
        help_text="A part of the title, Chinese or English.",
    )
    ordering = serializers.ChoiceField(
        required=False, choices=list(ORDERINGS), help_text=f"{DEFAULT_ORDERING} where not given."
    )


class CategorySerializer(serializers.Serializer[Category]):
    id = serializers.IntegerField()
    title = serializers.SerializerMethodField()

    def get_title(self, category: Category) -> str:
        return in_reader_language(category.title, category.title_en)


class SkuSerializer(serializers.Serializer[Sku]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    spec = serializers.CharField()
    price_fen = serializers.IntegerField()
    available = serializers.IntegerField(source="stock", help_text="Units that can be bought now.")
    sold = serializers.IntegerField(help_text="Units in orders that still hold them.")


class GoodsSerializer(serializers.Serializer[Goods]):
    """What a shopper looks at, with the SKUs that can be bought of it."""

    # Of goods as `goods.selectors` fetches them, with `shelf_skus` and `images`.
    id = serializers.IntegerField()
    title = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()
    images = serializers.SerializerMethodField(help_text="Addresses, absolute or from the root.")
    category = serializers.IntegerField(source="category_id", help_text="A category's id.")
    min_price_fen = serializers.IntegerField(help_text="The least price of its SKUs.")
    skus = SkuSerializer(source="shelf_skus", many=True)

    def get_title(self, goods: Goods) -> str:
        return in_reader_language(goods.title, goods.title_en)

    def get_description(self, goods: Goods) -> str:
        return in_reader_language(goods.description, goods.description_en)

    def get_images(self, goods: Goods) -> list[str]:
        return [image.address for image in goods.images.all()]
