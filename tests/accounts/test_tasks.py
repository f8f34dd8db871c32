"""What beat tidies up."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from shop.accounts import services
from shop.accounts.models import User
from shop.accounts.tasks import forget_expired_tokens


def use_up(user: User, jti: str, *, expires_in: int) -> None:
    token = OutstandingToken.objects.create(
        user=user,
        jti=jti,
        token="",
        expires_at=timezone.now() + timedelta(seconds=expires_in),
    )
    BlacklistedToken.objects.create(token=token)


def test_used_tokens_are_forgotten_when_they_have_expired(shopper: User, monkeypatch) -> None:
    monkeypatch.setattr(services, "BATCH", 2)
    for n in range(5):
        use_up(shopper, f"expired {n}", expires_in=-1)
    use_up(shopper, "good", expires_in=60)
    assert services.forget_expired_tokens() == 5
    assert [token.token.jti for token in BlacklistedToken.objects.all()] == ["good"]
    assert services.forget_expired_tokens() == 0


def test_beat_rings_for_it_by_its_name(db: None) -> None:
    task = settings.CELERY_BEAT_SCHEDULE["forget-expired-tokens"]["task"]
    assert import_string(task) is forget_expired_tokens
    assert forget_expired_tokens.name == task
    forget_expired_tokens()
