"""What the operators' console is made of, whatever a page is about."""
