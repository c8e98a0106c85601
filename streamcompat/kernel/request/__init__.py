"""The request that a handler gets: its fields, its body, its forms and its stream."""
