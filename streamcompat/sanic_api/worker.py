"""The place of Sanic's gunicorn worker; `streamcompat.aliases.moved_names` says what to use instead."""

__all__: list[str] = []
