"""Decides what is ported, for all files together.

The rule: the result runs. A handler that reads its request's body is ported only together with its app;
functions that share a body or a response are ported together; and if one such handler must stay, its app
stays too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from streamcompat.porting.model import FILE, FileFacts, Finding, Handed, Kind, Unit


class Modules:
    """Finds the file that a dotted name refers to."""

    def __init__(self, files: Mapping[str, FileFacts]) -> None:
        self._files = files
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._parts = {path: PurePath(path).parts for path in files}
        self._resolved: dict[tuple[str, str], tuple[str, str] | None] = {}
        for path in files:
            parts = list(PurePath(path).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            for at in range(len(parts)):
                self._by_name[".".join(parts[at:])].append(path)

    def resolve(self, path: str, symbol: str) -> tuple[str, str] | None:
        """The file that defines a name imported by `path`, and the name in it (`""` for the module)."""
        key = (path, symbol)
        if key not in self._resolved:
            self._resolved[key] = None  # ends the recursion of circular imports
            self._resolved[key] = self._resolve(path, symbol)
        return self._resolved[key]

    def _resolve(self, path: str, symbol: str) -> tuple[str, str] | None:
        dots = len(symbol) - len(symbol.lstrip("."))
        parts = symbol[dots:].split(".") if symbol[dots:] else []
        base = PurePath(path).parents[dots - 1].parts if 0 < dots <= len(PurePath(path).parents) else None
        if dots and base is None:
            return None
        for at in range(len(parts), -1, -1):
            found = self._module(path, base, parts[:at])
            if found is None:
                continue
            rest = ".".join(parts[at:])
            bound = self._files[found].bindings.get(parts[at]) if rest else None
            if bound is not None and parts[at] not in self._files[found].defines and found != path:
                further = self.resolve(found, ".".join([bound, *parts[at + 1 :]]))
                return further or (found, rest)
            return found, rest
        return None

    def _module(self, path: str, base: tuple[str, ...] | None, parts: list[str]) -> str | None:
        if base is not None:
            whole = PurePath(*base, *parts)
            for candidate in (f"{whole}.py", str(whole / "__init__.py")):
                if candidate in self._files and candidate != path:
                    return candidate
            return None
        candidates = [one for one in self._by_name.get(".".join(parts), []) if one != path] if parts else []
        # The nearest file: the one whose path shares the most leading folders.
        return max(candidates, key=lambda one: self._shared(one, path), default=None)

    def _shared(self, one: str, other: str) -> int:
        return _common(self._parts[one], self._parts[other])


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count


@dataclass(slots=True)
class Decisions:
    """What is ported.

    Attributes:
        stays: references of the units that are not ported.
        files: for each file, whether its code outside of all units is ported.
        findings: the messages of the report, by file.
    """

    stays: set[str] = field(default_factory=set)
    files: dict[str, bool] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: {"ported": 0, "left alone": 0, "unknown": 0})

    def ported(self, path: str, owner: str) -> bool:
        if owner == FILE:
            return self.files[path]
        return refer(path, owner) not in self.stays


def refer(path: str, key: str) -> str:
    """A reference that is unique across all files."""
    return key if "::" in key else f"{path}::{key}"


class Linker:
    """Connects the facts of all files and makes the decisions.

    Args:
        pins: files that stay as they are, each with the place of what keeps it.
    """

    def __init__(self, files: Mapping[str, FileFacts], pins: Mapping[str, str] | None = None) -> None:
        self.files = files
        self.modules: Modules = Modules(files)
        self.units: dict[str, tuple[str, Unit]] = {
            refer(path, key): (path, unit)
            for path, facts in files.items()
            for key, unit in facts.units.items()
        }
        self._users = self._find_users()
        self._near: dict[str, set[str]] = defaultdict(set)
        self._on: dict[str, set[str]] = defaultdict(set)
        self._used: dict[str, set[str]] = defaultdict(set)
        self._titles: dict[str, dict[str, str]] = {}
        self._edges()
        self._drop_neutral()
        self._group = self._groups()
        self._objects = self._find_objects()
        self.decisions: Decisions = Decisions()
        self._causes: dict[str, tuple[Kind, str]] = {}
        self._decide(pins or {})

    def _edges(self) -> None:
        for reference, (path, unit) in self.units.items():
            for other in unit.near:
                self._join(reference, refer(path, other))
            self._on[reference] |= {refer(path, one) for one in unit.on} & self.units.keys()
            for user in unit.users:
                self._used[refer(path, user)].add(reference)
        for path, facts in self.files.items():
            for handed in facts.handed:
                target = self.target(path, handed)
                if target is not None and handed.role == "use":
                    self._used[refer(path, handed.by)].add(target)
                    continue
                if target is None or handed.by == FILE or handed.role in ("app", "blueprint", "view"):
                    continue
                if not handed.handler:
                    self._join(refer(path, handed.by), target)

    def _join(self, one: str, other: str) -> None:
        if one in self.units and other in self.units:
            self._near[one].add(other)
            self._near[other].add(one)

    def target(self, path: str, handed: Handed) -> str | None:
        """The unit that a value is passed to."""
        found = self.modules.resolve(path, handed.symbol)
        if found is None:
            return None
        if found[0] not in self._titles:
            units = self.files[found[0]].units
            self._titles[found[0]] = {unit.title: refer(found[0], key) for key, unit in units.items()}
        titles, name = self._titles[found[0]], found[1]
        while name:
            if name in titles:
                return titles[name]
            name = name.rpartition(".")[0]
        return None

    def _drop_neutral(self) -> None:
        """Drop the links of helpers that get a request but do not use its stream: they must not tie handlers
        together."""
        helpers = {
            reference
            for reference, (_, unit) in self.units.items()
            if unit.kind == "function" and not self._on[reference] and not unit.handlers
        }
        told = {refer(path, one.owner) for path, facts in self.files.items() for one in facts.findings}
        seen: set[str] = set()
        for start in helpers:
            if start in seen:
                continue
            found, stack = {start}, [start]
            while stack:
                for other in (self._near[stack.pop()] & helpers) - found:
                    found.add(other)
                    stack.append(other)
            seen |= found
            if not any(self.units[one][1].streams or one in told for one in found):
                for one in found:
                    for other in self._near.pop(one, set()):
                        self._near[other].discard(one)

    def _groups(self) -> dict[str, frozenset[str]]:
        """For each unit, all units that must be ported together with it, including itself."""
        groups: dict[str, frozenset[str]] = {}
        for start in self.units:
            if start in groups:
                continue
            found, stack = {start}, [start]
            while stack:
                for other in self._near[stack.pop()] - found:
                    found.add(other)
                    stack.append(other)
            whole = frozenset(found)
            groups.update((one, whole) for one in whole)
        return groups

    def _reads(self, reference: str) -> bool:
        return any(self.units[one][1].reads for one in self._group[reference])

    # ---- deciding ----

    def _decide(self, pins: Mapping[str, str]) -> None:
        stays, causes = self.decisions.stays, self._causes
        everywhere: dict[str, str] = dict(pins)
        for path, facts in self.files.items():
            for finding in facts.findings:
                if finding.kind == "note":
                    continue
                where = f"{path}:{finding.line}"
                if finding.everywhere:
                    everywhere |= dict.fromkeys(self.connected(path), where)
                for reference in [refer(path, finding.owner)] if finding.owner else []:
                    stays.add(reference)
                    causes.setdefault(reference, (finding.kind, where))
        self._registered_bases()
        reached = self._reached(set())
        for reference, (path, unit) in self.units.items():
            if path in everywhere:
                stays.add(reference)
                causes.setdefault(reference, ("unknown" if path in pins else "left", everywhere[path]))
            elif unit.streams and unit.kind == "function" and not self._is_for_an_app(reference, reached):
                stays.add(reference)
                if causes.setdefault(reference, ("unknown", ""))[1]:
                    continue  # the report already says so
                causes[reference] = ("unknown", f"{path}:{unit.line}")
                handed = f"registers `{unit.title}` or passes a request to it"
                used = handed if self._reads(reference) else f"registers or uses `{unit.title}`"
                self._say(
                    reference,
                    "unknown",
                    f"no given file {used}",
                    "port it together with the file that makes the app",
                )
        for reference in sorted(self.decisions.stays & self.units.keys()):
            path, unit = self.units[reference]
            # An unknown caller may pass it requests of an app of this file.
            if unit.reads and not self._has_app(reference):
                where = causes.get(reference, ("unknown", f"{path}:{unit.line}"))[1]
                for one in self._objects[path] & self.units.keys():
                    stays.add(one)
                    causes.setdefault(one, ("left", where))
        self._spread()
        self._users_stay()
        self._files()
        self._explain()
        self._count()

    def _registered_bases(self) -> None:
        """Keep handlers for Sanic's own exceptions: a handler for `Mach9Exception` would not catch those."""
        kept = any(
            use.keep and ".exceptions." in f".{use.qualified}."
            for facts in self.files.values()
            for use in facts.uses
        )
        for path, facts in self.files.items():
            for use in facts.uses:
                base = use.qualified.endswith("exceptions.SanicException") and kept
                if use.role == "registered" and (base or use.qualified.endswith("MethodNotSupported")):
                    reference = refer(path, use.owner)
                    line = facts.source[: use.start].count(b"\n") + 1
                    self.decisions.stays.add(reference)
                    self._causes.setdefault(reference, ("left", f"{path}:{line}"))
                    name = use.qualified.rpartition(".")[2]
                    self.decisions.findings[path].append(
                        Finding(
                            line,
                            "left",
                            f"a handler for `{name}` would miss exceptions that a ported app raises",
                            "register it for the exceptions that the app raises",
                            use.owner,
                        )
                    )

    def _has_app(self, reference: str) -> bool:
        return any(self._on[one] for one in self._group[reference])

    def _is_for_an_app(self, reference: str, reached: set[str]) -> bool:
        """Whether the unit belongs to a handler, or makes responses for one. A unit that reads a body must be
        linked to a handler by its request."""
        return self._has_app(reference) or (reference in reached and not self._reads(reference))

    def _reached(self, without: set[str]) -> set[str]:
        """All units that handlers and files with apps use, except handlers and apps in `without`."""
        stack = [one for one, objects in self._on.items() if objects and one not in without]
        stack += [refer(path, FILE) for path in self.files if self._objects[path] - without]
        found = set(stack)
        while stack:
            one = stack.pop()
            for other in (self._group.get(one, frozenset()) | self._used[one]) & self.units.keys() - found:
                found.add(other)
                stack.append(other)
        return found

    def _users_stay(self) -> None:
        """Keep units that make responses only for handlers that stay."""
        for reference in self._reached(set()) - self._reached(self.decisions.stays) - self.decisions.stays:
            if reference in self.units and self.units[reference][1].kind == "function":
                self.decisions.stays.add(reference)
                self._causes.setdefault(reference, ("left", ""))

    def _spread(self) -> None:
        """Extend the units that stay to all units that must stay with them."""
        handlers: dict[str, set[str]] = defaultdict(set)
        for reference, objects in self._on.items():
            for one in objects:
                handlers[one].add(reference)
        stack = sorted(self.decisions.stays)  # a fixed order, because the report names the causes
        while stack:
            reference = stack.pop()
            if reference not in self.units:
                continue
            along = set(self._near[reference])
            if self.units[reference][1].kind != "function":
                along |= handlers[reference]
            elif self._reads(reference):
                along |= self._on[reference]
            for other in sorted(along - self.decisions.stays):
                self.decisions.stays.add(other)
                self._causes.setdefault(other, ("left", self._causes[reference][1]))
                stack.append(other)

    def _find_users(self) -> dict[str, set[str]]:
        """The files that import a file."""
        users: dict[str, set[str]] = defaultdict(set)
        for path, facts in self.files.items():
            for symbol in facts.imports:
                found = self.modules.resolve(path, symbol)
                if found is not None and found[0] != path:
                    users[found[0]].add(path)
        return users

    def connected(self, path: str) -> set[str]:
        """All files that are connected with a file by imports, directly or indirectly; with one that imports
        modules by names that cannot be seen, every file is."""
        beside: dict[str, set[str]] = defaultdict(set)
        for used, users in self._users.items():
            for user in users:
                beside[used].add(user)
                beside[user].add(used)
        for one, facts in self.files.items():
            if facts.dynamic:
                for other in self.files:
                    beside[one].add(other)
                    beside[other].add(one)
        found, stack = {path}, [path]
        while stack:
            for other in beside[stack.pop()] - found:
                found.add(other)
                stack.append(other)
        return found

    def _files(self) -> None:
        for path in self.files:
            objects = self._objects[path]
            self.decisions.files[path] = bool(objects) and not objects & self.decisions.stays
        for reference, (path, _) in self.units.items():
            group = [self.units[one][1] for one in self._group[reference]]
            # Units that neither stream nor are registered follow their file.
            if any(one.streams or one.on or one.kind != "function" for one in group):
                continue
            if not self.decisions.files[path]:
                self.decisions.stays |= self._group[reference]

    def _find_objects(self) -> dict[str, set[str]]:
        """The apps that each file belongs to: its own apps, or else those of the files that import it."""
        found: dict[str, set[str]] = {path: set() for path in self.files}
        for reference, (path, unit) in self.units.items():
            if unit.kind != "function":
                found[path].add(reference)
            found[path] |= self._on[reference]
        uses: dict[str, set[str]] = defaultdict(set)
        for used, users in self._users.items():
            for user in users:
                uses[user].add(used)
        own = {path for path, objects in found.items() if objects}
        for path in own:
            seen, stack = {path}, [path]
            while stack:
                for used in uses[stack.pop()] - own - seen:
                    found[used] |= found[path]
                    seen.add(used)
                    stack.append(used)
        return found

    # ---- reporting ----

    def _say(self, reference: str, kind: Kind, reason: str, remedy: str) -> None:
        path, unit = self.units[reference]
        self.decisions.findings[path].append(Finding(unit.line, kind, reason, remedy, unit.key))

    def _explain(self) -> None:
        for path, facts in self.files.items():
            findings = self.decisions.findings[path]
            findings.extend(
                one for one in facts.findings if one.kind != "note" or self.decisions.ported(path, one.owner)
            )
        for reference in sorted(self.decisions.stays & self.units.keys()):
            path, unit = self.units[reference]
            told = any(one.owner == unit.key and one.kind != "note" for one in self.decisions.findings[path])
            if unit.handlers and not told:
                kind, where = self._causes.get(reference, ("left", f"{path}:{unit.line}"))
                place = f" at {where}" if where else ""
                self._say(
                    reference,
                    "left",
                    f"`{unit.title}` shares an app or a function with code that stays{place}",
                    "port that code first",
                )
        self._told = {
            refer(path, one.owner)
            for path, findings in self.decisions.findings.items()
            for one in findings
            if one.kind != "note"
        }
        for findings in self.decisions.findings.values():
            findings.sort(key=lambda one: (one.line, one.kind, one.reason))

    def _count(self) -> None:
        counts = self.decisions.counts
        for reference, (_, unit) in self.units.items():
            kind = self._causes.get(reference, ("left", ""))[0]
            if reference not in self.decisions.stays:
                counts["ported"] += unit.handlers
                continue
            # An unregistered function counts only if the report has a finding for it.
            told = reference in self._told and unit.kind == "function" and not self._has_app(reference)
            name = "unknown" if kind == "unknown" else "left alone"
            counts[name] += max(unit.handlers, int(told))
