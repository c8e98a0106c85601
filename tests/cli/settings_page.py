"""The tables of `docs/settings.md`: every setting of `streamcompat run`, of an application and of the engine.

The rule: the tables are made from the code, and a test fails where they are not what the code says.
`python -m tests.cli.settings_page` writes them.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from streamcompat.cli.settings import COMMAND, RUN, Setting
from streamcompat.kernel.config import Config
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.config import Config as SanicConfig
from streamcompat.serving.options import RunOptions
from streamcompat_engine import Limits, Timeouts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
MARK = "<!-- What follows is made from the code. -->\n"
_COLUMNS = (
    "option", "argument of `run`", "what it is for", "default", "unit", "source of the default", "environment"
)  # fmt: skip


def page() -> str:
    """The whole page."""
    prose, mark, _ = PAGE.read_text().partition(MARK)
    return prose + mark + "\n" + "\n".join(_lines())


def _lines() -> Iterator[str]:
    for title in dict.fromkeys(setting.flag.group for setting in (*RUN, *COMMAND)):
        yield f"## {title[0].upper()}{title[1:]}\n"
        yield f"| {' | '.join(_COLUMNS)} |"
        yield "|---" * len(_COLUMNS) + "|"
        yield from (_row(setting) for setting in (*RUN, *COMMAND) if setting.flag.group == title)
        yield ""
    yield "## Only as arguments of `run`\n"
    yield "| argument | what it is for | default |"
    yield "|---|---|---|"
    described = {name: text for owner in RunOptions.__mro__[:2] for name, text in attributes(owner).items()}
    flagged = {setting.name for setting in RUN}
    for field in dataclasses.fields(RunOptions):
        if field.name not in flagged:
            yield f"| `{field.name}` | {_cell(described[field.name])} | `{field.default}` |"
    yield ""
    yield "## Of an application\n"
    yield "In `app.config`, or as environment variables `SANIC_NAME` and `MACH9_NAME`.\n"
    yield "| setting | what it is for | default |"
    yield "|---|---|---|"
    defaults = Sanic("settings", load_env=False).config
    documented = attributes(Config) | attributes(SanicConfig)
    for name, text in ((name, text) for name, text in documented.items() if name.isupper()):
        default = f"`{defaults[name]}`" if name in defaults else "not set"
        yield f"| `{name}` | {_cell(text)} | {default} |"
    yield ""
    for title, owner, how in (
        (
            "Limits of the engine",
            Limits,
            "By `--limit NAME=SIZE`, `run(limits={...})` or `ENGINE_LIMIT_NAME` of an app.",
        ),
        (
            "Times of the engine",
            Timeouts,
            "By the settings of an app that the table above has, and in `ServerConfig`.",
        ),
    ):
        yield f"## {title}\n"
        yield f"{how}\n"
        yield "| name | what it is, and where its default comes from | default |"
        yield "|---|---|---|"
        described = attributes(owner)
        for field in dataclasses.fields(owner):
            yield f"| `{field.name}` | {_cell(described[field.name])} | `{field.default}` |"
        yield ""


def _row(setting: Setting) -> str:
    flag, field = setting.flag, setting.field
    text, _, default = flag.help.rpartition(" (default: ")
    default = default.removesuffix(")").replace("%(default)s", f"{field.default}")
    names = [setting.key] if setting.name == "target" else [flag.option(field), *flag.aliases]
    option = ", ".join(f"`{name}`" for name in names)
    unit = flag.unit or _kind(setting)
    argument = f"`{setting.name}`" if setting in RUN else "—"
    variables = ", ".join(f"`{variable}`" for variable in setting.variables)
    cells = (option, argument, text, default, unit, flag.source or "ours", variables)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _kind(setting: Setting) -> str:
    if setting.is_switch:
        return "switch"
    metavar = setting.flag.metavar or "TEXT"
    return {"FILE": "path", "DIR": "path", "PATH": "path", "N": "number"}.get(metavar, metavar.lower())


def attributes(owner: type) -> dict[str, str]:
    """The names that a docstring describes, each with its text."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.getdoc(owner).splitlines():
        match = re.match(r"    (\w+(?:, \w+)*|ENGINE_LIMIT_HEAD_FIELDS.*?): (.*)", line)
        if match is not None:
            names = [name for name in re.split(r", | and ", match[1]) if name.isidentifier()]
            found.update(dict.fromkeys(names, match[2]))
        elif line.startswith("        ") and names:
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
        else:
            names = []
    return {name: text for name, text in found.items() if name != "dialect"}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("%%", "%")


if __name__ == "__main__":
    PAGE.write_text(page())
