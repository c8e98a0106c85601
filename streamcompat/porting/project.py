"""Ports a set of files: analyses each, passes facts between them, decides, and produces the new text.

The rule: a file whose new text would not compile is left unchanged, together with everything linked to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from streamcompat.porting.analysis import analyse
from streamcompat.porting.audit.check import unexplained
from streamcompat.porting.edits import apply
from streamcompat.porting.imports import ImportEdits
from streamcompat.porting.link import Decisions, Linker, Modules, refer
from streamcompat.porting.model import FileFacts, Finding, Handed, Seeds
from streamcompat.porting.outline import is_of_interest
from streamcompat.porting.source import decode, encode, fault
from streamcompat.porting.to_sanic.decide import decide

Analysis = tuple[str, bytes, Seeds]
Run = Callable[[Iterable[Analysis]], Iterable[FileFacts]]

_ROUNDS = 8
_REMEDY = "write it so that its use can be seen where it is made, or port the app by hand"


@dataclass(frozen=True, slots=True)
class Ported:
    """The result for one file.

    Attributes:
        before, after: its bytes; the same if nothing is ported.
        findings: the messages of the report, sorted by line.
        error: line and reason if the file cannot be parsed.
        concerned: it has to do with Sanic, so that an error in it matters.
    """

    path: str
    before: bytes
    after: bytes
    findings: tuple[Finding, ...] = ()
    error: tuple[int, str] | None = None
    concerned: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The result for all files.

    Attributes:
        counts: the number of handlers that are `ported`, `left alone` and `unknown`.
    """

    files: tuple[Ported, ...]
    counts: Mapping[str, int]


def analyse_one(work: Analysis) -> FileFacts:
    """`analyse`, for a pool of processes."""
    return analyse(*work)


def port(
    sources: Mapping[str, bytes], run: Run | None = None, sanic: bool = False, to: str = "mach9"
) -> Result:
    """Port Sanic's files to Mach9, or to today's Sanic.

    Args:
        sources: the bytes of each file by its path; the path determines its module name.
        run: a `map` of `analyse_one` that keeps the order; it may use several processes.
        sanic: treat every `request` as Sanic's, even in files that do not import Sanic.
        to: `mach9`, or `sanic` for today's Sanic.
    """
    run = run or (lambda work: map(analyse_one, work))
    first = Seeds(sanic=sanic, to=to)
    facts = {one.path: one for one in run([(path, data, first) for path, data in sources.items()])}
    seeds = dict.fromkeys(facts, first)
    for _ in range(_ROUNDS):
        wanted = _seeds(facts, first)
        changed = [
            path
            for path in facts
            if wanted[path] != seeds[path] and is_of_interest(sources[path], wanted[path])
        ]
        if not changed:
            break
        for one in run([(path, sources[path], wanted[path]) for path in changed]):
            facts[one.path] = one
            seeds[one.path] = wanted[one.path]
    _forget_others(facts, seeds)
    return _apply_to_sanic(facts, seeds) if to == "sanic" else _apply(facts, seeds)


def _forget_others(files: Mapping[str, FileFacts], seeds: Mapping[str, Seeds]) -> None:
    """Say nothing of files without Sanic that no file with it is connected with."""
    with_sanic = {path for path, one in files.items() if is_of_interest(one.source, seeds[path])}
    told = [path for path, one in files.items() if one.findings and path not in with_sanic]
    linker = Linker(files) if told else None
    for path in told:
        if linker is not None and with_sanic.isdisjoint(linker.connected(path)):
            files[path].findings.clear()


def _seeds(files: Mapping[str, FileFacts], first: Seeds) -> dict[str, Seeds]:
    """What the analysis of each file needs to know of the other files."""
    linker = Linker(files)
    handed: dict[str, set[Handed]] = defaultdict(set)
    objects: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    known: dict[str, set[str]] = defaultdict(set)
    for path, facts in files.items():
        for symbol in facts.imports:
            found = linker.modules.resolve(path, symbol)
            if found is None or found[0] == path:
                continue
            other = files[found[0]]
            if found[1] in other.defines:
                known[path].add(symbol)
            for name, suffix in ((found[1], ""), (f"{found[1]}()", "()")):
                if name in other.exports:
                    reference, kind = other.exports[name]
                    objects[path].add((symbol + suffix, refer(found[0], reference), kind))
        for one in facts.handed:
            if one.role == "use":
                continue  # only the linker needs it
            found = linker.modules.resolve(path, one.symbol)
            if found is not None and found[0] != path:
                reference = refer(path, one.reference) if one.reference else ""
                handed[found[0]].add(one._replace(symbol=found[1], reference=reference, by=""))
    return {
        path: replace(
            first,
            objects=frozenset(objects[path]),
            handed=frozenset(handed[path]),
            known=frozenset(known[path]),
        )
        for path in files
    }


