"""The mappings that handlers get: header fields, and parameters with several values.

The rule: each is a real `dict`, because handlers pass them to JSON encoders and to `**`; only the methods
that look up or write are overridden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_MISSING: Any = object()


class File(NamedTuple):
    """An uploaded file: its content type, its bytes, and the name that the client gave it."""

    type: str
    body: bytes
    name: str


class RequestParameters(dict[str, list[Any]]):
    """Parameters that may have several values: `get` gives the first, `getlist` all of them."""

    __slots__ = ()

    def get(self, name: str, default: Any = None) -> Any:
        """The first value, or `default`."""
        values = super().get(name)
        return values[0] if values else default

    def getlist(self, name: str, default: Any = None) -> Any:
        """Every value, as a list, or `default`."""
        return super().get(name, default)


class Headers(dict[str, Any]):
    """Header fields by case-insensitive name; a look-up gives the first value of a name.

    As a `dict` it holds each name once, spelled as it was first set. `getall` and `items` give repeated
    fields too.
    """

    __slots__ = ("_more", "_names")

    def __init__(self, given: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        # _names: from lower case to the spelling in use, only where they differ. _more: the further values
        # of repeated names, by lower case.
        self._names: dict[str, str] = {}
        self._more: dict[str, list[Any]] = {}
        if given:
            self.extend(given)

    @classmethod
    def from_wire(cls, fields: Sequence[tuple[bytes, bytes]]) -> Headers:
        """The fields of a request head, whose names are in lower case."""
        headers = cls()
        try:
            pairs = [(name.decode(), value.decode()) for name, value in fields]
        except UnicodeDecodeError:
            pairs = [(_text(name), _text(value)) for name, value in fields]
        dict.update(headers, pairs)
        if len(headers) != len(pairs):
            headers.clear()
            headers.extend(pairs)
        return headers

    def _spelling(self, name: str) -> str:
        lower = name.lower()
        return self._names.get(lower, lower)

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(self._spelling(name))

    def get(self, name: str, default: Any = None) -> Any:
        """The first value, or `default`."""
        return super().get(self._spelling(name), default)

    def getone(self, name: str, default: Any = _MISSING) -> Any:
        """The first value, or `default`; KeyError without one."""
        return self[name] if default is _MISSING else self.get(name, default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(self._spelling(name))

    def __setitem__(self, name: str, value: Any) -> None:
        lower = name.lower()
        spelling = self._names.get(lower, lower)
        if self._more:
            self._more.pop(lower, None)
        if not super().__contains__(spelling):
            spelling = name
            if name != lower:
                self._names[lower] = name
        super().__setitem__(spelling, value)

    def __delitem__(self, name: str) -> None:
        lower = name.lower()
        super().__delitem__(self._names.get(lower, lower))
        self._names.pop(lower, None)
        self._more.pop(lower, None)

    def add(self, name: str, value: Any) -> None:
        """Adds one more value to those of `name`."""
        if name in self:
            self._more.setdefault(name.lower(), []).append(value)
        else:
            self[name] = value

    def get_all(self, key: str) -> list[Any]:
        """As `getall`; an empty list for a name that has no value."""
        return self.getall(key, [])

    def getall(self, name: str, default: list[Any] = _MISSING) -> list[Any]:
        """Every value of `name`, in order; KeyError if it has none and no `default` is given."""
        if name not in self:
            if default is _MISSING:
                raise KeyError(name)
            return default
        return [self[name], *self._more.get(name.lower(), ())]

    getlist = getall

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        """Removes every value of `name` and returns the first."""
        if name not in self:
            if default is _MISSING:
                raise KeyError(name)
            return default
        value = self[name]
        del self[name]
        return value

    popone = pop

    def popall(self, name: str, default: list[Any] = _MISSING) -> list[Any]:
        """Removes every value of `name` and returns them all."""
        values = self.getall(name, default)
        if name in self:
            del self[name]
        return values

    def popitem(self) -> tuple[str, Any]:
        """Removes and returns the name that was set last, with its value."""
        name = next(reversed(self))
        return name, self.pop(name)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The first value; sets `default` if there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *given: Any, **named: Any) -> None:
        """Sets every name of `given`, a mapping or pairs, and drops the earlier values of these names."""
        for name, value in dict(*given, **named).items():
            self[name] = value

    def extend(self, given: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Adds every field of `given`, repeated names included."""
        for name, value in pairs(given):
            self.add(name, value)

    def clear(self) -> None:
        """Removes every field."""
        super().clear()
        self._names.clear()
        self._more.clear()

    def copy(self) -> Headers:
        """A copy that shares nothing but the values."""
        return type(self)(self)

    def items(self) -> Any:
        """Every field as (name, value), repeated ones included, as in the multidict that Sanic 0.8 had."""
        return list(self.multi_items()) if self._more else super().items()

    def multi_items(self) -> Iterator[tuple[str, Any]]:
        """As `items`, as an iterator."""
        for name, value in super().items():
            yield name, value
            if self._more:
                for further in self._more.get(name.lower(), ()):
                    yield name, further


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def pairs(given: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """Header fields in any form as (name, value), repeated ones included."""
    if isinstance(given, Headers):
        return given.multi_items()
    return given.items() if isinstance(given, (dict, Mapping)) else given
