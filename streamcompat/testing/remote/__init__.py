"""The same client behind sockets: probes a server at an address, in any language, and compares two."""
