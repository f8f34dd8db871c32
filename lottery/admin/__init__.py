"""Periods and entries for operators: facts to read, a form that opens a period, and the few steps
that are theirs.

What decides a draw (seed, entries, close, root, round, result) has no form and no step; the seed,
and what would tell of it, is shown nowhere before the draw. A step is a page of its own, sent by
POST, that calls a service of the lottery; the service writes the operators' log in the transaction
that does it.
"""

from lottery.admin.entries import EntryAdmin
from lottery.admin.periods import PeriodAdmin

__all__ = ["EntryAdmin", "PeriodAdmin"]
