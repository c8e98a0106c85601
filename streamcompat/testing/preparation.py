"""The requests that come before those of a probe, such as a login, and the values of their answers.

The rule: a request that fails, or a value that is missing, is an error. It never leads to a probe whose
requests are all refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from streamcompat.testing.cookies import Cookies
from streamcompat.testing.response import Response
from streamcompat.testing.routes import Needs
from streamcompat.testing.wire import Request

_PLACE: Final = re.compile(r"\$\{(\w+)\}")
_ROUTE: Final = re.compile(r"([!#-'*+.^_`|~\w-]+) (/[!-~]*)", re.ASCII)
_SOURCES: Final = "json.NAME, header.NAME, cookie.NAME or body"


class Sends(Protocol):
    """What sends a request, in this process or elsewhere."""

    async def send(self, request: Request) -> Response:
        """Send the request and return the whole response. Raises: TimeoutError; AssertionError."""


class SetupError(Exception):
    """The requests cannot be read or fail; the message is one line for the user."""


@dataclass(frozen=True)
class Step:
    """One request. `${name}` in its target, headers and body is the value that an earlier step took.

    Attributes:
        takes: the place of each value in the answer, by its name: `json.` with names and indices, `header.`,
            `cookie.`, or `body`.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    takes: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The method and the target."""
        return f"{self.method} {self.target}"


def steps_of(path: Path) -> list[Step]:
    """The steps in a file of TOML: tables `[[request]]` with `route`, `headers`, `body` and `take`.

    Raises: SetupError.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SetupError(f"{path} is no TOML: {error}") from error
    tables = document.get("request")
    if document.keys() != {"request"} or not isinstance(tables, list):
        raise SetupError(f"{path} has to consist of tables [[request]]")
    try:
        return [_step(table) for table in tables]
    except SetupError as error:
        raise SetupError(f"{path}: {error}") from None


def _step(table: Any) -> Step:
    if not isinstance(table, dict) or table.keys() - {"route", "headers", "body", "take"}:
        raise SetupError("a request has route, headers, body and take, and nothing else")
    route, body = table.get("route"), table.get("body", "")
    headers, takes = table.get("headers", {}), table.get("take", {})
    found = _ROUTE.fullmatch(route) if isinstance(route, str) else None
    if found is None:
        raise SetupError(f"route = {route!r} is not of the form 'METHOD /path'")
    if not isinstance(body, str) or not _is_texts(headers) or not _is_texts(takes):
        raise SetupError(f"body, headers and take of {route} are texts")
    for name, place in takes.items():
        if not re.fullmatch(r"(json|header|cookie)\..+|body", place) or not re.fullmatch(r"\w+", name):
            raise SetupError(f"take of {route}: {name} = {place!r} is none of {_SOURCES}")
    return Step(found[1], found[2], tuple(headers.items()), body, tuple(takes.items()))


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


async def prepared(client: Sends, steps: Sequence[Step], needs: Needs) -> Needs:
    """Carry out the steps, and put what they took into what the routes need, with the cookies that were set.

    Raises: SetupError.
    """
    values: dict[str, str] = {}
    cookies = Cookies()
    for step in steps:
        response = await _answer(client, step, values, cookies)
        for name, place in step.takes:
            values[name] = _taken(response, place, cookies, step)
    filled = _filling(values)
    headers = tuple((name, filled(value)) for name, value in needs.headers)
    parameters = {name: filled(value) for name, value in needs.parameters.items()}
    return replace(needs, headers=headers, query=filled(needs.query), parameters=parameters, cookies=cookies)


async def _answer(client: Sends, step: Step, values: Mapping[str, str], cookies: Cookies) -> Response:
    filled = _filling(values)
    target = filled(step.target)
    headers = [(name, filled(value)) for name, value in step.headers]
    if sent := cookies.field(target):
        headers.append(("Cookie", sent))
    body = filled(step.body).encode()
    try:
        response = await client.send(Request(step.method, target, tuple(headers), body))
    except (TimeoutError, AssertionError) as error:
        raise SetupError(f"{step.name} of the setup gets no answer: {error or 'it hangs'}") from error
    if not response.complete or response.status >= 400:
        said = str(response.status) if response.status else "nothing"
        raise SetupError(f"{step.name} of the setup is answered with {said}")
    cookies.take(response, target)
    return response


def _filling(values: Mapping[str, str]) -> Callable[[str], str]:
    """A function that puts the values into a text. It raises SetupError for a name without one."""

    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise SetupError(f"{place[0]} has no value: no request of the setup takes it")
        return values[place[1]]

    return lambda text: _PLACE.sub(value, text)


def _taken(response: Response, place: str, cookies: Cookies, step: Step) -> str:
    source, _, name = place.partition(".")
    try:
        if source == "json":
            return _text(_within(response.json(), name.split(".")))
        if source == "header":
            return str(response.headers[name])
        return response.text.strip() if source == "body" else cookies[name]
    except (LookupError, TypeError, ValueError) as error:
        raise SetupError(f"the answer to {step.name} of the setup has no {place}") from error


def _within(value: Any, names: Sequence[str]) -> Any:
    for name in names:
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("neither a text nor a number")
    return str(value)
