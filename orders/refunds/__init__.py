"""Refunds of paid orders: asked for, decided, computed from what was paid; whole or by line."""
