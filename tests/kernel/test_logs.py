from __future__ import annotations

import copy
import io
import logging
import logging.config

import pytest

from streamcompat.kernel import accesslog
from streamcompat.kernel.accesslog import AccessRecord
from streamcompat.kernel.logs import _attach, listen
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.sanic_api.log import LOGGING_CONFIG_DEFAULTS
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from streamcompat.testing import Client
from tests.support.exchanges import ask


def test_a_log_that_cannot_be_written_is_said_once(capsys):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    logger = logging.Logger("full")
    _attach(logger, logging.Formatter(), Full(), logging.INFO)
    for _ in range(3):
        logger.info("one")
    assert capsys.readouterr().err == "cannot write the log any more: No space left on device\n"


async def test_a_record_for_each_response(app, caplog):
    caplog.set_level(logging.INFO)

    async def produce(response):
        response.write("abc")

    app.get("/")(lambda request: text("x"))
    app.get("/stream")(lambda request: sanic_response.stream(produce, 201))
    app.started(None, None)
    for path in ("/", "/stream", "/x"):
        await ask(app, "GET", path)
    records = [record for record in caplog.records if record.name == "sanic.access"]
    assert [(record.request, record.status, record.byte, record.host) for record in records] == [
        ("GET http://test.example/", 200, 1, "192.0.2.1:5000"),
        ("GET http://test.example/stream", 201, 3, "192.0.2.1:5000"),
        ("GET http://test.example/x", 404, 33, "192.0.2.1:5000"),
    ]


@pytest.mark.parametrize(("setting", "asked"), [(False, None), (True, False)])
async def test_unless_it_is_switched_off(app, caplog, setting, asked):
    caplog.set_level(logging.INFO)
    app.config.ACCESS_LOG = setting
    app.started(None, asked)
    assert app.config.ACCESS_LOG is False
    await ask(app, "GET", "/")
    assert [record for record in caplog.records if record.name == "sanic.access"] == []


class TestListening:
    @pytest.fixture
    def loggers(self):
        logger, access = logging.Logger("a"), logging.Logger("b")
        logger.parent = access.parent = logging.Logger("root of nobody")
        return logger, access

    def test_where_nobody_listens_both_get_a_handler(self, loggers):
        logger, access = loggers
        listen(logger, access)
        assert (len(logger.handlers), len(access.handlers)) == (1, 1)
        assert logger.isEnabledFor(logging.INFO)
        assert access.isEnabledFor(logging.INFO)
        assert not access.propagate
        listen(logger, access, debug=True)
        assert (len(logger.handlers), len(access.handlers)) == (1, 1)

    def test_what_is_set_up_stays(self, loggers):
        logger, access = loggers
        logger.parent.addHandler(logging.NullHandler())
        access.addHandler(logging.NullHandler())
        access.setLevel(logging.ERROR)
        listen(logger, access)
        assert logger.handlers == []
        assert (len(access.handlers), access.level, access.propagate) == (1, logging.ERROR, True)

    def test_the_access_format_shows_its_fields(self, loggers, capsys):
        logger, access = loggers
        listen(logger, access)
        access.info("", extra={"status": 200, "byte": 5, "host": "h:1", "request": "GET /x"})
        assert "[h:1]: GET /x  200 5\n" in capsys.readouterr().out


def test_a_configuration_of_the_apps_own(monkeypatch):
    given = []
    monkeypatch.setattr(logging.config, "dictConfig", given.append)
    Sanic("x", load_env=False, log_config=LOGGING_CONFIG_DEFAULTS)
    Mach9("x", load_env=False, log_config=LOGGING_CONFIG_DEFAULTS)
    Sanic("x", load_env=False, log_config=LOGGING_CONFIG_DEFAULTS, configure_logging=False)
    Sanic("x", load_env=False)
    assert given == [LOGGING_CONFIG_DEFAULTS] * 2


def test_the_published_configuration_is_one():
    config = copy.deepcopy({**LOGGING_CONFIG_DEFAULTS, "loggers": {}, "handlers": {}})
    logging.config.DictConfigurator(config).configure()
    assert set(LOGGING_CONFIG_DEFAULTS["loggers"]) == {"root", "sanic.error", "sanic.access"}
    for handler in LOGGING_CONFIG_DEFAULTS["handlers"].values():
        assert handler["formatter"] in LOGGING_CONFIG_DEFAULTS["formatters"]


def lines(caplog):
    return [
        (record.request, record.message, record.status, record.byte)
        for record in caplog.records
        if record.name == "sanic.access"
    ]


class TestTheAccessLog:
    """What it leaves out nowhere: responses that are cut, clients that leave, requests that no app takes."""

    async def test_a_response_that_is_cut(self, app, caplog):
        caplog.set_level(logging.INFO)

        @app.get("/")
        async def handler(request):
            def produce(response):
                response.write("abc")
                raise ZeroDivisionError

            return sanic_response.stream(produce)

        async with Client(app) as client:
            await client.get("/")
        assert lines(caplog) == [("GET http://testserver/", "cut", 200, 3)]

    async def test_a_client_that_leaves_in_the_middle(self, app, caplog):
        caplog.set_level(logging.INFO)

        @app.post("/", stream=True)
        async def handler(request):
            while await request.stream.get() is not None:
                pass
            return text("")

        async with (
            Client(app) as client,
            client.stream("POST", "/", headers={"Content-Length": "9"}) as stream,
        ):
            await stream.send(b"abc")
            stream.disconnect()
            await client.settle()
        assert lines(caplog) == [("POST http://testserver/", "left", 499, 0)]

    async def test_a_404_that_no_mount_takes(self, app, caplog):
        caplog.set_level(logging.INFO)
        app.get("/")(lambda request: text("x"))
        site = Site()
        site.mount(app, "/app")
        async with Client(site) as client:
            assert (await client.get("/app/")).status == 200
            assert (await client.get("/elsewhere")).status == 404
        assert [line[::2] for line in lines(caplog)] == [
            ("GET http://testserver/app/", 200),
            ("GET http://testserver/elsewhere", 404),
        ]

    def test_a_record_is_one_of_loggings_own(self):
        """Formatters and handlers of an application find all that a record has, but the place in the code."""
        plain = logging.LogRecord("access", logging.INFO, "", 0, "", (), None, "access")
        values = dict.fromkeys(accesslog.FIELDS, "")
        values |= {"message": "cut", "host": "h:1", "request": "GET http://h/", "status": 200, "byte": 5}
        ours = AccessRecord("access", values)
        assert set(plain.__dict__) <= set(ours.__dict__)
        assert (ours.getMessage(), ours.levelname, ours.process) == ("cut", "INFO", plain.process)
        plain.__dict__ |= {"host": "h:1", "request": "GET http://h/", "status": 200, "byte": 5, "msg": "cut"}
        plain.created, plain.msecs = ours.created, ours.msecs
        dates = "%Y-%m-%d %H:%M:%S"
        by_logging = logging.Formatter(accesslog.FORMAT, dates).format(plain)
        assert accesslog.AccessFormatter(accesslog.FORMAT, dates).format(ours) == by_logging
