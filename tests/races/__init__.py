"""Races on a real MariaDB: real threads, real row locks, both strategies."""
