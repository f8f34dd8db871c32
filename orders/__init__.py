"""Cart, checkout, the life of an order, and the money behind it."""
