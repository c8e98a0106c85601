"""WebSockets: the connection that a handler gets, and the routes of WebSockets."""
