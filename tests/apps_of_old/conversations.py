"""What is said to each application of `apps/`, in order, and which releases it was written for.

The applications are written as their release's documentation writes them, and run unedited: with the
originals when `python -m tests.apps_of_old.conversations` records their answers, and with ours in the tests.
"""

from __future__ import annotations

from pathlib import Path

from tests.apps_of_old.early import EARLY
from tests.apps_of_old.oldapp import APPS_FOLDER, JSON, SANIC, OldApp, conversation, preflight, put
from tests.parity.originals import answers, record
from tests.parity.originals.surface.cases import Case, chunked, form, get, multipart, post, request

RECORDS = Path(__file__).with_name("records.json")

APPS = [
    *EARLY,
    OldApp(
        "timed_19.py",
        ("sanic-19.12.5",),
        conversation(
            get("/"),
            get("/nothing"),
            post("/echo", b'{"a": 1}', content_type=JSON),
            post("/echo", b"{", content_type=JSON),
            get("/stream"),
            post("/upload", b"x" * 1000),
            chunked("/upload", b"one", b"two"),
            get("/args?a=1&b=&a=2"),
            get("/fails"),
            get("/none"),
            get("/endpoint"),
            get("/admin/"),
            get("/admin/", authorization="Bearer secret"),
            request("PUT", "/"),
        ),
        compat="19.12",
    ),
    OldApp(
        "notes_20.py",
        ("sanic-20.12.7",),
        conversation(
            get("/v2/api/notes/"),
            form("/v2/api/notes/", "text=second"),
            form("/v2/api/notes/", "other=1"),
            get("/v2/api/notes/1"),
            get("/v2/api/notes/9"),
            get("/v2/api/notes/x"),
            get("/api/private/", x_user="ann"),
            get("/api/private/"),
            get("/page", x_user="ann"),
            get("/fails"),
            get("/self"),
            get("/count"),
            post("/upload", b"x" * 1000),
            chunked("/upload", b"one", b"two"),
            get("/none"),
        ),
        compat="20.12",
    ),
    OldApp(
        "inventory_21.py",
        ("sanic-21.12.2",),
        conversation(
            get("/"),
            get("/v1/api/items/1"),
            get("/v1/api/items/9"),
            get("/v1/api/items/9", accept="application/json"),
            get("/v1/api/items/9", accept="text/html"),
            get("/v1/api/items/x"),
            request("DELETE", "/v1/api/items/2"),
            get("/v1/api/items/2"),
            post("/v1/api/items/", b'{"name": "axe"}', content_type=JSON),
            post("/v1/api/items/", b"{}", content_type=JSON),
            get("/v1/api/items/3"),
            get("/api/reports/2021-12-24"),
            get("/api/reports/2021-02-30"),
            get("/api/reports/big-hammer/as/text"),
            get("/api/reports/Big/as/text"),
            get("/query?a=1&b=2&a=3&c="),
            get("/client", x_forwarded_for="1.2.3.4, 5.6.7.8", x_forwarded_host="shop.example"),
            get("/client"),
            get("/page"),
            get("/lines"),
            get("/respond"),
            post("/upload", b"x" * 1000),
            chunked("/upload", b"one", b"two"),
            get("/signal"),
            get("/none"),
            request("PUT", "/page"),
        ),
        compat="21.12",
    ),
]

