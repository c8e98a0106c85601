"""The facts about one file: plain values that can be sent between processes.

The rule: a fact never holds a node of a syntax tree. An edit names the unit that it belongs to (a handler,
an app, or the file itself), and is applied only if that unit is ported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Kind = Literal["left", "unknown", "note"]
ObjectKind = Literal["app", "blueprint", "view"]
"""Left alone for a reason that was seen; unknown because it cannot be seen; only worth saying."""

FILE = ""
"""The owner of code that belongs to no handler and no app."""


class Edit(NamedTuple):
    """Replaces the bytes `start` to `end` of the source with `text` if `owner` is ported.

    Attributes:
        order: the order of insertions at the same offset.
    """

    start: int
    end: int
    text: str
    owner: str
    order: int = 0


class Finding(NamedTuple):
    """A message of the report.

    Attributes:
        line: the line in the file, from 1.
        owner: the unit that stays unported because of this; for a note, nothing stays.
        everywhere: all apps stay, in this file and in all files connected with it by imports.
    """

    line: int
    kind: Kind
    reason: str
    remedy: str
    owner: str
    everywhere: bool = False


class Use(NamedTuple):
    """One use of a name of Sanic's: for example, the bytes of `response.stream`.

    Attributes:
        qualified: the imported name in full, such as `sanic.response.stream`.
        binding: the name in the file that the import bound.
        keep: the use keeps Sanic's name, because Mach9 has none that does the same here.
        role: `"registered"` for a class in `@app.exception(...)`; `"replaced"` if an edit uses another name.
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
    """A statement that imports names of Sanic's.

    Attributes:
        start, end: the bytes of the statement, without the rest of its line.
        module: the module of a `from` import, at `module_start` to `module_end`; None for a plain import.
        joint: the separator before another import: a line break and the line's indentation.
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
    """Code that is ported or left alone as a whole: a handler, a helper function, a view class, an app or a
    blueprint.

    Attributes:
        key: unique in the file.
        on: references of the apps and blueprints that it is registered on.
        near: references of other units that share a request's body or a response with it.
        users: references of other units that use it by its name.
        reads: it reads a request's body with the flavour's API.
        handlers: how many handlers it counts for.
        streams: it uses the streaming API, so that it can be ported only if its callers are known.
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
    """A value with a role that is passed to a function of another file.

    Attributes:
        symbol: the function, as the file imports it.
        parameter: its position or its name; -1 if the function is passed to `stream(...)`.
        role: `request`, `stream`, `response`; `app`, `blueprint` or `view` with the object's reference;
            `base` for a base class and for a handler's decorator; `use` if the function is only named.
        handler: the function is registered as a handler on `reference`.
        by: the unit that passes the value.
    """

    symbol: str
    parameter: int | str
    role: str
    reference: str = ""
    handler: bool = False
    by: str = FILE


@dataclass(frozen=True, slots=True)
class Seeds:
    """What the other files imply for this one.

    Attributes:
        objects: imported symbols that are apps or blueprints, with reference and kind.
        handed: values that are passed to functions of this file; the symbols are qualified names in it.
        known: imported symbols that are functions or classes of other given files.
        sanic: the file is for Sanic even if it imports nothing from it.
        to: what is ported to, `mach9` or `sanic`.
    """

    objects: frozenset[tuple[str, str, str]] = frozenset()
    handed: frozenset[Handed] = frozenset()
    known: frozenset[str] = frozenset()
    sanic: bool = False
    to: str = "mach9"


@dataclass(slots=True)
class FileFacts:
    """All facts about one file.

    Attributes:
        imports: the modules and names that it imports, as written, to find out which file uses which.
        bindings: the full name behind each imported name.
        public: the names in its `__all__`.
        exports: its own apps and blueprints by name, with reference and kind.
        defines: the qualified names of its functions and classes.
        names: every name that occurs, so that a new one can be chosen.
        own_statuses: statuses for which `add_status_code` registers a class, None for one that is not told,
            each with the name of the class, None where it cannot be raised by a name.
        aborts: the status of each `abort` that becomes a `raise`, None if it is not told, with its line.
        helpers: names of `streamcompat.ported` and others that the edits use, with the owner of the edit.
        insert_at: the offset for a new import.
        dynamic: it imports modules whose names cannot be seen, so that it may use any other file.
        takes: the qualified names of its functions that are given a request, a stream or a response.
        gives_other: imported symbols that are used without any of these, each with its line.
        routes: the references of apps and blueprints, with the name and the line of each route on them.
        responds: a handler of it was ported to `request.respond(...)`.
        replaces: the lines of its response middleware that may give another response.
        cookies: the name of each cookie that it sets or deletes (empty if it cannot be told), its line, and
            whether middleware does it.
        error: line and reason if the file cannot be parsed.
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
    public: set[str] = field(default_factory=set)
    exports: dict[str, tuple[str, str]] = field(default_factory=dict)
    defines: set[str] = field(default_factory=set)
    handed: set[Handed] = field(default_factory=set)
    names: frozenset[str] = frozenset()
    helpers: set[tuple[str, str]] = field(default_factory=set)
    own_statuses: dict[object, str | None] = field(default_factory=dict)
    aborts: set[tuple[object, int]] = field(default_factory=set)
    insert_at: int = 0
    newline: str = "\n"
    dynamic: bool = False
    takes: set[str] = field(default_factory=set)
    gives_other: set[tuple[str, int]] = field(default_factory=set)
    routes: set[tuple[str, str, int]] = field(default_factory=set)
    responds: bool = False
    replaces: set[int] = field(default_factory=set)
    cookies: set[tuple[str, int, bool]] = field(default_factory=set)
    error: tuple[int, str] | None = None
