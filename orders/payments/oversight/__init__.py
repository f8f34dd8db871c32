"""What people must look at: money that does not fit, and the days' accounts with providers."""
