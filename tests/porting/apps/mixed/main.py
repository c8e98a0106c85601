"""One blueprint can be ported, the other has to stay; the app serves both."""

from sanic import Sanic

from fresh import fresh
from legacy import legacy

app = Sanic("mixed", is_request_stream=True)
app.blueprint(fresh)
app.blueprint(legacy)
