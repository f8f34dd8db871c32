"""Coupons: their issue is a pool, each piece is used by one living order at most."""
