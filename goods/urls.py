"""Addresses of the goods app, below /api/v1."""

from django.urls import path

from goods import views
from shop.api import converters  # noqa: F401  # registers <id:>

urlpatterns = [
    path("categories", views.CategoriesView.as_view(), name="categories"),
    path("goods", views.GoodsListView.as_view(), name="goods"),
    path("goods/<id:goods_id>", views.GoodsView.as_view(), name="goods-detail"),
]
