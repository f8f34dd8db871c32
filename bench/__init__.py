"""`make bench`: how fast the shop hands out one hot thing (a SKU, shares of a period, a packet),
next to a bare view on the same server, and whether it did it right. `docs/benchmarks.md` says what
is measured and what it does not show."""
