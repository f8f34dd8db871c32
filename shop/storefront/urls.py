"""The storefront's one address: what is shown there is told by what follows the `#`."""

from django.urls import path

from shop.storefront.views import page

urlpatterns = [path("", page, name="storefront")]
