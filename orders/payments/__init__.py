"""Payments and refunds, and the providers behind them."""
