from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


class Application(Sanic):
    pass


second = Application("second")
