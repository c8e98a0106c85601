"""WebSockets: what a handler is given, and the routes that lead to one."""
