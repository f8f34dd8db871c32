"""The bells of the lottery: each finds its work by looking."""

from celery import shared_task

from lottery import closing, drawing


@shared_task
def sweep_periods() -> None:
    """Closes, freezes, renews and refunds whatever is due."""
    closing.periods_sweep()


@shared_task
def draw_periods() -> None:
    """Draws whatever can be drawn."""
    drawing.periods_draw(rest_seconds=drawing.REST_SECONDS)
