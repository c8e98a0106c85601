"""Sanic's worker for gunicorn had this place; see `elsewhere` for what to use."""

__all__: list[str] = []
