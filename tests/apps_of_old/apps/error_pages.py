from sanic import Sanic
from sanic.exceptions import NotFound, SanicException, ServerError
from sanic.handlers import ErrorHandler
from sanic.response import html, json, text


class OutOfStock(SanicException):
    status_code = 409


class CustomHandler(ErrorHandler):
    def default(self, request, exception):
        """Everything that nobody else handles."""
        if not isinstance(exception, SanicException):
            return text("We are sorry", status=500)
        return super().default(request, exception)


app = Sanic("errors", error_handler=CustomHandler())


@app.route("/")
async def index(request):
    return text("shop")


@app.route("/buy/<thing>")
async def buy(request, thing):
    if thing == "moon":
        raise OutOfStock("There is only one moon")
    if thing == "killme":
        raise ServerError("Something bad happened", status_code=500)
    if thing == "zero":
        1 / 0
    raise NotFound("We have no {}".format(thing))


@app.exception(NotFound)
async def ignore_404s(request, exception):
    if "application/json" in request.headers.get("Accept", ""):
        return json({"error": str(exception)}, status=404)
    return html("<h1>404</h1><p>Yep, I totally found the page: {}</p>".format(request.url), status=404)


@app.exception(ZeroDivisionError, KeyError)
def arithmetic(request, exception):
    return text("division: {}".format(exception), status=500)