APPS += [
    OldApp(
        "pastebin.py",
        SANIC[3:],
        conversation(
            get("/"),
            get("/paste"),
            form("/paste", "text=hello+w%C3%B6rld"),
            get("/"),
            get("/p/00000000"),
            get("/p/ffffffff"),
            get("/p/zz"),
            get("/p/00000000/raw"),
            get("/p/zz/raw"),
            get("/last?a=1&b=2&a=3", cookie="last=abc; x=y"),
            get("/n/5/1.5?x=%20y"),
            get("/n/-5/1.5"),
            post("/paste", b'{"text": "js"}', content_type=JSON),
            post("/paste", b'{"text"', content_type=JSON),
            post("/paste", content_type=JSON),
            form("/paste", "text=" + "x" * 300),
            get("/empty"),
            get("/key"),
            get("/static/main.css", if_modified_since="never"),
            get("/static/none"),
            multipart(
                "/upload", ('name="file"; filename="a.txt"', "text/plain", b"abc"), ('name="x"', None, b"1")
            ),
            get("/p/%30%30000000"),
            get("/Paste"),
            get("/paste/"),
        ),
    ),
    OldApp(
        "typed_18.py",
        ("sanic-18.12.0",),
        conversation(
            get("/bp2/x"),
            get("/bp2/x/"),
            get("/get/a/b/c/d"),
            get("/get/a%20b/c%2Fd"),
            get("/u/12345678-1234-5678-1234-567812345678"),
            get("/u/x"),
            get("/hosts", host="a.example"),
            get("/hosts", host="b.example"),
            get("/hosts", host="x.example"),
            get("/config"),
            get("/composition"),
            request("DELETE", "/thing/x"),
            get("/err/404"),
            get("/err/403"),
            get("/err/401"),
            get("/err/418"),
            get("/ctx"),
        ),
        compat="18.12",
    ),
    OldApp(
        "groups_19.py",
        ("sanic-19.12.5",),
        conversation(
            get("/api/content/v1/"),
            get("/api/content/v1"),
            get("/api/content/v2/"),
            request("OPTIONS", "/api/content/v2/"),
            get("/api/sub/trace"),
            get("/headers?stop=1"),
            form("/form", "a=1&a=2&b="),
            multipart("/form", ('name="a"', None, b"1"), ('name="f"; filename=""', "text/plain", b"")),
            get("/headers"),
            get("/zero"),
            get("/boom"),
            get("/forbidden"),
            get("/int/7"),
            get("/int/-7"),
            get("/int/x"),
            get("/redirect"),
        ),
        compat="19.12",
    ),
    OldApp(
        "answers_19.py",
        ("sanic-19.12.5",),
        conversation(
            get("/q?a=1&b=&a=2&c=%C3%A4"),
            get("/unauth"),
            get("/empty"),
            get("/raw"),
            get("/json"),
            get("/cookie"),
            *(get(f"/abort/{status}") for status in (404, 401, 500, 503)),
            get("/abortm/400"),
            get("/abortm/403"),
            get("/direct"),
            get("/ve"),
            get("/ctx"),
            get("/none"),
        ),
        compat="19.12",
    ),
    OldApp(
        "api_20.py",
        ("sanic-20.12.7",),
        conversation(
            get("/v1/v1/who/12345678-1234-5678-1234-567812345678"),
            get("/v1/v1/who/x"),
            get("/global"),
            get("/problem"),
            get("/abort"),
            get("/crash"),
            post("/up", b"x" * 5000),
            chunked("/up", b"a", b"bb"),
            post("/unread", b"x" * 5000),
            post("/body", b"abc"),
            get("/items/4"),
            get("/items/-4"),
            post("/items/4", b'{"a": 1}', content_type=JSON),
            get("/items"),
            post("/items", b"{", content_type=JSON),
            get("/url"),
            get("/task"),
            get("/stream"),
            get("/empty"),
            get("/headers", x_a="1", x_b="2"),
            get("/none"),
        ),
        asyncio=True,
        compat="20.12",
    ),
    OldApp(
        "signals_21.py",
        ("sanic-21.12.2",),
        conversation(
            get("/api/v2/users/3"),
            get("/api/v1/users/-4"),
            get("/group/inner/x"),
            get("/sell/axe"),
            get("/sell/saw"),
            get("/numbers/1.5/2021-03-04/7"),
            get("/numbers/-1/2021-03-04/-7"),
            get("/decoded/a%2Fb%20c"),
            get("/as-sent/a%2Fb%20c"),
            get("/view"),
            get("/teapot"),
            get("/teapot", accept="application/json"),
            get("/text-error"),
            get("/json-error"),
            get("/json-error", accept="text/html"),
            get("/who"),
            post("/json", b"{}", content_type=JSON),
            post("/json", b"{", content_type=JSON),
            get("/label"),
            get("/lines"),
        ),
        compat="21.12",
    ),
    OldApp(
        "team_21.py",
        ("sanic-21.3.4",),
        conversation(
            get("/v1/api/people/1"),
            get("/v1/api/people/called/Ann"),
            get("/v1/api/people/called/Zoe"),
            get("/v1/api/people/7"),
            get("/v1/api/people/-7"),
            request("DELETE", "/v1/api/people/1"),
            get("/v1/api/people/born/2021-03-04"),
            get("/api/teams/"),
            get("/api/teams"),
            get("/api/teams/red/cook"),
            get("/api/teams/red/lead"),
            get("/desk"),
            get("/desk/window"),
            put("/desk", b""),
            get("/caf%C3%A9/cr%C3%A8me"),
            get("/decoded/cr%C3%A8me"),
            get("/files/a/b%20c"),
            get("/files/"),
            get("/where"),
            get(
                "/where", x_forwarded_for="192.0.2.7", x_forwarded_proto="https", x_forwarded_host="t.example"
            ),
            get("/away"),
            get("/broken"),
            get("/page"),
            get("/started"),
            get("/rows"),
            chunked("/import", b"ab", b"cde"),
            post("/import", b"x" * 70_000),
        ),
        compat="21.3",
    ),
]

