"""The responses that a handler returns, and the functions that make them."""
