"""What an app's own `app.run(...)` says, as defaults of the options of `streamcompat run`.

The rule: the command line wins. One line says what was taken, and what was not.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from streamcompat.cli import errors
from streamcompat.serving.accepted import SAME_AS, WITHOUT_EFFECT
from streamcompat.serving.declared import DeclaredRun, declared_runs
from streamcompat.serving.flags import Flag, given_in_code
from streamcompat.serving.importing import SelfRun
from streamcompat.serving.options import RunOptions
from streamcompat.serving.servable import Servable
from streamcompat.serving.targets import Loaded, shown, source_file

OF_SUPERVISOR: Final = frozenset({"workers", "max_requests", "max_memory"})
"""Options that must be known before the app is imported."""
_OF_PROCESS: Final = frozenset({"register_sys_signals"})
"""Options that the command decides for itself."""
_FIELDS: Final = {field.name: field for field in dataclasses.fields(RunOptions)}
_PLACES: Final = ({"host", "port"}, {"uds"}, {"sock"}, {"fd"})
_TYPICAL: Final = frozenset({"host", "port", "workers", "ssl", "sock", "unix", "uds"})
_LONGEST: Final = 60
_SECRET: Final = frozenset({"ssl", "ssl_keyfile_password"})


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A call by which an app serves itself.

    Attributes:
        place: `file:line`.
        call: such as `app.run`.
        executed: the import has executed it, so that it is to be said that it does not serve.
        taken: its arguments, by their names in `RunOptions`.
        left: the source of the arguments that cannot be taken, by name, or a reason by itself.
    """

    place: str
    call: str
    executed: bool
    taken: Mapping[str, Any]
    left: Mapping[str, str]

    def without(self, names: Collection[str]) -> OwnRun:
        """The same, with these options not taken."""
        taken = {name: value for name, value in self.taken.items() if name not in names}
        more = {name: _shown(name, value) for name, value in self.taken.items() if name in names}
        return dataclasses.replace(self, taken=taken, left={**self.left, **more})

    def line(self, given: Mapping[str, Any]) -> str | None:
        """What there is to say about it; `None` for nothing."""
        hidden = _overridden(given)
        taken = [_shown(name, value) for name, value in self.taken.items() if name not in hidden]
        left = [source for name, source in self.left.items() if name not in hidden]
        if not taken and not left and not self.executed:
            return None
        parts = ["does not serve while the app is imported"] if self.executed else []
        if taken:
            parts.append(f"{'it ' if parts else ''}gives the defaults {', '.join(taken)}")
        if left:
            ways = [way for name in self.left if name not in hidden and (way := _option(name)) is not None]
            how = f" (give {', '.join(ways)})" if ways else ""
            parts.append(f"not taken: {', '.join(left)}{how}")
        return f"{self.place}: {self.call}() {'; '.join(parts)}"


def own_run(
    target: str, loaded: Loaded | None, *, mounted: bool = False, folder: Path | None = None
) -> OwnRun | None:
    """How the app of a TARGET serves itself; `None` if it does not.

    Args:
        loaded: what was imported for it; `None` to read the source alone.
        mounted: its address is not its own, so that nothing is taken.
        folder: where its module is looked for; the current one.
    """
    own = _executed(loaded) if loaded is not None else None
    if own is None:
        own = _declared(target, loaded, folder)
    return own.without(_FIELDS) if own is not None and mounted else own


