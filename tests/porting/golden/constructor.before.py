from sanic import Blueprint, Sanic

app = Sanic("constructor", is_request_stream=True)
second = Sanic(is_request_stream=True)
third = Sanic("third", None, None, False, None, True)
fourth = Sanic(
    "fourth",
    load_env=False,
    configure_logging=False,
    is_request_stream=True,
    log_config={},
)
part = Blueprint("part", url_prefix="/part", version=1, strict_slashes=True)

if __name__ == "__main__":
    app.run("127.0.0.1", 8000, True, workers=1, register_sys_signals=False)
