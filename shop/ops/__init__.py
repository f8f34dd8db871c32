"""What the engineer on call reads: health, metrics, logs."""