OF_EXTENSIONS = [
    OldApp(
        "cors_20.py",
        ("sanic-20.12.7",),
        conversation(
            get("/api/posts/"),
            get("/api/posts/", origin="https://a.example"),
            get("/api/posts/", origin="https://c.example"),
            preflight("/api/posts/", "https://b.example", "GET"),
            preflight("/api/posts/1", "https://b.example", "PUT", "x-token, content-type"),
            preflight("/api/posts/1", "https://c.example", "PUT"),
            request("DELETE", "/api/posts/1", origin="https://b.example"),
            get("/api/posts/2", origin="https://a.example"),
            get("/api/none", origin="https://a.example"),
            get("/api/broken", origin="https://a.example"),
            get("/open", origin="https://any.example"),
            preflight("/open", "https://any.example", "POST"),
            post("/open", b"x", origin="https://any.example"),
            get("/closed", origin="https://a.example"),
        ),
        compat="20.12",
        needs=("sanic-cors==0.10.0.post3", "sanic-plugins-framework==0.9.5"),
    ),
]
"""Applications that need an extension."""

OF_OLD_PYTHON = [
    OldApp(
        "generators.py",
        SANIC[:3],  # since 0.8 `write` is to be awaited
        conversation(
            get("/hello/ann"),
            get("/hello/bert"),
            get("/hello/ann"),
            get("/counted"),
            get("/queue"),
            post("/doubles", b"[1, 2, 3]", content_type=JSON),
            post("/doubles", b"{}", content_type=JSON),
            get("/rows"),
            get("/nowhere"),
        ),
        asyncio=True,
    ),
]
"""Applications that need what Python itself has removed."""


def talk(
    address: tuple[str, int], said: list[Case], patience: float, quiet: float = 0
) -> list[list[answers.Answer]]:
    """Says one thing after the other, and gives every answer."""
    found = []
    for one in said:
        received = answers.ask(address, one.sent, one.answers, patience, quiet)
        found.append(answers.read(received, one.sent, one.answers))
    return found


def main() -> None:
    """Records what the originals answer."""
    kept = {}
    for app in [*APPS, *OF_OLD_PYTHON, *OF_EXTENSIONS]:
        for release in app.releases:
            with record.original(release, str(APPS_FOLDER / app.path), app.needs) as address:
                found = talk(address, app.said, record.PATIENCE, record.QUIET)
            kept[f"{app.path} {release}"] = dict(zip((one.name for one in app.said), found, strict=True))
    record.write(RECORDS, kept)


if __name__ == "__main__":
    main()
