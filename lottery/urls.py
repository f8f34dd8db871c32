"""Addresses of the lottery, below /api/v1."""

from django.urls import path

from lottery import views
from shop.api import converters  # noqa: F401  # registers <id:> and <number:>

urlpatterns = [
    path("lottery/periods", views.PeriodsView.as_view(), name="periods"),
    path("lottery/periods/<id:period_id>", views.PeriodView.as_view(), name="period"),
    path("lottery/periods/<id:period_id>/proof", views.ProofView.as_view(), name="proof"),
    path("lottery/periods/<id:period_id>/entries", views.EntriesView.as_view(), name="entries"),
    path(
        "lottery/periods/<id:period_id>/entries/mine",
        views.MyEntriesView.as_view(),
        name="entries-mine",
    ),
    path("lottery/entries/<number:entry_no>", views.EntryView.as_view(), name="entry"),
    path("lottery/winners", views.WinnersView.as_view(), name="winners"),
]