def _apply_to_sanic(files: Mapping[str, FileFacts], seeds: Mapping[str, Seeds]) -> Result:
    decided = decide(files)
    ported = tuple(
        Ported(
            path,
            facts.source,
            decided.texts[path],
            tuple(decided.findings[path]),
            facts.error,
            is_of_interest(facts.source, seeds[path]),
        )
        for path, facts in files.items()
    )
    return Result(ported, decided.counts)


def _apply(files: Mapping[str, FileFacts], seeds: Mapping[str, Seeds]) -> Result:
    pins: dict[str, str] = {}
    taken = _taken(files)
    told: list[tuple[str, Finding]] = []
    while True:
        linker = Linker(files, pins)
        decisions = linker.decisions
        root = _root(files)
        texts = {path: _text(facts, decisions, root, taken[path]) for path, facts in files.items()}
        found = [*_broken(files, texts), *_audited(files, texts, linker)]
        fresh = {path: (where, told) for path, where, told in found if path not in pins}
        if not fresh:
            break
        for path, (where, finding) in fresh.items():
            told.append((path, finding))
            pins |= {one: where for one in linker.connected(path) if one not in pins}
    for path, finding in told:
        decisions.findings[path].append(finding)
        decisions.findings[path].sort(key=lambda one: (one.line, one.kind, one.reason))
    return Result(
        tuple(
            Ported(
                path,
                facts.source,
                facts.source if path in pins else texts[path],
                tuple(decisions.findings[path]),
                facts.error,
                is_of_interest(facts.source, seeds[path]),
            )
            for path, facts in files.items()
        ),
        decisions.counts,
    )


_Found = Iterator[tuple[str, str, Finding]]
"""What pins a file: its path, the place for the report, and the finding."""


def _broken(files: Mapping[str, FileFacts], texts: Mapping[str, bytes]) -> _Found:
    """Files that would not compile."""
    remedy = "port it by hand, and report this to the maintainers of streamcompat"
    for path, after in texts.items():
        if after != files[path].source and (wrong := fault(after)) is not None:
            yield (
                path,
                f"{path}:1",
                Finding(1, "unknown", f"the ported file did not compile ({wrong[1]})", remedy, ""),
            )


def _audited(files: Mapping[str, FileFacts], texts: Mapping[str, bytes], linker: Linker) -> _Found:
    """What the check after the edit cannot explain, for each set of connected files that changed."""
    seen: set[str] = set()
    for path, facts in files.items():
        if path in seen or texts[path] == facts.source:
            continue
        group = linker.connected(path)
        seen |= group
        known = [
            one for one in sorted(group) if fault(files[one].source) is None and fault(texts[one]) is None
        ]
        before = {one: decode(files[one].source)[0] for one in known}
        after = {one: decode(texts[one])[0] for one in known}
        for one in unexplained(before, after, linker.modules.resolve):
            reason = f"{one.reason}; so its app stays as it was"
            yield one.path, f"{one.path}:{one.line}", Finding(one.line, "unknown", reason, _REMEDY, "")


def _root(files: Mapping[str, FileFacts]) -> str:
    """The name of Mach9's package that fits the imports of most files."""
    named = [
        one.qualified.startswith("streamcompat.")
        for facts in files.values()
        for statement in facts.sanic_imports
        for one in statement.names
    ]
    return "streamcompat.mach9_api" if sum(named) * 2 > len(named) else "mach9"


def _taken(files: Mapping[str, FileFacts]) -> Mapping[str, frozenset[str]]:
    """The names that other files take from each file; `*` for all of them."""
    modules = Modules(files)
    found: dict[str, set[str]] = defaultdict(set)
    for path, facts in files.items():
        for symbol in facts.imports:
            origin = modules.resolve(path, symbol)
            if origin is not None and origin[0] != path and origin[1]:
                found[origin[0]].add(origin[1].partition(".")[0])
    return defaultdict(frozenset, {path: frozenset(names) for path, names in found.items()})


def _text(facts: FileFacts, decisions: Decisions, root: str, taken: frozenset[str] = frozenset()) -> bytes:
    if facts.error is not None:
        return facts.source

    def decide(owner: str) -> bool:
        return decisions.ported(facts.path, owner)

    edits = [edit for edit in facts.edits if decide(edit.owner)]
    edits += ImportEdits(facts, decide, root, taken).edits
    if not edits:
        return facts.source
    text, encoding = decode(facts.source)
    return encode(apply(text.encode(), edits).decode(), encoding, facts.source)
