"""What every endpoint shares: errors in one shape, keys, parsing, pages."""
