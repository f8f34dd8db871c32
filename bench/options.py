"""What the command line can say; for the launcher and for the command inside the shop."""

from argparse import ArgumentParser
from pathlib import Path

from deploy.local.processes import ROOT

RESULTS = ROOT / "bench" / "results" / "latest.json"
CLIENTS = (1, 8, 32, 64)


def add_to(parser: ArgumentParser) -> None:
    """Adds the benchmark's options."""
    parser.add_argument("--seconds", type=int, default=10, help="of each timed run (default 10)")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=CLIENTS, help="how many at once (1 8 32 64)"
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail also where a figure of speed is not reached"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help=f"where the figures go ({RESULTS})"
    )
