"""What happens when processes and servers die: a whole shop of real ones, killed piece by piece."""
