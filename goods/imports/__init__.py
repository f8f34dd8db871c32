"""The catalogue from a file: what it says, what that would change, and doing what was shown."""
