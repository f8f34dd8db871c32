"""What the command line can say; for the launcher and for the command inside the shop."""

from argparse import ArgumentParser
from pathlib import Path

from deploy.local.processes import ROOT, VAR

CHECKOUT, DRAINING, SALES, PRESSURE, LOTTERY, COMMITS = (
    "checkout",
    "drain",
    "sales",
    "pressure",
    "lottery",
    "commits",
)
# In the order in which they are measured.
PARTS = (CHECKOUT, DRAINING, SALES, PRESSURE, LOTTERY, COMMITS)
# Measured when they are named, and no part of a whole run: what they say is of the shop alone.
LIVE = "live"
EXTRAS = (LIVE,)
RESULTS = ROOT / "bench" / "results" / "latest.json"
# Of a run that left parts out, which must not replace one that did not.
PARTIAL = VAR / "bench.json"
CLIENTS = (1, 8, 32, 64)


def add_to(parser: ArgumentParser) -> None:
    """Adds what the measuring itself needs to know."""
    parser.add_argument("--seconds", type=int, default=6, help="of each timed run (default 6)")
    parser.add_argument(
        "--clients",
        type=int,
        nargs="+",
        default=CLIENTS,
        help="how many at once, for checkout (1 8 32 64)",
    )


def add_all_to(parser: ArgumentParser) -> None:
    """Adds everything that `make bench` understands."""
    add_to(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*PARTS, *EXTRAS),
        default=PARTS,
        help=f"parts ({' '.join(PARTS)}; and {' '.join(EXTRAS)})",
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail also where a figure of speed is not reached"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"where the figures go ({RESULTS}; {PARTIAL} where parts are left out)",
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="put the figures into docs/benchmarks.md, and draw its chart",
    )
