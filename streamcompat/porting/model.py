"""What is known of one file: plain values, which travel between processes.

The rule: a fact never holds a node of a syntax tree. An edit names the unit that it belongs to (a handler,
an app, or the file itself), and is applied when that unit is ported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Kind = Literal["left", "unknown", "note"]
ObjectKind = Literal["app", "blueprint", "view"]
"""Left alone for a reason that was seen; unknown because it cannot be seen; only worth saying."""

FILE = ""
"""The owner of what belongs to no handler and no app."""


class Edit(NamedTuple):
    """Bytes of the source, `start` to `end`, that become `text` when `owner` is ported.

    Attributes:
        order: among insertions at one place.
    """

    start: int
    end: int
    text: str
    owner: str
    order: int = 0


class Finding(NamedTuple):
    """Something to tell.

    Attributes:
        line: in the file, from 1.
        owner: what stays as it is because of this; a note leaves nothing.
        everywhere: all apps of the file stay, and of those that it imports or that import it.
    """

    line: int
    kind: Kind
    reason: str
    remedy: str
    owner: str
    everywhere: bool = False


class Use(NamedTuple):
    """A name of Sanic's, where it is used: the bytes of `response.stream`, say.

    Attributes:
        qualified: what it was imported as, such as `sanic.response.stream`.
        binding: the name in the file that the import bound.
        keep: it stays Sanic's wherever it is used, as Mach9 has none that does the same here.
        role: `"registered"` for a class in `@app.exception(...)`; `"replaced"` where an edit names another.
    """

    start: int
    end: int
    qualified: str
    binding: str
    owner: str
    keep: bool = False
    role: str = ""


class ImportedName(NamedTuple):
    """One name of an import statement: `stream as s` of `sanic.response` binds `s`.

    Attributes:
        start, end: the bytes of the name itself, without its alias.
    """

    qualified: str
    binding: str
    alias: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ImportStatement:
    """An import of Sanic's names.

    Attributes:
        start, end: its bytes, without what follows on its line.
        module: of a `from` import, with its bytes; None of a plain one.
        joint: what separates it from a further import: a line break and the line's indentation.
    """

    start: int
    end: int
    module: str | None
    module_start: int
    module_end: int
    names: tuple[ImportedName, ...]
    joint: str


@dataclass(slots=True)
class Unit:
    """What is ported or left as a whole: a handler, a helper function, a view class; an app, a blueprint.

    Attributes:
        key: unique in the file.
        on: the apps and blueprints that it is registered on, as references.
        near: other units that share a request's body or a response with it, as references.
        users: other units that use it by its name, as references.
        reads: it reads a request's body in the flavour's words.
        handlers: how many handlers it counts for.
        streams: it has something of the streaming API, so that somebody must know who calls it.
    """

    key: str
    title: str
    line: int
    kind: Literal["function"] | ObjectKind = "function"
    on: set[str] = field(default_factory=set)
    near: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    reads: bool = False
    streams: bool = False
    handlers: int = 0


class Handed(NamedTuple):
    """A value with a role that goes to a function of another file.

    Attributes:
        symbol: the function, as the file imports it.
        parameter: its position or its name; -1 for what the file exports under the symbol.
        role: `request`, `stream`, `response`; `app`, `blueprint` or `view` with the object's reference;
            `base` for the class that another one is derived from, and for a handler's decorator; `use`
            for what is only used by its name.
        handler: the function is registered as a handler, on `reference`.
        by: the unit that hands it over.
    """

    symbol: str
    parameter: int | str
    role: str
    reference: str = ""
    handler: bool = False
    by: str = FILE


@dataclass(frozen=True, slots=True)
class Seeds:
    """What other files say of this one.

    Attributes:
        objects: symbols that this file imports and that are apps or blueprints: reference and kind.
        handed: to functions of this file, by their qualified name.
        known: symbols that this file imports and that are functions or classes of files that were given.
        sanic: the file is for Sanic even where it imports nothing of it.
    """

    objects: frozenset[tuple[str, str, str]] = frozenset()
    handed: frozenset[Handed] = frozenset()
    known: frozenset[str] = frozenset()
    sanic: bool = False


@dataclass(slots=True)
class FileFacts:
    """All that one file says.

    Attributes:
        imports: modules that it imports, each as it is written, for finding out who uses whom.
        bindings: what the names that it imports are.
        exports: its own apps and blueprints by name: reference and kind.
        defines: its functions and classes.
        names: every name that occurs, so that a new one can be chosen.
        helpers: names of `streamcompat.ported` and others that the edits use, by their owner.
        insert_at: where a new import may go.
        error: line and reason, where the file cannot be parsed.
    """

    path: str
    source: bytes
    units: dict[str, Unit] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    sanic_imports: list[ImportStatement] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    bindings: dict[str, str] = field(default_factory=dict)
    exports: dict[str, tuple[str, str]] = field(default_factory=dict)
    defines: set[str] = field(default_factory=set)
    handed: set[Handed] = field(default_factory=set)
    names: frozenset[str] = frozenset()
    helpers: set[tuple[str, str]] = field(default_factory=set)
    insert_at: int = 0
    newline: str = "\n"
    error: tuple[int, str] | None = None
