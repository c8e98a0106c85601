"""The applications of `surface`, served by streamcompat through the aliases, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from streamcompat import aliases
from streamcompat.sanic_api import compat
from tests.parity.originals import answers, conversations
from tests.parity.originals.surface import framework
from tests.parity.originals.surface.cases import Case, Conversation
from tests.parity.originals.surface.catalogue import APPS
from tests.support.commands import PATIENCE
from tests.support.servers import serve_app

LATEST = "0.8"


@contextmanager
def served(flavour: str, name: str, release: str = LATEST) -> Iterator[tuple[str, int]]:
    """An application of `surface`, with `import sanic` and `import mach9` finding the facades.

    Args:
        release: of Sanic, that decides where its releases contradict each other.
    """
    make, _, debug = APPS[name]
    aliases.install()
    compat(release)
    try:
        app = make(framework(flavour))
        app.set_debug(debug)
        with serve_app(app) as url:
            yield (urlsplit(url).hostname or "", urlsplit(url).port or 0)
    finally:
        compat(LATEST)
        aliases.uninstall()


def ask(address: tuple[str, int], case: Case | Conversation) -> list[Any]:
    """What ours answers to a case."""
    if isinstance(case, Conversation):
        return conversations.converse(address, case, PATIENCE)
    received = answers.ask(address, case.sent, case.answers, PATIENCE)
    return answers.read(received, case.sent, case.answers, case.find)
