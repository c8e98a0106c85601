"""Sanic's cookies."""

from streamcompat.kernel.cookies import Cookie, CookieJar

__all__ = ["DEFAULT_MAX_AGE", "Cookie", "CookieJar"]

DEFAULT_MAX_AGE = 0
