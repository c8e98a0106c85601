"""The place of Sanic's WebSockets since 21.9."""
