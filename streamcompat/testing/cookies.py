"""The cookies that a client keeps between its requests.

The rule: as a browser with one site (RFC 6265 §5): a cookie is sent to the paths for which it was set, the
longest path first, until it expires. All hosts of an app share them, and Secure is no hindrance, because
nothing here leaves the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from streamcompat.testing.response import Response


class Cookies:
    """What the answers have set so far, and what the user gave.

    Args:
        given: values by name, for every path.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._values: dict[tuple[str, str], str] = {
            (name, "/"): value for name, value in (given or {}).items()
        }

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, name: str) -> str:
        """The value of this name, with the longest path if there are several. Raises KeyError."""
        found = [(len(path), value) for (one, path), value in self._values.items() if one == name]
        if not found:
            raise KeyError(name)
        return max(found)[1]

    def __setitem__(self, name: str, value: str) -> None:
        self._values[name, "/"] = value

    def take(self, response: Response, target: str) -> None:
        """Keep what the response to a request for this target sets."""
        for line in response.headers.getall("set-cookie", []):
            pair, *attributes = line.split(";")
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                continue
            given = {
                key.strip().lower(): text.strip()
                for key, _, text in (one.partition("=") for one in attributes)
            }
            path = given.get("path", "")
            key = (name, path if path.startswith("/") else _folder(target))
            if _expired(given):
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def field(self, target: str) -> str:
        """The value of the Cookie field of a request for this target; empty for none."""
        path = _path(target)
        sent = [
            (where, f"{name}={value}")
            for (name, where), value in self._values.items()
            if _within(path, where)
        ]
        return "; ".join(text for _, text in sorted(sent, key=lambda one: -len(one[0])))


def _path(target: str) -> str:
    return target.partition("?")[0]


def _folder(target: str) -> str:
    """The default path (RFC 6265 §5.1.4)."""
    return _path(target).rpartition("/")[0] or "/"


def _within(path: str, where: str) -> bool:
    return path == where or path.startswith(where if where.endswith("/") else f"{where}/")


def _expired(given: Mapping[str, str]) -> bool:
    if "max-age" in given:  # takes precedence over Expires (RFC 6265 §4.1.2.2)
        age = given["max-age"]
        return age.startswith("-") or not age.strip("0")
    try:
        until = parsedate_to_datetime(given.get("expires", ""))
    except ValueError:
        return False
    return until.replace(tzinfo=until.tzinfo or UTC) <= datetime.now(UTC)
