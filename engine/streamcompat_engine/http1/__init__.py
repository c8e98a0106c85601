"""HTTP/1.1 of one connection, sans-IO: gate, heads, body lane, pipes, deadlines."""
