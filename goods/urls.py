"""Addresses of the goods app, below /api/v1."""

from django.urls import path

from goods import views
from goods.sales import views as sales
from shop.api import converters  # noqa: F401  # registers <id:>

urlpatterns = [
    path("categories", views.CategoriesView.as_view(), name="categories"),
    path("goods", views.GoodsListView.as_view(), name="goods"),
    path("goods/<id:goods_id>", views.GoodsView.as_view(), name="goods-detail"),
    path("flash-sales", sales.FlashSalesView.as_view(), name="flash-sales"),
    path("flash-sales/<id:sale_id>", sales.FlashSaleView.as_view(), name="flash-sale"),
    path("flash-sales/<id:sale_id>/token", sales.SaleTokenView.as_view(), name="sale-token"),
    path("captcha", sales.CaptchaView.as_view(), name="captcha"),
]
