"""How a setting is written down: on the command line, in the environment and in a project file.

The rule: a reader converts text to the value, and raises ValueError with a message for the user.
"""

from __future__ import annotations

import configparser
import dataclasses
import importlib.util
import json
import logging.config
import math
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from streamcompat.serving.limits import checked_limits
from streamcompat_engine import PROXY_FIELDS, InvalidHeader, Origins, checked_fields, checked_prefix

WHERE: Final = "where to listen"
HOW: Final = "how to serve"
LIMITS: Final = "limits and times"
TLS: Final = "TLS"
PROXIES: Final = "behind a proxy"
LOGS: Final = "logs and headers"
LEVELS: Final = ("critical", "error", "warning", "info", "debug")
_LEAST_LIKENESS: Final = 0.7


@dataclass(frozen=True, slots=True)
class Flag:
    """How an option appears on the command line.

    Attributes:
        group: the heading in the help.
        help: what it is for; `(default: ...)` at its end.
        metavar: the placeholder for the value in the help.
        read: converts the text to the value; raises ValueError with a message for the user. `None` for text.
        choices: the allowed values.
        repeatable: it may be given several times; the value is a list.
        name: without the dashes, if it differs from the field's.
        aliases: other spellings, such as those of uvicorn and of the originals' command lines.
        unit: of the value.
        source: where the default comes from.
        separator: between several values in an environment variable.
        secret: it is never shown.
        digits: the digits of a number, as `read` takes them.
    """

    group: str
    help: str
    metavar: str | None = None
    read: Callable[[str], Any] | None = None
    choices: tuple[str, ...] | None = None
    repeatable: bool = False
    name: str | None = None
    aliases: tuple[str, ...] = ()
    unit: str | None = None
    source: str | None = None
    separator: str = ","
    secret: bool = False
    digits: str = "d"

    def option(self, of: dataclasses.Field[Any]) -> str:
        """As it is typed: `--access-log`."""
        return "--" + self.key(of)

    def key(self, of: dataclasses.Field[Any]) -> str:
        """As it stands in a project file: `access-log`."""
        return (self.name or of.name).replace("_", "-")

    def of_text(self, text: str, key: str) -> Any:
        """The value of a text; a word of `choices` may be in capitals. Raises ValueError."""
        if self.choices is None:
            return text if self.read is None else self.read(text)
        if (word := text.lower()) in self.choices:
            return word
        if near := get_close_matches(word, self.choices, 1, _LEAST_LIKENESS):
            raise ValueError(f"{text!r} is not a valid {key}: did you mean {near[0]!r}?")
        raise ValueError(f"invalid choice: {text!r} (choose from {', '.join(self.choices)})")


