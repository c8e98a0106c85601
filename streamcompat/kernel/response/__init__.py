"""What a handler answers with."""
