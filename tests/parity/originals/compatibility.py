"""Compares the facades with every public name of the originals, and writes `docs/compatibility.md` and the
table of `streamcompat check`.

    python -m tests.parity.originals.compatibility           writes the page
    python -m tests.parity.originals.compatibility --names   asks the originals for their names first

`names/` has the names (`dump_names.py` finds them), `names.toml` what is not there or differs, and why.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from json import dumps, loads
from pathlib import Path
from typing import Any

from streamcompat.kernel.config import Config
from tests.parity.originals.dump_names import constructed
from tests.parity.originals.environments import environment
from tests.parity.originals.surface.cases import RELEASES as RECORDED
from tests.parity.originals.surface.cases import SINCE_18

HERE = Path(__file__).parent
NAMES = HERE / "names"
SURFACE = HERE.parents[2] / "streamcompat" / "checking" / "surface.json"
PAGE = HERE.parents[2] / "docs" / "compatibility.md"
FACADES = {"sanic": "streamcompat.sanic_api", "mach9": "streamcompat.mach9_api"}

RELEASES = (*(one for one in RECORDED if one.startswith("sanic")), *SINCE_18, "mach9-0.0.4")

Described = dict[str, Any]


@dataclass
class Name:
    """One public name of an original.

    Attributes:
        path: as in `sanic.app.Sanic.run`.
        kind: class, function, method, attribute or constant.
        arguments: by release; as `dump_names.arguments` writes them.
        there: whether ours has it.
        differences: what ours takes otherwise.
        positional: how many arguments ours takes by position as each release did.
        why: the reason that is declared.
    """

    path: str
    module: str
    kind: str
    arguments: dict[str, list[str]] = field(default_factory=dict)
    there: bool = False
    differences: list[str] = field(default_factory=list)
    positional: int = 0
    why: str | None = None

    @property
    def state(self) -> str:
        if not self.there:
            return "not there"
        return "differs" if self.differences or self.why else "same"


@dataclass
class Declared:
    """`names.toml`: reasons by pattern, for names that are absent and for names that differ; and how many
    arguments some take by position, where ours tells them apart by what they are."""

    absent: dict[str, str]
    differs: dict[str, str]
    by_position: dict[str, int]

    @classmethod
    def read(cls) -> Declared:
        return cls(**tomllib.loads((HERE / "names.toml").read_text()))

    def reason(self, name: Name) -> str | None:
        for pattern, why in (self.differs if name.there else self.absent).items():
            # A pattern is for those of its names that differ; one name may differ in what it does.
            if fnmatchcase(name.path, pattern) and (
                name.differences or not name.there or name.path == pattern
            ):
                return why
        return None


def names() -> list[Name]:
    """Every name of every release, compared with ours."""
    found: dict[str, Name] = {}
    for release in RELEASES:
        dumped = loads((NAMES / f"{release}.json").read_text())
        for path, module, described in walk(dumped):
            name = found.setdefault(path, Name(path, module, described["kind"]))
            name.arguments[release] = described.get("arguments", [])
    declared = Declared.read()
    for name in found.values():
        ours = look_up(name)
        name.there = ours is not NOTHING
        if name.there and name.kind in ("class", "function", "method"):
            name.differences = sorted(
                {text for given in name.arguments.values() for text in compare(given, ours, name.kind)}
            )
            name.positional = declared.by_position.get(name.path) or min(
                alike(given, ours, name.kind) for given in name.arguments.values()
            )
        name.why = declared.reason(name)
    return sorted(
        found.values(), key=lambda name: (not name.path.startswith("sanic"), name.module, name.path)
    )


def walk(dumped: dict[str, dict[str, Described]]) -> Iterator[tuple[str, str, Described]]:
    for module, described in dumped.items():
        yield module, module, {"kind": "module"}
        for name, one in described.items():
            yield f"{module}.{name}", module, one
            for member, inner in one.get("members", {}).items():
                yield f"{module}.{name}.{member}", module, inner


NOTHING = object()


def look_up(name: Name) -> Any:
    """What ours has under a name, or `NOTHING`."""
    flavour = name.module.partition(".")[0]
    try:
        module = importlib.import_module(FACADES[flavour] + name.module.removeprefix(flavour))
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(FACADES[flavour]):
            raise
        return NOTHING
    found: Any = module
    for part in name.path.removeprefix(name.module).split(".")[1:]:
        owner, found = found, getattr(found, part, NOTHING)
        if found is NOTHING and inspect.isclass(owner) and part in set_on_instances(owner):
            return None
    return found


@functools.cache
def set_on_instances(cls: type) -> set[str]:
    """What the constructors of a class and its bases set, and what it says that instances have."""
    if issubclass(cls, Config):
        return set(cls(load_env=False))
    ours = [one for one in cls.__mro__ if one.__module__.startswith("streamcompat")]
    return {name for one in ours for name in _constructed(one) | set(inspect.get_annotations(one))}


_constructed = functools.cache(constructed)


def parameters_of(ours: Any, kind: str) -> list[inspect.Parameter] | None:
    """What ours takes; `None` where Python cannot tell, or tells another thing in each release."""
    if inspect.isclass(ours) and issubclass(ours, enum.Enum):
        return None
    try:
        parameters = list(inspect.signature(ours).parameters.values())
    except (TypeError, ValueError):
        return None
    if kind == "method" and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    return parameters


def alike(given: list[str], ours: Any, kind: str) -> int:
    """How many arguments of an original ours takes by position, in the same place; maybe by another name."""
    parameters = parameters_of(ours, kind)
    if parameters is None:
        return len(given)
    in_order = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    any_number = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    every = {parameter.name for parameter in parameters}
    names = [argument.strip("*=") for argument in given]
    for index, (argument, name) in enumerate(zip(given, names, strict=True)):
        if argument == "*args" and index == 0 and not any_number:
            return len(in_order)  # the original names no places at all
        if argument.startswith("*") or index >= len(in_order):
            return len(given) if any_number else index
        here = in_order[index]
        if here != name and (name in every or here in names):
            return index
    return len(given)


def compare(given: list[str], ours: Any, kind: str) -> Iterator[str]:
    """Which arguments of an original ours does not take, or takes elsewhere."""
    parameters = parameters_of(ours, kind)
    if parameters is None:
        return
    takes = {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    kinds = {parameter.kind for parameter in parameters}
    any_name = inspect.Parameter.VAR_KEYWORD in kinds
    any_number = inspect.Parameter.VAR_POSITIONAL in kinds
    in_order = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for index, argument in enumerate(given):
        name = argument.strip("*=")
        if argument.startswith("**"):
            if not any_name:
                yield f"takes no `{argument}`"
        elif argument.startswith("*"):
            if not any_number:
                yield f"takes no `{argument}`"
        elif name not in takes and not any_name:
            yield f"takes no `{name}`"
        elif not any_number and in_order[index : index + 1] != [name]:
            yield f"`{name}` only by its name"
    required = {p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
    for name in sorted(required - {argument for argument in given if not argument.endswith("=")}):
        yield f"`{name}` must be given"


def undeclared(found: list[Name]) -> list[str]:
    """Names that are not there, or take other arguments, without a reason."""
    return [
        f"{name.path}: {name.state} {'; '.join(name.differences)}"
        for name in found
        if name.why is None and (not name.there or name.differences)
    ]


def unused(found: list[Name]) -> list[str]:
    """Patterns of `names.toml` that no name needs."""
    declared = Declared.read()
    stale = []
    for there, patterns in ((False, declared.absent), (True, declared.differs)):
        paths = [name.path for name in found if name.there is there]
        stale += [pattern for pattern in patterns if not any(fnmatchcase(path, pattern) for path in paths)]
    return stale


def page(found: list[Name]) -> str:
    """`docs/compatibility.md`."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for name in found:
        for release in name.arguments:
            counts[release, name.state] += 1
    lines = [
        "# Compatibility",
        "",
        *(HERE / "does_it_run.md").read_text().splitlines(),
        "",
        "## Name by name",
        "",
        "Every public name of each original: modules, classes, functions, methods and their arguments,",
        "attributes and constants. *same* is there and takes what the original took; *differs* says how;",
        "*not there* says why. How names behave is compared by asking both, see",
        "[differences](differences.md). Most of what is not there is the machinery of the original's own",
        "server: its protocol classes, its book-keeping, its worker.",
        "",
        "Made by `python -m tests.parity.originals.compatibility`; a test fails when a name is neither there",
        "nor declared in `tests/parity/originals/names.toml`.",
        "",
        "| release | names | same | differs | not there |",
        "|---|---|---|---|---|",
    ]
    for release in RELEASES:
        numbers = [counts[release, state] for state in ("same", "differs", "not there")]
        lines.append(
            f"| {release.replace('-', ' ')} | {sum(numbers)} | " + " | ".join(map(str, numbers)) + " |"
        )
    by_module: dict[str, list[Name]] = defaultdict(list)
    for name in found:
        by_module[name.module].append(name)
    for module, members in by_module.items():
        lines += ["", f"## `{module}`", "", "| name | in | arguments | streamcompat |", "|---|---|---|---|"]
        lines += [row(name) for name in members if name.path != module or name.state != "same"]
    return "\n".join(lines) + "\n"


