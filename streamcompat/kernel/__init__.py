"""The parts that both flavours share: application, routes, requests and responses."""
