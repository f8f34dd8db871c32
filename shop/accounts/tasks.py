"""What beat asks of accounts once a day."""

from celery import shared_task

from shop.accounts import rates, services


@shared_task
def forget_expired_tokens() -> None:
    """Removes used-up tokens that have expired and windows that limit nobody any more."""
    services.forget_expired_tokens()
    rates.forget_old()
