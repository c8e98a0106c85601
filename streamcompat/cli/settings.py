"""The settings of `streamcompat run`, and where their values come from.

The rule: the command line wins, then the environment (a file of variables below the real ones), then
`[tool.streamcompat]` in the `pyproject.toml` of the current folder, then the app's own `run`, then the
default. A value that is not valid is one line that names its place.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from streamcompat.cli.command_options import CommandOptions
from streamcompat.cli.errors import CommandError, say
from streamcompat.serving.flags import Flag
from streamcompat.serving.front import FrontOptions
from streamcompat.serving.options import RunOptions
from streamcompat_engine import Limits

PREFIX: Final = "STREAMCOMPAT_"
PROJECT: Final = "pyproject.toml"
_TABLE: Final = "[tool.streamcompat]"
_SHARED: Final = {"WEB_CONCURRENCY": "workers", "FORWARDED_ALLOW_IPS": "forwarded_allow_ips"}
"""Variables that several servers read, by the setting that they are."""
_WORDS: Final = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False, "no": False, "off": False, "0": False
}  # fmt: skip
_LEAST_LIKENESS: Final = 0.75
_BETWEEN: Final = re.compile(r",(?![^(]*\))")
"""A comma that is not between the parentheses of a call."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        field: its field in `RunOptions` or `CommandOptions`.
        flag: how it is written.
    """

    field: dataclasses.Field[Any]
    flag: Flag

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def key(self) -> str:
        """As in a project file: `access-log`."""
        return self.flag.key(self.field)

    @property
    def is_switch(self) -> bool:
        return self.field.type in ("bool", "bool | None")

    @property
    def keys(self) -> Iterator[str]:
        """Every long spelling, without the dashes."""
        yield self.key
        yield from (one[2:] for one in self.flag.aliases if one.startswith("--"))

    @property
    def variables(self) -> Iterator[str]:
        """The environment variables that set it; the first one that is set counts."""
        yield from (PREFIX + key.upper().replace("-", "_") for key in self.keys)
        yield from (variable for variable, name in _SHARED.items() if name == self.name)

    def of_text(self, text: str) -> Any:
        """The value of a text. Raises ValueError."""
        if self.is_switch:
            if text.lower() not in _WORDS:
                raise ValueError(f"{text!r} is neither true nor false")
            return _WORDS[text.lower()]
        return self.flag.of_text(text, self.key)

    def of_variable(self, text: str) -> Any:
        """The value of an environment variable, which may have several. Raises ValueError."""
        if not self.flag.repeatable:
            return self.of_text(text)
        texts = _BETWEEN.split(text) if self.flag.separator == "," else text.split(self.flag.separator)
        return [self.of_text(one.strip()) for one in texts if one.strip()]

    def of_toml(self, value: Any) -> Any:
        """The value in a project file. Raises ValueError."""
        if self.name == "log_config" and isinstance(value, dict):
            return value
        if isinstance(value, dict) and self.flag.repeatable and self.flag.metavar:
            sign = next(sign for sign in "=:" if sign in self.flag.metavar)
            value = [f"{name}{sign}{one}" for name, one in value.items()]
        if isinstance(value, list):
            texts = [_text(one) for one in value]
            return (
                [self.of_text(one) for one in texts]
                if self.flag.repeatable
                else self.of_text(",".join(texts))
            )
        one = self.of_text(_text(value))
        return [one] if self.flag.repeatable else one


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise ValueError(f"a {type(value).__name__} cannot stand here")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _settings(of: type[Any]) -> list[Setting]:
    flagged = [(field, field.metadata.get("flag")) for field in fields(of)]
    return [Setting(field, flag) for field, flag in flagged if isinstance(flag, Flag)]


_INHERITED: Final = {field.name for field in fields(FrontOptions)}
COMMAND: Final = _settings(CommandOptions)
RUN: Final = sorted(_settings(RunOptions), key=lambda setting: setting.name in _INHERITED)
SETTINGS: Final = (*COMMAND, *RUN)


@dataclass(frozen=True, slots=True)
class Given:
    """The settings that somebody has given.

    Attributes:
        values: by the names of the fields.
        places: where each comes from.
        of_file: the variables that the file of variables has set.
    """

    values: dict[str, Any]
    places: dict[str, str]
    of_file: tuple[str, ...] = ()

    def of_run(self) -> dict[str, Any]:
        """Those of `RunOptions`."""
        return {one.name: self.values[one.name] for one in RUN if one.name in self.values}

    def command(self) -> CommandOptions:
        """Those of the command, with the defaults of the rest."""
        names = [one.name for one in COMMAND if one.name in self.values]
        return CommandOptions(**{name: self.values[name] for name in names})


def gathered(arguments: argparse.Namespace, folder: Path) -> Given:
    """The settings of all sources but the app.

    Args:
        arguments: those of the command line; what was not given is not there.
        folder: where `pyproject.toml` may be.
    Raises: CommandError: a value is not valid, a file cannot be read, or there is no such setting.
    """
    project = dict(_of_project(folder / PROJECT))
    given = dict(project)
    words = vars(arguments)
    of_file: Mapping[str, str] = {}
    env_file = (
        words.get("env_file") or os.environ.get(PREFIX + "ENV_FILE") or project.get("env_file", [None])[0]
    )
    if env_file is not None:
        variables = _variables(Path(env_file))
        of_file = {name: text for name, text in variables.items() if name not in os.environ}
        given |= dict(_of_environment(of_file, f" in {env_file}"))
    given |= dict(_of_environment(os.environ))
    os.environ.update(of_file)
    _warn_of_unknown(os.environ)
    given |= {one.name: (words[one.name], "the command line") for one in SETTINGS if one.name in words}
    values = {name: value for name, (value, _) in given.items()}
    if "limits" in values:
        values["limits"] = dict(values["limits"])
    return Given(values, {name: place for name, (_, place) in given.items()}, tuple(of_file))


def _of_environment(variables: Mapping[str, str], where: str = "") -> Iterator[tuple[str, tuple[Any, str]]]:
    """The settings of environment variables, each with its place."""
    for setting in SETTINGS:
        for variable in setting.variables:
            text = variables.get(variable)
            if not text or _is_of_kubernetes(text):
                continue
            place = f"{variable}{where}"
            try:
                yield setting.name, (setting.of_variable(text), place)
            except ValueError as error:
                raise CommandError(f"{place}: {error}") from error
            break


def _warn_of_unknown(variables: Iterable[str]) -> None:
    """Says which variables look like a misspelt setting."""
    known = {one for setting in SETTINGS for one in setting.variables}
    words = [one.removeprefix(PREFIX) for one in known if one.startswith(PREFIX)]
    for variable in variables:
        if variable.startswith(PREFIX) and variable not in known and not _OF_KUBERNETES.match(variable):
            near = get_close_matches(variable.removeprefix(PREFIX), words, 1, _LEAST_LIKENESS)
            if near:
                say(f"{variable} is not a setting: did you mean {PREFIX}{near[0]}?")


_OF_KUBERNETES: Final = re.compile(PREFIX + r"(SERVICE_(HOST|PORT)|PORT_\d+_)")
"""What it sets beside that; see `_is_of_kubernetes`."""


def _is_of_kubernetes(text: str) -> bool:
    """Whether Kubernetes has set a variable: for a service of the name `streamcompat`, STREAMCOMPAT_PORT is
    `tcp://10.0.0.1:80`."""
    return text.startswith(("tcp://", "udp://", "sctp://"))


def _variables(path: Path) -> dict[str, str]:
    """The variables of a file with lines `NAME=value`, as docker and systemd read them; a value may stand in
    quotes, and `export` before the name."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"cannot read {path}: {why}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        line = re.sub(r"^export\s+", "", line.strip())
        if not line or line.startswith("#"):
            continue
        name, equals, told = line.partition("=")
        name, value = name.strip(), told.strip()
        if not equals or not name.isidentifier() or "\0" in value:
            raise CommandError(f"{path}:{number}: a line must be NAME=value")
        if value[:1] in ("'", '"'):
            value, rest = _unquoted(value, f"{path}:{number}")
            if rest and not rest.startswith("#"):
                raise CommandError(f"{path}:{number}: something follows the closing quote")
        else:
            value = re.sub(r"\s+#.*", "", told).strip()
        found[name] = value
    return found


