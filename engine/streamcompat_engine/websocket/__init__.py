"""A WebSocket on one connection, sans-IO: handshake, frames, compression, protocol."""
