"""Ports a set of files: analyses each, passes facts between them, decides, and produces the new text.

The rule: a file whose new text would not compile is left unchanged, together with everything linked to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streamcompat.porting.analysis import analyse
from streamcompat.porting.imports import ImportEdits
from streamcompat.porting.link import Decisions, Linker, refer
from streamcompat.porting.model import Edit, FileFacts, Finding, Handed, Seeds
from streamcompat.porting.outline import is_of_interest
from streamcompat.porting.source import decode, encode, fault

Analysis = tuple[str, bytes, Seeds]
Run = Callable[[Iterable[Analysis]], Iterable[FileFacts]]

_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Ported:
    """The result for one file.

    Attributes:
        before, after: its bytes; the same if nothing is ported.
        findings: the messages of the report, sorted by line.
        error: line and reason if the file cannot be parsed.
    """

    path: str
    before: bytes
    after: bytes
    findings: tuple[Finding, ...] = ()
    error: tuple[int, str] | None = None


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


def port(sources: Mapping[str, bytes], run: Run | None = None, sanic: bool = False) -> Result:
    """Port Sanic's files to Mach9.

    Args:
        sources: the bytes of each file by its path; the path determines its module name.
        run: a `map` of `analyse_one` that keeps the order; it may use several processes.
        sanic: treat every `request` as Sanic's, even in files that do not import Sanic.
    """
    run = run or (lambda work: map(analyse_one, work))
    first = Seeds(sanic=sanic)
    facts = {one.path: one for one in run([(path, data, first) for path, data in sources.items()])}
    seeds = dict.fromkeys(facts, first)
    for _ in range(_ROUNDS):
        wanted = _seeds(facts, sanic)
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
    return _apply(facts)


def _seeds(files: Mapping[str, FileFacts], sanic: bool) -> dict[str, Seeds]:
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
        path: Seeds(frozenset(objects[path]), frozenset(handed[path]), frozenset(known[path]), sanic)
        for path in files
    }


def _apply(files: Mapping[str, FileFacts]) -> Result:
    forced: frozenset[str] = frozenset()
    broken: dict[str, str] = {}
    while True:
        decisions = Linker(files, forced).decisions
        root = _root(files)
        texts = {path: _text(facts, decisions, root) for path, facts in files.items()}
        wrong = {}
        for path, after in texts.items():
            if after != files[path].source and (wrongness := fault(after)) is not None:
                wrong[path] = wrongness[1]
        if not wrong or wrong.keys() <= broken.keys():
            break
        broken |= wrong
        forced |= {refer(path, key) for path in wrong for key in files[path].units}
    ported = []
    for path, facts in files.items():
        findings = tuple(decisions.findings[path])
        after = texts[path]
        if path in broken:
            after = facts.source
            remedy = "port it by hand, and report this to the maintainers of streamcompat"
            findings += (
                Finding(1, "unknown", f"the ported file did not compile ({broken[path]})", remedy, ""),
            )
        ported.append(Ported(path, facts.source, after, findings, facts.error))
    return Result(tuple(ported), decisions.counts)


def _root(files: Mapping[str, FileFacts]) -> str:
    """The name of Mach9's package that fits the imports of most files."""
    named = [
        one.qualified.startswith("streamcompat.")
        for facts in files.values()
        for statement in facts.sanic_imports
        for one in statement.names
    ]
    return "streamcompat.mach9_api" if sum(named) * 2 > len(named) else "mach9"


def _text(facts: FileFacts, decisions: Decisions, root: str) -> bytes:
    if facts.error is not None:
        return facts.source

    def decide(owner: str) -> bool:
        return decisions.ported(facts.path, owner)

    edits = [edit for edit in facts.edits if decide(edit.owner)]
    edits += ImportEdits(facts, decide, root).edits
    if not edits:
        return facts.source
    text, encoding = decode(facts.source)
    return encode(apply(text.encode(), edits).decode(), encoding, facts.source)


def apply(source: bytes, edits: Iterable[Edit]) -> bytes:
    """The source with the edits applied; an edit inside of bytes that another edit replaces is dropped."""
    ordered = sorted(edits, key=lambda one: (one.start, one.end, one.order))
    out: list[bytes] = []
    at = 0
    for edit in ordered:
        if edit.start < at:
            continue
        out.append(source[at : edit.start])
        out.append(edit.text.encode())
        at = edit.end
    out.append(source[at:])
    return b"".join(out)
