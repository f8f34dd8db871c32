"""What the shop tells people by itself: an outbox, its channels and who delivers it."""
