"""What a handler is given."""