def merged(own: Sequence[OwnRun], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `RunOptions`: those that are given, and for the rest what the apps say."""
    hidden = _overridden(given)
    taken = {name: value for one in own for name, value in one.taken.items() if name not in hidden}
    return taken | dict(given)


def say(own: Sequence[OwnRun], given: Mapping[str, Any]) -> None:
    """Prints a line for each that there is something to say about."""
    for one in own:
        if (line := one.line(given)) is not None:
            errors.say(line)


def _overridden(given: Mapping[str, Any]) -> set[str]:
    """The options that what is given replaces; an address replaces a path and a socket, too."""
    places = (
        {name for place in _PLACES for name in place}
        if any(place & given.keys() for place in _PLACES)
        else set()
    )
    certificate = {"ssl"} if "ssl_certfile" in given else set()
    return given.keys() | places | certificate


def _executed(loaded: Loaded) -> OwnRun | None:
    runs = [run for run in loaded.runs if run.app is loaded.app]
    if not runs:
        return None
    run: SelfRun = runs[-1]
    taken = {name: value for name, value in run.options.given().items() if name not in _OF_PROCESS}
    place = f"{shown(run.place[0])}:{run.place[1]}"
    return _checked(OwnRun(place, f"app.{run.method}", True, taken, {}))


def _declared(target: str, loaded: Loaded | None, folder: Path | None) -> OwnRun | None:
    file = source_file(target, folder)
    try:
        found = [] if file is None else declared_runs(file.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None  # the import will say why
    if loaded is None:
        attribute = target.partition(":")[2]
        found = [run for run in found if not attribute or run.receiver == attribute]
    else:
        found = [run for run in found if run.guarded and _may_be(run, loaded)]
    own = [_own(shown(str(file)), run, loaded) for run in found]
    if not own:
        return None
    if all((one.taken, one.left) == (own[0].taken, own[0].left) for one in own):
        return own[0]
    others = ", ".join(str(run.line) for run in found[1:])
    return dataclasses.replace(
        own[0], taken={}, left={"": f"any argument, because line {others} calls it with others"}
    )


def _may_be(run: DeclaredRun, loaded: Loaded) -> bool:
    """Whether the call is one of the loaded app, or of a name that only the call's function knows."""
    found = _global(loaded.module, run.receiver)
    return found is loaded.app or (found is None and bool(run.named.keys() & _TYPICAL))


def _global(module: ModuleType, receiver: str) -> object:
    found: object = module
    for name in receiver.split("."):
        if not hasattr(found, name):
            return None
        found = getattr(found, name)
    return found


def _own(file: str, run: DeclaredRun, loaded: Loaded | None) -> OwnRun:
    place, call, executed = f"{file}:{run.line}", f"{run.receiver}.{run.method}", not run.guarded
    if loaded is not None and _global(loaded.module, run.receiver) is None:
        left = {name: _source(name, source) for name, (_, source) in run.named.items()}
        return OwnRun(place, call, executed, {}, left)
    order = ("host", "port") if loaded is None else _order(loaded.app)
    literal, unread = run.options(order)
    left = {one.partition("=")[0]: _source(*one.partition("=")[::2]) for one in unread}
    ineffective = {
        name: f"{name}={value!r}" for name, value in literal.items() if name in WITHOUT_EFFECT and value
    }
    try:
        options = RunOptions.read(call, (), (), literal)
    except (TypeError, RuntimeError) as error:
        return OwnRun(place, call, executed, {}, left | {"": f"its arguments ({error})"})
    taken = {name: value for name, value in options.given().items() if name not in _OF_PROCESS}
    return _checked(OwnRun(place, call, executed, taken, left | ineffective))


def _order(app: Servable) -> list[str]:
    """The names of the positional arguments of the app's `run`."""
    parameters = inspect.signature(app.run).parameters.values()
    return [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]


def _checked(own: OwnRun) -> OwnRun:
    """The same without values that the command line would refuse."""
    taken, left = dict(own.taken), dict(own.left)
    for name, value in own.taken.items():
        try:
            taken[name] = given_in_code(_FIELDS[name], value)
        except ValueError as error:
            del taken[name]
            left[name] = f"{name}={value!r} ({error})"
    return dataclasses.replace(own, taken=taken, left=left)


def _shown(name: str, value: object) -> str:
    """An option for a person; no more than its name where the value may be long, or a secret."""
    return (
        f"{name}={value!r}" if isinstance(value, bool | int | float | str) and name not in _SECRET else name
    )


def _source(name: str, source: str) -> str:
    """An argument as it stands in the source, without what may be long, or a secret."""
    if (
        not source
        or len(source) > _LONGEST
        or (name in _SECRET and not source.replace(".", "").isidentifier())
    ):
        return name
    return f"{name}={source}"


def _option(name: str) -> str | None:
    """The option of the command line for a name in `RunOptions`, if there is one."""
    if name == "ssl":
        return "--cert and --key"
    field = _FIELDS.get(SAME_AS.get(name, name))
    flag = None if field is None else field.metadata.get("flag")
    return flag.option(field) if isinstance(flag, Flag) and field is not None else None
