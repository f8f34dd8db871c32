"""Red packets: split, grabs, and what is left at the end."""
