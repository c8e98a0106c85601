"""What the flavours share: an application, its routes, requests and responses."""
