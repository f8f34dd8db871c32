"""The operations' addresses, at the root."""

from django.urls import path

from shop.ops.health import livez, readyz
from shop.ops.metrics import metrics

urlpatterns = [
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
