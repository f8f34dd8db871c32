"""The mathematics of a draw: numbers, commitments, roots, beacons. docs/draw.md specifies it.

Pure: no Django, no database. Whoever sells, stores and publishes calls this; nothing here does.
"""
