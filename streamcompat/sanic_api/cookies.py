"""Sanic's cookies."""

from streamcompat.cookies import Cookie, CookieJar

__all__ = ["Cookie", "CookieJar"]
