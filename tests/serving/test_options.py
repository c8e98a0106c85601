"""The options of a run: what is accepted, what is refused, and what becomes of the limits."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import socket
import ssl
from pathlib import Path

import pytest

from streamcompat.asgi_api import ASGIApp
from streamcompat.mach9_api import Mach9, Server
from streamcompat.sanic_api import Sanic
from streamcompat.serving import options as module
from streamcompat.serving.accepted import SAME_AS, WITHOUT_EFFECT
from streamcompat.serving.flags import Flag
from streamcompat.serving.front import FrontOptions
from streamcompat.serving.limits import merged_limits
from streamcompat.serving.options import OF_PROCESS, RunOptions
from streamcompat.serving.site import Site
from streamcompat_engine import Limits, ServerConfig

ORIGINALS = {
    "Sanic 0.5.4 run": "host port debug ssl sock workers protocol backlog stop_event register_sys_signals "
    "log_config",
    "Sanic 0.8.3 run": "host port debug ssl sock workers protocol backlog stop_event register_sys_signals "
    "access_log auto_reload",
    "Sanic 20.12.3 run": "host port debug auto_reload ssl sock workers protocol backlog "
    "register_sys_signals access_log unix loop",
    "Sanic 21.12.1 run": "host port debug auto_reload ssl sock workers protocol backlog "
    "register_sys_signals access_log unix loop reload_dir noisy_exceptions motd fast verbosity motd_display",
    "Mach9 0.0.4 run": "host port ssl debug sock workers backlog protocol",
}
CREATE_SERVER = {
    "Sanic 0.5.4": "host port debug ssl sock protocol backlog stop_event log_config",
    "Sanic 0.8.3": "host port debug ssl sock protocol backlog stop_event access_log",
    "Sanic 19.12.2": "host port debug ssl sock protocol backlog stop_event access_log return_asyncio_server "
    "asyncio_server_kwargs",
    "Sanic 21.12.1": "host port debug ssl sock protocol backlog access_log unix return_asyncio_server "
    "asyncio_server_kwargs noisy_exceptions",
}


async def asgi(scope, receive, send):
    raise AssertionError("it is never called")


def read(*positional, order=("host", "port"), without=(), **given):
    return RunOptions.read("run", order, positional, given, without)


@pytest.mark.parametrize("release", ORIGINALS)
def test_what_run_of_an_original_took_is_accepted(release):
    read(**dict.fromkeys(ORIGINALS[release].split()))


@pytest.mark.parametrize("release", CREATE_SERVER)
def test_what_create_server_of_an_original_took_is_accepted(release):
    read(without=OF_PROCESS, **dict.fromkeys(CREATE_SERVER[release].split()))


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_an_option_without_effect_changes_nothing(name):
    assert read(**{name: object()}) == RunOptions()


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("wrokers", "workers"), ("max_request", "max_requests"), ("unx", "unix"), ("stop_events", "stop_event")],
)
@pytest.mark.parametrize("kind", [Sanic, Mach9, Site])
def test_a_misspelt_option_names_the_nearest(kind, wrong, near):
    app = kind() if kind is Site else kind("app", load_env=False)
    with pytest.raises(
        TypeError, match=rf"^run\(\) got an unexpected option '{wrong}': did you mean '{near}'"
    ):
        app.run(port=0, **{wrong: 4})


def test_an_option_like_no_other_is_refused_without_a_hint(mach9):
    with pytest.raises(TypeError, match=r"^run\(\) got an unexpected option 'zzz'$"):
        Server(mach9).run(port=0, zzz=1)
    assert mach9.server is None


async def test_create_server_has_no_options_of_a_process(app):
    with pytest.raises(TypeError, match=r"^create_server\(\) got an unexpected option 'workers'"):
        await app.create_server(port=0, workers=2)


@pytest.mark.parametrize(
    ("kind", "positional"),
    [(Sanic, ("h", 1, True, "tls", None, 3, None, 5)), (Mach9, ("h", 1, "tls", True, None, 3, 5, None))],
)
def test_positional_arguments_are_those_of_the_flavour(kind, positional, monkeypatch):
    given = []
    app = kind("app", load_env=False)
    monkeypatch.setattr(app, "_serve", given.append)
    app.run(*positional)
    assert given == [RunOptions(host="h", port=1, debug=True, ssl="tls", workers=3, backlog=5)]


def test_the_signature_names_each_option():
    assert str(inspect.signature(Mach9.run)).startswith(
        "(self, host='127.0.0.1', port=8000, ssl=None, debug=False, sock=None, workers=1, backlog=2048, "
        "protocol=None, *, uds=None, "
    )
    run = inspect.signature(Sanic.run).parameters
    assert {field.name for field in dataclasses.fields(RunOptions)} <= run.keys()
    assert not OF_PROCESS & inspect.signature(Sanic.create_server).parameters.keys()


def test_one_option_twice_and_too_many_positional_ones_are_refused():
    with pytest.raises(TypeError, match=r"run\(\) got two values for 'port'"):
        read("h", 1, port=2)
    with pytest.raises(TypeError, match=r"run\(\) got two values for 'uds'"):
        read(unix="a", uds="b")
    with pytest.raises(TypeError, match=r"takes at most 2 positional arguments, not 3"):
        read("h", 1, False)


def test_defaults_are_the_engines():
    given = RunOptions().of_server()
    assert ServerConfig(**given) == ServerConfig()
    assert read(None, None) == read("", None) == RunOptions()
    assert read(port=0).port == 0


def test_the_place_is_a_socket_then_a_path_then_an_address():
    with socket.socket() as sock:
        assert read(sock=sock, unix="s", host="h").place() == {"sockets": (sock,)}
    assert read(unix="s", host="h").place() == {"uds": "s"}
    assert read("h", 1).place() == {"host": "h", "port": 1}


VALID = [
    ("port", "8000", 8000),
    ("workers", "2", 2),
    ("limit_concurrency", "5", 5),
    ("max_memory", "500M", 500 * 2**20),
    ("grace", 15, 15.0),
    ("drain", "1.5", 1.5),
    ("worker_timeout", float("inf"), float("inf")),
    ("host", None, None),
    ("uds", Path("a.sock"), "a.sock"),
    ("uds_mode", 0o660, 0o660),
    ("uds_mode", "660", 0o660),
    ("fd", 3, [3]),
    ("fd", (3, 4), (3, 4)),
    ("log_level", "INFO", "info"),
    ("log_config", {"version": 1}, {"version": 1}),
    ("access_log", 1, 1),
    ("ssl_version", ssl.PROTOCOL_TLS_SERVER, "1.2"),
    ("ssl_version", ssl.TLSVersion.TLSv1_3, "1.3"),
    ("ssl_cert_reqs", ssl.CERT_REQUIRED, 2),
    ("ssl_cert_reqs", "required", 2),
    ("forwarded_allow_ips", "10.0.0.0/8, unix", ("10.0.0.0/8", "unix")),
    ("headers", {"X-A": 1}, {"X-A": 1}),
]
INVALID = [
    ("workers", 0, "'0' is not a valid number of processes"),
    ("workers", 2.5, "'2.5' is not a valid number"),
    ("driver", "asynico", "'asynico' is not a valid driver: did you mean 'asyncio'?"),
    ("driver", 3, r"invalid choice: '3' \(choose from"),
    ("limit_concurrency", -1, "'-1' is not a valid number of requests"),
    ("max_requests", "five", "'five' is not a valid number"),
    ("grace", "-1", "'-1' is not a valid number of seconds"),
    ("timeout_keep_alive", float("nan"), "'nan' is not a valid number"),
    ("ready_path", "ready", "'ready' is not a valid path"),
    ("host", "127.0.0.1:80", "has a port: give --host 127.0.0.1 --port 80"),
    ("uds_mode", 0o1000, "'1000' is not a valid mode"),
    ("backlog", 0, "'0' is not a valid number of connections"),
    ("log_level", "chatty", "invalid choice: 'chatty'"),
    ("log_config", "none.json", "cannot read none.json"),
    ("access_log_format", "{nope}", "no field 'nope'"),
    ("ssl_version", ssl.TLSVersion.TLSv1_1, "older versions of TLS are not safe"),
    ("ssl_cert_reqs", 7, "'7' is not valid"),
    ("root_path", "api", "'api' is not a prefix of paths"),
    ("forwarded_allow_ips", "10.0.0.0/99", "does not appear to be"),
]


@pytest.mark.parametrize(("name", "value", "expected"), VALID)
def test_a_value_in_code_is_what_it_is_on_the_command_line(name, value, expected):
    assert getattr(RunOptions(**{name: value}).checked(), name) == expected


@pytest.mark.parametrize(("name", "value", "message"), INVALID)
def test_a_value_in_code_is_refused_as_on_the_command_line(name, value, message):
    with pytest.raises(ValueError, match=f"^{name}={re.escape(repr(value))}: .*{message}"):
        RunOptions(**{name: value}).checked()


@pytest.mark.parametrize("kind", [Sanic, Mach9, Site, lambda _: ASGIApp(asgi)])
async def test_an_app_of_each_kind_refuses_a_wrong_value_before_it_serves(kind):
    app = Site() if kind is Site else kind("wrong")
    with pytest.raises(ValueError, match="^driver='asynico': 'asynico' is not a valid driver"):
        app.run(driver="asynico")
    with pytest.raises(ValueError, match="^backlog=0: '0' is not a valid number of connections"):
        await app.create_server(backlog=0)
    with pytest.raises(
        TypeError, match="unexpected option 'limit_max_requests': did you mean 'max_requests'"
    ):
        app.run(limit_max_requests=3)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("timeout_graceful_shutdown", "grace"), ("cert", "ssl_certfile"), ("access_logs", "access_log")],
)
def test_a_name_of_the_command_line_leads_to_the_argument(wrong, near):
    with pytest.raises(TypeError, match=f"unexpected option '{wrong}': did you mean '{near}'"):
        read(**{wrong: 1})


@pytest.mark.parametrize(
    ("value", "message"), [("64K", "'64K', which is not a whole"), (None, "None, which")]
)
def test_a_limit_that_is_no_number_is_refused(value, message):
    with pytest.raises(ValueError, match=f"limits: head_fields is {message}"):
        merged_limits(Limits(), {"head_fields": value})


def test_fast_is_a_worker_for_each_processor(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    assert read(fast=True).workers == 3
    assert read(fast=False, workers=2).workers == 2
    with pytest.raises(RuntimeError, match="both fast=True and workers=X"):
        read(fast=True, workers=2)


@pytest.mark.parametrize(
    ("given", "supervised"), [({}, False), ({"workers": 2}, True), ({"max_requests": 1}, True)]
)
def test_what_is_supervised(given, supervised):
    assert RunOptions(**given).is_supervised is supervised


def test_each_option_says_what_it_is():
    for field in dataclasses.fields(RunOptions):
        owner = FrontOptions if field.name in FrontOptions.__annotations__ else RunOptions
        assert f"{field.name}" in (owner.__doc__ or ""), field.name
        flag = field.metadata.get("flag")
        assert flag is None or isinstance(flag, Flag)


def test_no_name_is_in_two_tables():
    names = [field.name for field in dataclasses.fields(RunOptions)]
    tables = [*names, *SAME_AS, *WITHOUT_EFFECT, module.FAST]
    assert len(tables) == len(set(tables))
    assert set(SAME_AS.values()) <= set(names)


@pytest.mark.parametrize("name", ["max_requests", "max_memory", "limit_concurrency", "worker_timeout"])
def test_0_switches_a_limit_off(name):
    """As it does for gunicorn; and a value of a project file can be taken back on the command line."""
    field = next(one for one in dataclasses.fields(RunOptions) if one.name == name)
    assert field.metadata["flag"].read("0") == 0
    options = RunOptions(**{name: 0})
    assert not options.is_supervised
    assert options.of_server()["concurrency" if name == "limit_concurrency" else name] is None


class TestLimits:
    def test_the_settings_of_an_app(self, app):
        assert app.server_config().limits == Limits()
        app.config.ENGINE_LIMIT_HEAD_FIELDS = "70000"
        assert app.server_config().limits == Limits(head_fields=70000)

    def test_those_of_a_run_go_before(self, app):
        app.config.ENGINE_LIMIT_HEAD_FIELDS = 70000
        app.config.ENGINE_LIMIT_DRAIN_SIZE = 5
        config = app.server_config(limits={"head_fields": 9})
        assert config.limits == Limits(head_fields=9, drain_size=5)
        assert app.server_config(limits=Limits(pipelined=3)).limits == Limits(pipelined=3)

    def test_apps_of_a_site_share_the_largest(self):
        site = Site()
        for size in (10, 30, 20):
            app = Sanic(f"app{size}", load_env=False)
            app.config.ENGINE_LIMIT_FIELD_COUNT = size
            site.mount(app, f"/{size}")
        assert site.server_config().limits == Limits(field_count=30)
        assert Site().server_config().limits == Limits()

    def test_one_that_there_is_not_is_refused(self, app):
        with pytest.raises(ValueError, match="'head_field' is not a limit: did you mean 'head_fields'"):
            merged_limits(Limits(), {"head_field": 1})
        app.config.ENGINE_LIMIT_HEDA = 1
        with pytest.raises(ValueError, match="'heda' is not a limit"):
            app.server_config()

    @pytest.mark.parametrize(
        "limits", [{"head_fields": -1}, {"inbound_low": 2**20}, {"outbound_high": 1}, {"inbound_high": 1}]
    )
    def test_values_that_cannot_hold_are_refused(self, limits):
        with pytest.raises(ValueError, match="negative|above its high-water mark"):
            Limits(**limits)