def _unquoted(value: str, place: str) -> tuple[str, str]:
    """The text between the quotes at the start of a value, and what follows them."""
    text, escaped = [], False
    for index, sign in enumerate(value[1:], 1):
        if escaped:
            text.append({"n": "\n", "t": "\t"}.get(sign, sign))
            escaped = False
        elif sign == "\\" and value[0] == '"':
            escaped = True
        elif sign == value[0]:
            return "".join(text), value[index + 1 :].strip()
        else:
            text.append(sign)
    raise CommandError(f"{place}: the quote is not closed")


def _of_project(path: Path) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The settings of a project file, each with its place. `[tool.streamcompat.run]` has them too, since
    `[tool.streamcompat.port]` is of another command."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandError(f"cannot read {path.name}: {why}") from error
    tools = tables.get("tool", {})
    table = tools.get("streamcompat", {}) if isinstance(tools, dict) else None
    if not isinstance(table, dict):
        raise CommandError(f"{path.name}: {_TABLE} is not a table")
    own = table.get("run", {})
    keys = {key: setting for setting in SETTINGS for key in setting.keys}
    values = {key: value for key, value in table.items() if key not in _OTHER or not isinstance(value, dict)}
    for key, value in [*values.items(), *(own.items() if isinstance(own, dict) else [("run", own)])]:
        setting = keys.get(key.replace("_", "-"))
        if setting is None:
            near = get_close_matches(key.replace("_", "-"), keys, 1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise CommandError(f"{path.name}: {_TABLE} has no setting {key!r}{hint}")
        try:
            yield setting.name, (setting.of_toml(value), f"{path.name}")
        except ValueError as error:
            raise CommandError(f"{path.name}: {key}: {error}") from error


_OTHER: Final = ("port", "run")
"""Keys of `[tool.streamcompat]` that may be tables, of other commands."""


def printed(given: Given, options: RunOptions, owners: Mapping[str, str]) -> str:
    """Every setting with its value and where it comes from, as a table for a project file.

    Args:
        owners: the places of what an app's own `run` says, by the names of the settings.
    """
    command = given.command()
    lines = [_TABLE]
    for setting in SETTINGS:
        value = getattr(options if setting in RUN else command, setting.name)
        place = given.places.get(setting.name) or owners.get(setting.name) or "default"
        shown = None if value is None or value == () or value == [] else _shown(setting, value)
        if shown is None:
            lines.append(f"# {setting.key} is not set  # {place}")
        elif _NO_SCALAR.search(shown):  # a path that is not UTF-8 has no place in a project file
            lines.append(f"# {setting.key} is not UTF-8: {shown}  # {place}")
        else:
            lines.append(f"{setting.key} = {shown}  # {place}")
    return "\n".join(lines)


_NO_SCALAR: Final = re.compile(r"(?<!\\)(?:\\\\)*\\ud[89a-f]")
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _shown(setting: Setting, value: Any) -> str:
    if setting.flag.secret:
        return '"..."'
    if isinstance(value, Limits):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping) and setting.flag.repeatable:
        value = [f"{name}={one}" for name, one in value.items()]
    if setting.flag.digits != "d":
        value = format(value, setting.flag.digits)
    if setting.name == "headers":
        value = [one if isinstance(one, str) else ": ".join(one) for one in value]
    if setting.name == "mount":
        value = [f"{host or ''}{prefix}={target}" for host, prefix, target in value]
    return _toml(value)


def _toml(value: Any) -> str:
    """A value in TOML, in ASCII and on one line; without what is `None`, since TOML has no null."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = [f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items() if one is not None]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value if one is not None) + "]"
    return '"' + "".join(_escaped(sign) for sign in str(value)) + '"'


def _escaped(sign: str) -> str:
    if sign in _SHORT:
        return _SHORT[sign]
    if sign.isascii() and sign.isprintable():
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 2**16 else f"\\U{ord(sign):08x}"
