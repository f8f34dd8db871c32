"""Everything finite that shoppers race for, and the only code that changes its counters."""
