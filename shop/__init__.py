"""What every app stands on, and the entry points."""
