"""The page of settings is what the code says, and has every setting."""

from __future__ import annotations

import dataclasses

from streamcompat.cli.settings import SETTINGS
from streamcompat.sanic_api import Sanic
from streamcompat.serving.options import RunOptions
from streamcompat_engine import Limits, Timeouts
from tests.cli.settings_page import PAGE, page


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "python -m tests.cli.settings_page writes it"


def test_the_page_has_every_setting() -> None:
    text = PAGE.read_text()
    rows = {line.split(" | ")[0].strip("| `") for line in text.splitlines() if line.startswith("| `")}
    for setting in SETTINGS:
        for key in setting.keys:
            assert key == "target" or f"`--{key}`" in text, key
        for variable in setting.variables:
            assert f"`{variable}`" in text
    flagged = {setting.name for setting in SETTINGS}
    for owner in (RunOptions, Limits, Timeouts):
        names = {field.name for field in dataclasses.fields(owner)} - flagged
        assert names <= rows, names - rows
    assert Sanic("a", load_env=False).config.keys() <= rows
    assert all(
        all(cell.strip() for cell in line.split(" | ")) for line in text.splitlines() if line[:3] == "| `"
    )
