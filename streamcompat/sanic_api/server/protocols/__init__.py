"""The place of Sanic's protocols since 21.9."""
