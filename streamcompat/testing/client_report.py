"""A failure of a client, and its text for people.

The rule: the text shows the response, the bytes around the cut, both values, and a few lines of code that
reproduce the difference.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from streamcompat.testing.canned import CannedResponse, Delivery
from streamcompat.testing.counterexample import around

_WIDTH: Final = 200
"""Characters of a value that are shown."""
_BODY: Final = 600


@dataclass(frozen=True)
class Made:
    """What a client made of a response.

    Attributes:
        value: what it returned.
        error: what it raised, as `Type: message`; or that it hung.
    """

    value: Any
    error: str = ""

    @property
    def hangs(self) -> bool:
        """The client did not end."""
        return self.error.startswith("no end within")

    def same(self, other: Made) -> bool:
        """Whether both are the same, as far as a test can see: errors are equal whatever they say."""
        if self.error or other.error:
            return bool(self.error) and bool(other.error)
        try:
            return bool(self.value == other.value) or (
                self.value != self.value and other.value != other.value
            )
        except (TypeError, ValueError):  # such as arrays, which compare item by item
            return repr(self.value) == repr(other.value)


@dataclass(frozen=True)
class Failure:
    """A response of which the client makes something else.

    Attributes:
        response, delivery: what was served, and how.
        whole: what the client made of it uncut.
        cut: what it made of this delivery.
        short: for a lost response that is taken for a whole one, the bytes of content that had arrived.
    """

    response: CannedResponse
    delivery: Delivery
    whole: Made
    cut: Made
    short: int | None = None

    @property
    def what(self) -> str:
        """The broken invariant, in one line."""
        if self.delivery.lost_at is None:
            return "What the client makes of the response depends on where the network cuts it."
        if self.cut.hangs:
            return "The client hangs when the connection is lost."
        return "The client takes a response that was lost halfway for a whole one."

    @property
    def where(self) -> str:
        """The place of the cut, and how to mend what fails there."""
        if self.delivery.lost_at is not None:
            return "" if self.cut.hangs else _LOST.format(self.short, len(self.response.content()))
        if self.delivery.chunks is not None:
            places: tuple[int, ...] = self.delivery.chunks
        else:
            places = tuple(at - self.response.offset(0) for at in self.delivery.cuts)
        return place(self.response.content(), places[0]) if len(places) == 1 else ""

    def __str__(self) -> str:
        return self.text(self._program())

    def text(self, program: Sequence[str]) -> str:
        """The text for people, with these lines as what reproduces it."""
        values = shown(self.whole, self.cut)
        framed = self.response.framed(chunks=self.delivery.chunks)
        ends = self.delivery.cuts
        if self.delivery.chunks is not None:
            chunked = replace(self.response, chunks=self.delivery.chunks)
            ends = tuple(chunked.offset(at) for at in self.delivery.chunks)
        uncut = around(self.response.framed(), ())
        name = how(self.delivery)
        wide = max(len(name), 5) + 2
        lost = self.delivery.lost_at
        cut_bytes = around(framed, ends) if lost is None else f"{around(framed[:lost], ())} |".strip()
        lines = [
            self.what,
            "",
            f"  {_short(repr(self.response), _BODY)}",
            "",
            f"  {'uncut':<{wide}}{uncut}",
            f"  {'':<{wide}}{values[0]}",
            f"  {name:<{wide}}{cut_bytes}",
            f"  {'':<{wide}}{values[1]}",
        ]
        if self.where:
            lines += ["", textwrap.indent(textwrap.fill(self.where, 100), "  ")]
        return "\n".join([*lines, "", "To reproduce:", "", *program])

    def _program(self) -> list[str]:
        check = (
            "assert fetch(server.url) == whole"
            if self.delivery.lost_at is None
            else "print(fetch(server.url))  # must raise, or tell the loss"
        )
        return [
            "    from streamcompat.testing import CannedResponse, CutServer",
            "",
            f"    with CutServer({self.response!r}) as server:",
            "        whole = fetch(server.url)",
            f"        server.deliver({self.delivery.arguments()})",
            f"        {check}",
        ]


_LOST: Final = (
    "Only {} of {} bytes of the body had arrived when the connection ended. The framing says so "
    "(RFC 9112 §8), and nothing that the client returned does."
)


def how(delivery: Delivery) -> str:
    """A delivery in a few words."""
    if delivery.lost_at is not None:
        return f"lost at {delivery.lost_at}"
    ends = delivery.cuts if delivery.chunks is None else delivery.chunks
    what = "cut" if delivery.chunks is None else "chunks end"
    if len(ends) > 4:
        return f"{len(ends)} cuts" if delivery.chunks is None else f"{len(ends)} chunks"
    return f"{what} at {', '.join(map(str, ends))}" if ends else "uncut"


def place(content: bytes, at: int) -> str:
    """Where a cut is, and how to mend what fails there."""
    if not 0 < at < len(content):
        return "The cut is not inside the content, but before or after it, or in its framing."
    before, after = content[at - 1 : at], content[at : at + 1]
    if content[at] & 0xC0 == 0x80 and content[at - 1] >= 0x80:
        return (
            "The cut is inside a UTF-8 character, and half of one cannot be decoded. Use an incremental "
            "decoder: codecs.getincrementaldecoder('utf-8')(), or new TextDecoder() with {stream: true}."
        )
    if before == b"\r" and after == b"\n":
        return "The cut is inside CR LF: a line may end with CR in one piece and LF in the next one."
    if before in b"\r\n" and after in b"\r\n":
        return "The cut is inside the empty line that ends an event: look for it in what is collected."
    if before == b"\n":
        return "The cut is after the end of a line: an empty rest, or a piece per line, is taken for more."
    if before == b"\\":
        return (
            "The cut is inside an escape of a JSON string: parse what is collected, and no piece by itself."
        )
    if before.isalnum() and after.isalnum():
        return "The cut divides nothing special: a piece is taken for a whole line, event, value or body."
    return "The cut is inside a line or a value: collect pieces until it is complete."


def shown(one: Made, two: Made) -> tuple[str, str]:
    """Both as text, shortened to the part in which they differ."""
    texts = [made.error or repr(made.value) for made in (one, two)]
    begin = 0
    if not (one.error or two.error):
        begin = next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
    begin = max(begin - _WIDTH // 4, 0)
    parts = [(".." if begin else "") + _short(text[begin:], _WIDTH) for text in texts]
    return parts[0], parts[1]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}.. ({len(text)} characters)"
