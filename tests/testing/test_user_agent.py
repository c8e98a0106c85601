"""Contents, credentials, cookies and redirects of the client's requests."""

from __future__ import annotations

import io
from typing import Any

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic
from streamcompat.testing import Client, Request, TestClient
from streamcompat.testing.user_agent import TooManyRedirects


def _app(made: Any, response: Any) -> Any:
    @made.route("/told", methods=["GET", "HEAD", "POST", "PUT"])
    async def told(request: Any) -> Any:
        kind = request.headers.get("content-type", "")
        files = {
            name: [[one.name, one.body.decode("latin-1"), one.type] for one in found]
            for name, found in (request.files or {}).items()
        }
        return response.json(
            {
                "method": request.method,
                "query": request.query_string,
                "type": kind.partition(";")[0],
                "json": request.json if kind == "application/json" else None,
                "form": dict(request.form or {}),
                "files": files,
                "body": request.body.decode("latin-1"),
                "auth": request.headers.get("authorization"),
                "cookies": dict(request.cookies),
            }
        )

    @made.route("/set/<name>/<value>")
    async def sets(request: Any, name: str, value: str) -> Any:
        result = response.text("set")
        result.cookies[name] = value
        result.cookies[name]["path"] = "/"
        if value == "none":
            result.cookies[name]["max-age"] = 0
        return result

    async def moved(request: Any, status: str) -> Any:
        to = request.args.get("to") or request.url
        return response.text("", int(status), headers={"Location": to})

    made.add_route(moved, "/moved/<status>", methods=["GET", "HEAD", "POST", "PUT"])
    return made


APPS = {"sanic": lambda: _app(Sanic("agent"), sanic), "mach9": lambda: _app(Mach9("agent"), mach9)}


@pytest.fixture(params=APPS)
def client(request: pytest.FixtureRequest) -> Any:
    with TestClient(APPS[request.param]()) as client:
        yield client


def test_contents(client: TestClient) -> None:
    value = {"é": [1, None, "\n"]}
    answer = client.post("/told", json=value, cuts=[3]).json()
    assert (answer["type"], answer["json"]) == ("application/json", value)
    answer = client.post("/told", json=[], headers={"content-type": "application/x+json"}).json()
    assert (answer["type"], answer["body"]) == ("application/x+json", "[]")
    answer = client.put("/told", data={"a": "é &", "b": ["1", "2"]}).json()
    assert answer["form"] == {"a": ["é &"], "b": ["1", "2"]}
    files = {
        "one": b"\r\n--x\0",
        "two": ('a"\r\nb.txt', "text"),
        "three": ("c", io.BytesIO(b"of a file"), "text/css"),
    }
    sent = [client.post("/told", data={"n": ["1", 2]}, files=files).json() for _ in range(2)]
    assert sent[0]["form"] == {"n": ["1", "2"]}
    assert [sent[0]["files"][name][0][1:] for name in ("one", "two")] == [
        ["\r\n--x\0", "application/octet-stream"],
        ["text", "application/octet-stream"],
    ]
    assert sent[0]["files"]["three"] == [["c", "of a file", "text/css"]]
    assert client.post("/told", files={}).json()["files"] == {}
    with pytest.raises(TypeError, match="one content, not json and files"):
        client.post("/told", json=1, data={"a": "b"}, files=files)
    with pytest.raises(TypeError, match="the body of a Request is bytes, not str: encode it"):
        Request("POST", "/told", body="text")  # type: ignore[arg-type]


def test_cookies_are_kept_and_given(client: TestClient) -> None:
    client.get("/set/a/1")
    client.get("/set/b/2")
    assert client.get("/told").json()["cookies"] == {"a": "1", "b": "2"}
    assert client.get("/told", cookies={"c": "3"}).json()["cookies"] == {"a": "1", "b": "2", "c": "3"}
    client.get("/set/b/none")
    client.cookies["d"] = "4"
    assert client.get("/told").json()["cookies"] == {"a": "1", "d": "4"}
    assert client.get("/told", headers={"Cookie": "x=y"}).json()["cookies"] == {"x": "y"}
    # What compares answers has no memory.
    assert client.send(Request("GET", "/told")).json()["cookies"] == {}


@pytest.mark.anyio
async def test_credentials_and_cookies_of_a_client() -> None:
    async with Client(APPS["mach9"](), auth=("ada", "é:"), cookies={"a": "1"}) as client:
        answer = (await client.get("/told")).json()
        assert (answer["auth"], answer["cookies"]) == ("Basic YWRhOsOpOg==", {"a": "1"})
        assert (await client.get("/told", auth=("b", ""))).json()["auth"] == "Basic Yjo="
        given = (await client.get("/told", headers={"Authorization": "Bearer x"})).json()
        assert given["auth"] == "Bearer x"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_redirects(client: TestClient, method: str, status: int) -> None:
    moved = f"/moved/{status}?to=/told%3Fa%3Db"
    assert client.request(method, moved).status == status
    answer = client.request(method, moved, json=[1], follow_redirects=True)
    assert (answer.status, [one.status for one in answer.history]) == (200, [status])
    if method == "HEAD":
        return
    kept = status in (307, 308) or (method != "POST" and status != 303)
    told = answer.json()
    assert told["method"] == (method if kept else "GET")
    assert told["query"] == "a=b"
    assert told["json"] == ([1] if kept else None)


def test_redirects_that_are_not_followed(client: TestClient) -> None:
    def sent(to: str, **options: Any) -> Any:
        return client.post(f"/moved/307?to={to}", follow_redirects=True, **options)

    assert sent("http://testserver/told").json()["method"] == "POST"
    assert sent("http://elsewhere/told").status == 307
    assert sent("//elsewhere/told").status == 307
    with pytest.raises(TooManyRedirects, match="more than 20 redirects, the last one to /moved/302"):
        client.get("/moved/302", follow_redirects=True)
    with pytest.raises(ValueError, match="an iterable is not sent twice"):
        sent("/told", content=iter([b"a"]))