def whole(what: str, least: int, most: float) -> Callable[[str], int]:
    """A reader of a whole number between two bounds; the error says that the text is not `what`."""

    def read(text: str) -> int:
        if _is_number(text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{text!r} is not {what}")

    return read


def given_in_code(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value of an option that code has given: a text or a number as the command line takes it. What is
    neither is checked where it is used.

    Raises: ValueError: it is not valid.
    """
    flag = field.metadata.get("flag")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if (
        not isinstance(flag, Flag)
        or (flag.read is None and flag.choices is None)
        or isinstance(value, bool)
        or not isinstance(value, str | int | float)
        or value == math.inf
    ):
        return value
    if isinstance(value, int):  # a member of an enumeration, too
        text = format(int(value), flag.digits)
    else:
        text = str(value)
    found = flag.of_text(text, field.name)
    return [found] if flag.repeatable else found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


_MOST_DIGITS: Final = 20
"""Of 2**64. Python itself refuses to read over 4,300, with a message of its own."""

port: Final = whole("a valid port: a number from 0 to 65535", 0, 65535)


def mode(text: str) -> int:
    """Reads the mode of a file in octal, such as 660."""
    if text and set(text) <= set("01234567") and (found := int(text, 8)) <= 0o777:
        return found
    raise ValueError(f"{text!r} is not a valid mode, such as 660")


def file_path(what: str) -> Callable[[str], str]:
    """A reader of a path, where there may be nothing yet; the error says that the text is not `what`."""

    def read(text: str) -> str:
        if text and "\0" not in text:
            return text
        raise ValueError(f"{text!r} is not {what}")

    return read


socket_path: Final = file_path("the path of a socket, such as /run/app.sock")
file: Final = file_path("a path")


def path(text: str) -> str:
    """Reads the path of a URL."""
    if text.startswith("/") and text.isascii() and text.isprintable() and not set(text) & set(" ?#"):
        return text
    raise ValueError(f"{text!r} is not a valid path, such as /ready")


def prefix(text: str) -> str:
    """Reads a prefix of paths."""
    return checked_prefix(text)


def seconds(text: str) -> float:
    """Reads a time that is not negative."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if 0 <= found < float("inf"):
        return found
    raise ValueError(f"{text!r} is not a valid number of seconds")


def metrics_port(text: str) -> int:
    """Reads the port for metrics, for which a package must be there."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise ValueError("metrics need prometheus-client: pip install 'streamcompat[metrics]'")
    return port(text)


_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def size(text: str) -> int:
    """Reads a size in bytes, which may be 0; K, M and G are powers of 1024."""
    digits, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if _is_number(digits) and unit in _UNITS:
        return int(digits) * _UNITS[unit]
    raise ValueError(f"{text!r} is not a valid size, such as 500M")


def limit(text: str) -> tuple[str, int]:
    """Reads `head_fields=64K` as a name and a number."""
    name, _, value = text.partition("=")
    return name, checked_limits({name: size(value)})[name]


def host(text: str) -> str:
    """A name or an address, which may stand in brackets; says so where more was given."""
    name, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        raise ValueError(f"{text!r} has a port: give --host {name} --port {port}")
    try:
        text.encode("idna")
        is_name = bool(text) and not set(text) & set("/ \t\0") and text.count("[") == text.count("]")
    except UnicodeError:  # a label that is empty or too long, of which getaddrinfo says little more
        is_name = False
    if not is_name:
        raise ValueError(f"{text!r} is not a name or an address, such as 127.0.0.1 or ::1")
    return text


def header(text: str) -> tuple[str, str]:
    """Reads `Name: value`; not a field by which the server frames a response."""
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not name:
        raise ValueError(f"{text!r} is not NAME:VALUE, such as X-Frame-Options:DENY")
    if name.lower() in ("connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade"):
        raise ValueError(f"the server sets {name} by itself")
    try:
        checked_fields(200, None, [(name.encode("latin-1"), value.encode("latin-1"))], None)
    except (InvalidHeader, UnicodeEncodeError) as error:
        raise ValueError(f"{text!r} is not a valid header: {error}") from error
    return name, value


def networks(text: str) -> tuple[str, ...]:
    """Reads addresses and networks that are separated by commas."""
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    try:
        Origins(found)
    except ValueError as error:
        raise ValueError(f"{error}: give addresses, networks such as 10.0.0.0/8, unix or *") from error
    return found


def proxy_fields(text: str) -> tuple[str, ...]:
    """Reads which fields a proxy sets, separated by commas."""
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    if unknown := sorted(set(found).difference(PROXY_FIELDS)):
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(PROXY_FIELDS)}")
    return found


def tls_version(text: str) -> str:
    """Reads the minimum version of TLS; 2 and 17 are what uvicorn's default is as a number."""
    if text in ("1.2", "1.3"):
        return text
    if text in (
        str(int(ssl.PROTOCOL_TLS_SERVER)),
        str(int(ssl.PROTOCOL_TLS)),
        str(int(ssl.TLSVersion.TLSv1_2)),
    ):
        return "1.2"
    if text == str(int(ssl.TLSVersion.TLSv1_3)):
        return "1.3"
    raise ValueError(f"{text!r} is neither 1.2 nor 1.3; older versions of TLS are not safe")


def verify_mode(text: str) -> int:
    """Reads whether clients need a certificate, as a word or as uvicorn's number."""
    words = {"none": 0, "optional": 1, "required": 2, "0": 0, "1": 1, "2": 2}
    if text in words:
        return words[text]
    raise ValueError(f"{text!r} is not valid: give none, optional or required")


def log_file(text: str) -> str:
    """Reads the path of a configuration of logging; see `log_configuration`."""
    log_configuration(text)
    return str(Path(text).absolute())  # the app may change the folder while it is imported


def log_configuration(path: str | os.PathLike[str]) -> dict[str, Any] | configparser.RawConfigParser:
    """The configuration of logging in a file: for `dictConfig` in JSON, or in YAML (`.yaml`, `.yml`) if
    PyYAML is installed; for `fileConfig` in `.ini`, `.cfg` or `.conf`.

    Raises: ValueError: it cannot be read, or is not valid, with a message for the user.
    """
    text = os.fspath(path)
    try:
        source = Path(text).read_text(encoding="utf-8")
        if text.endswith((".ini", ".cfg", ".conf")):
            return _ini(source)
        if text.endswith((".yaml", ".yml")):
            try:
                import yaml
            except ImportError as error:
                raise ValueError(f"{text} needs PyYAML: pip install PyYAML, or write it in JSON") from error
            found = yaml.safe_load(source)
        else:
            found = json.loads(source)
    except OSError as error:
        raise ValueError(f"cannot read {text}: {error.strerror}") from error
    except Exception as error:  # what PyYAML raises has no other base
        raise ValueError(
            f"{text} is not a valid configuration of logging: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(found, dict) or "version" not in found:
        raise ValueError(f"{text} is not a valid configuration of logging: it has no `version`")
    return found


def configure_logging(given: dict[str, Any] | str | os.PathLike[str]) -> None:
    """Configures logging by a dict, or a file. Raises ValueError and what `dictConfig` raises."""
    found = log_configuration(given) if isinstance(given, str | os.PathLike) else given
    if isinstance(found, configparser.RawConfigParser):
        logging.config.fileConfig(found, disable_existing_loggers=False)
    else:
        logging.config.dictConfig(found)


def _ini(source: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()  # `%` is for the formats of logging
    parser.read_string(source)
    if missing := {"loggers", "handlers", "formatters"}.difference(parser.sections()):
        raise ValueError(f"it has no section [{min(missing)}]")
    return parser
