"""Servers of others, played here. Each also runs by itself: `python -m tests.fakes.NAME`."""