def surface(found: list[Name]) -> str:
    """What is not there and what differs, as `streamcompat check` reads it."""
    return dumps(
        {
            name.path: {
                "there": name.there,
                "arguments": name.differences,
                "positional": name.positional,
                "why": name.why or "",
                "since": next(iter(name.arguments)).partition("-")[2],
            }
            for name in found
            if name.state != "same"
        },
        indent=1,
    )


def row(name: Name) -> str:
    latest = next(reversed(name.arguments.values()))
    arguments = f"`({', '.join(latest)})`" if latest else ""
    said = name.state
    if name.state == "differs":
        said += ": " + "; ".join([*name.differences, *([name.why] if name.why else [])])
    elif name.state == "not there":
        said += f": {name.why}"
    short = name.path.removeprefix(name.module + ".")
    return f"| `{short}` | {releases(list(name.arguments))} | {arguments} | {said} |"


def releases(having: list[str]) -> str:
    """The numbers of the releases that have a name; a run of them as first and last."""
    family = [release for release in RELEASES if release.startswith(having[0].split("-")[0])]
    numbers = [release.split("-")[1] for release in having]
    first, last = family.index(having[0]), family.index(having[-1])
    if len(having) > 1 and having == family[first : last + 1]:
        return f"{numbers[0]}–{numbers[-1]}"
    return ", ".join(numbers)


def ask_originals() -> None:
    """Writes `names/`."""
    for release in RELEASES:
        command = [str(environment(release).python), str(HERE / "dump_names.py"), release.partition("-")[0]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        (NAMES / f"{release}.json").write_text(done.stdout + "\n")


if __name__ == "__main__":
    if "--names" in sys.argv:
        ask_originals()
    every = names()
    PAGE.write_text(page(every))
    SURFACE.write_text(surface(every) + "\n")
    for line in undeclared(every):
        print("undeclared:", line)  # noqa: T201
    for line in unused(every):
        print("unused:", line)  # noqa: T201
