"""Sanic's cookies."""

from streamcompat.kernel.cookies import Cookie, CookieJar

__all__ = ["Cookie", "CookieJar"]
