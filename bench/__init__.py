"""`make bench`: how fast the shop sells one hot SKU, next to a bare view on the same server, and
whether it sold it right. `docs/benchmarks.md` says what is measured and what it does not show."""
