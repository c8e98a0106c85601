"""What a server of the matrix itself gets wrong, so that it is no fault of our apps.

The rule: `make test-servers` fails for a check that is named here and holds. The table in docs/deployment.md
is written from this, by `python -m tests.servers.known`.
"""

from __future__ import annotations

from typing import Final

from tests.servers.checks import CHECKS
from tests.servers.running import KINDS, Kind
from tests.support.commands import ROOT

_CHUNKED: Final = "sends chunked coding to a client of HTTP/1.0, which cannot read it"
_CONTINUE: Final = "answers 100 Continue at once, also where the body is never read"
KNOWN: Final[dict[str, dict[str, str]]] = {
    "uvicorn (httptools)": {"a_stream_to_http_10_is_not_chunked": _CHUNKED},
    "hypercorn": {"no_100_is_sent_when_the_body_is_not_read": _CONTINUE},
    "hypercorn (trio)": {"no_100_is_sent_when_the_body_is_not_read": _CONTINUE},
    "hypercorn (HTTP/2)": {
        "a_client_that_does_not_read_stops_the_handler": "takes all that a handler sends, without a limit, "
        "while the client's window is closed"
    },
    "granian": {
        "a_body_that_is_not_read_does_not_stop_the_next_request": "may close the connection after an answer "
        "to a body that was not read, without a word of it in the answer"
    },
    "gunicorn (uvicorn-worker)": {"a_stream_to_http_10_is_not_chunked": _CHUNKED},
}
"""The fault of a server by the check that finds it, of both flavours."""
UNSTEADY: Final = {("granian", "a_body_that_is_not_read_does_not_stop_the_next_request")}
"""Faults that do not show in each run."""
PAGE: Final = ROOT / "docs" / "deployment.md"
_HEAD: Final = "| server | of each flavour hold | what the server itself gets wrong |\n|---|---|---|\n"


def checks_of(kind: Kind) -> list[str]:
    """The names of the checks that say something of a server."""
    return [name for name in CHECKS.by_name if not (kind.http2 and name in CHECKS.only_http1)]


def table() -> str:
    """The table of the page."""
    rows = []
    for kind in KINDS:
        faults, names = KNOWN.get(kind.name, {}), checks_of(kind)
        said = "; ".join(dict.fromkeys(faults.values())) or "nothing that these checks find"
        rows.append(f"| {kind.name} | {len(names) - len(faults)} of {len(names)} | {said} |\n")
    return _HEAD + "".join(rows)


def main() -> None:
    """Writes the table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_HEAD)
    after = rest[rest.index("\n\n") + 1 :]
    PAGE.write_text(before + table() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
