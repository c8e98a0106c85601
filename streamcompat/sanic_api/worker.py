"""Sanic's worker for gunicorn had this place; see `streamcompat.aliases.moved_names` for what to use."""

__all__: list[str] = []
