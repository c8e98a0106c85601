from sanic import Sanic
from sanic.exceptions import NotFound, ServerError
from sanic.response import text

app = Sanic("exceptions", load_env=False)


@app.exception(NotFound)
def missing(req, exc):
    return text(f"{req.path}: {exc}", 404)


@app.exception(ServerError, ValueError)
async def failed(request, exception):
    return text("failed", 500)
