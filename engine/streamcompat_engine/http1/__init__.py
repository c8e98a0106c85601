"""HTTP/1.1 on one connection, sans-IO: gate, heads, bodies, deadlines."""
