"""The storefront: a small shop for a telephone's browser at `/`, on the public API alone.

Python has one page and its headers to give (`views`) and the names of its files (`assets`). All
that shoppers see is in `static/storefront/`, as docs/storefront.md describes, and can do nothing
that a mini-program could not do.
"""
