"""The wallet: a double-entry ledger of users' money and points."""
