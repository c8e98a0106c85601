"""Routes: declaring them, resolving a request to one, and building URLs from them."""
