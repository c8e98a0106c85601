"""The page on messages: each message that it explains is one that the code can print."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.support.commands import ROOT
from tests.support.pages import DOCS

PAGE = (DOCS / "troubleshooting.md").read_text()
MESSAGES = [
    message
    for heading in re.findall(r"^### (.*)$", PAGE, flags=re.MULTILINE)
    for message in re.findall(r"`([^`]+)`", heading)
]
PYTHONS_OWN = "No module named 'sanic' ("


@cache
def texts() -> str:
    """The sources of both packages, with strings of several lines joined."""
    sources = [
        *(ROOT / "streamcompat").rglob("*.py"),
        *(ROOT / "engine" / "streamcompat_engine").rglob("*.py"),
    ]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(source.read_text() for source in sources))


def test_the_page_has_messages() -> None:
    assert len(MESSAGES) >= 20


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_is_in_the_code(message: str) -> None:
    parts = [part.strip(" :,;()") for part in message.removeprefix(PYTHONS_OWN).split("…")]
    assert any(parts)
    assert [part for part in parts if part not in texts()] == []
