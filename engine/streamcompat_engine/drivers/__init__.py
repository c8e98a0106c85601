"""The drivers: each moves bytes between a transport and a `Session`, on one kind of event loop."""
