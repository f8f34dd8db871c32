"""The measuring itself, a module for each part: against a running server, and beside it inside."""
