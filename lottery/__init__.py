"""Periods whose numbered shares are sold, and draws that anyone can check."""
