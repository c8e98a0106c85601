"""The routes of the application of `framework_apps` in Django, which wants them in a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.views import View
from django.views.decorators.http import require_http_methods


async def index(request: Any) -> Any:
    return HttpResponse("OK")


@require_http_methods(["POST"])
async def echo(request: Any) -> Any:
    async def copy() -> AsyncIterator[bytes]:
        while piece := request.read(1024):
            yield piece

    return StreamingHttpResponse(copy())


@require_http_methods(["POST"])
async def upper(request: Any) -> Any:
    return HttpResponse(request.body.decode().upper())


class Item(View):
    async def put(self, request: Any, n: int) -> Any:
        return HttpResponse(str(n + len(request.body)))


urlpatterns = [
    path("", index),
    path("echo", echo),
    path("upper", upper),
    path("api/", include([path("items/<int:n>", Item.as_view())])),
]
