from sanic import Sanic
from sanic.response import text
from sanic.views import CompositionView

app = Sanic("left_compositions")


async def show(request):
    return text("show")


view = CompositionView()
for method in ("GET", "POST"):
    view.add([method], show)
app.add_route(view, "/looped")

twice = CompositionView()
twice.add(["GET"], show)
app.add_route(twice, "/one")
app.add_route(twice, "/other")
