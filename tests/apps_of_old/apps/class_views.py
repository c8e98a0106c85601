from functools import wraps

from sanic import Sanic
from sanic.exceptions import NotFound
from sanic.response import json, text
from sanic.views import HTTPMethodView

app = Sanic("some_name")
users = {1: "ann", 2: "bob"}


def logged(func):
    @wraps(func)
    def wrapper(request, *args, **kwargs):
        result = func(request, *args, **kwargs)
        app.calls.append(request.method)
        return result
    return wrapper


app.calls = []


class SimpleView(HTTPMethodView):

    def get(self, request):
        return text("I am get method")

    def post(self, request):
        return text("I am post method")

    def put(self, request):
        return text("I am put method")

    def patch(self, request):
        return text("I am patch method")

    def delete(self, request):
        return text("I am delete method")


class SimpleAsyncView(HTTPMethodView):

    async def get(self, request):
        return text("I am async get method")


class UserView(HTTPMethodView):
    decorators = [logged]

    def dispatch_request(self, request, user_id, *args, **kwargs):
        if user_id not in users:
            raise NotFound("no user {}".format(user_id))
        return super().dispatch_request(request, user_id, *args, **kwargs)

    def get(self, request, user_id):
        return json({"id": user_id, "name": users[user_id]})

    async def put(self, request, user_id):
        users[user_id] = request.json["name"]
        return json({"id": user_id, "name": users[user_id]})


class GreetingView(HTTPMethodView):
    def __init__(self, greeting):
        self.greeting = greeting

    def get(self, request, name):
        return text("{}, {}!".format(self.greeting, name))


@app.route("/calls")
def calls(request):
    return json(app.calls)


app.add_route(SimpleView.as_view(), "/")
app.add_route(SimpleAsyncView.as_view(), "/async")
app.add_route(UserView.as_view(), "/users/<user_id:int>")
app.add_route(GreetingView.as_view("Hello"), "/hello/<name>")
app.add_route(GreetingView.as_view(greeting="Bye"), "/bye/<name>")
