"""Finding people from anywhere in the console."""

from django.contrib.auth.models import Group
from django.db.models import QuerySet

from shop.accounts.models import User
from shop.backoffice.search import finder


@finder("accounts.user")
def by_name(term: str) -> QuerySet[User]:
    """A user by the name that they log in with."""
    return User.objects.filter(username=term)


@finder("auth.group")
def group_by_name(term: str) -> QuerySet[Group]:
    """A group of operators by its name."""
    return Group.objects.filter(name=term)
