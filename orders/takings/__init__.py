"""What came in by the hour: summed beside the orders, so that nobody who looks at it reads them."""
