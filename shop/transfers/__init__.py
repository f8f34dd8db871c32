"""What leaves the shop in files and comes into it from them, and the log of both."""
