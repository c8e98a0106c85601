import asyncio

from sanic import Blueprint, Sanic
from sanic.blueprints import Blueprint as BP
from sanic.exceptions import NotFound, abort, HeaderNotFound, MethodNotSupported
from sanic.request import Request
from sanic.response import HTTPResponse, json, raw, stream, text
from sanic.views import CompositionView, HTTPMethodView, stream as stream_decorator
from sanic.router import RouteExists


class JsonRequest(Request):
    @property
    def user_agent(self):
        return self.headers.get('user-agent', '-')


class Settings:
    DB_HOST = 'localhost'
    LIMIT = 3
    lower = 'ignored'


app = Sanic('s1812', request_class=JsonRequest, strict_slashes=False)
app.config.from_object(Settings)
app.config.REQUEST_BUFFER_QUEUE_SIZE = 10
bp = Blueprint('bp', url_prefix='/bp')
bp2 = Blueprint('bp2', url_prefix='/bp2', strict_slashes=True)


@bp.put('/stream', stream=True)
async def bp_put(request):
    result = ''
    while True:
        body = await request.stream.read()
        if body is None:
            break
        result += body.decode().replace('1', 'A')
    return text(result)


class View(HTTPMethodView):
    @stream_decorator
    async def post(self, request):
        n = 0
        while True:
            body = await request.stream.read()
            if body is None:
                break
            n += len(body)
        return json({'n': n, 'ua': request.user_agent})


async def post_handler(request):
    async def streaming(response):
        while True:
            body = await request.stream.read()
            if body is None:
                break
            await response.write(body)
    return stream(streaming)


view = CompositionView()
view.add(['POST'], post_handler, stream=True)
view.add(['GET'], lambda request: text('get'))
app.add_route(view, '/composition')
app.add_route(View.as_view(), '/view')
app.add_route(post_handler, '/echo', methods=['POST'], stream=True)


@bp2.route('/x/')
def strict(request):
    return text('strict')


@bp2.route('/x')
def lax(request):
    return text('lax')


@app.route('/get/<a:string>/<b:path>')
def getp(request, a, b):
    return json([a, b, request.match_info if hasattr(request, 'match_info') else None])


@app.route('/u/<u:uuid>')
def uid(request, u):
    return text(repr(u))


@app.route('/hosts', host='a.example')
def hosta(request):
    return text('a')


@app.route('/hosts', host=['b.example', 'c.example'])
def hostb(request):
    return text('b')


@app.route('/config')
def config(request):
    return json({k: app.config.get(k) for k in ('DB_HOST', 'LIMIT', 'lower', 'KEEP_ALIVE_TIMEOUT', 'RESPONSE_TIMEOUT', 'REQUEST_MAX_SIZE')})


@app.delete('/thing/<n:int>')
async def delete(request, n):
    return HTTPResponse(status=204)


@app.route('/err/<code:int>')
def err(request, code):
    abort(code, 'as asked' if code % 2 else None)


@app.patch('/patch', stream=True)
async def patch(request):
    return text('not read')


@app.middleware('response')
def after(request, response):
    if response.status == 404:
        return json({'path': request.path}, status=404)


@app.route('/ctx')
def ctx(request):
    request['a'] = 1
    return json({'in': 'a' in request, 'get': request.get('b', 2), 'keys': sorted(request.keys()) if hasattr(request, 'keys') else []})


try:
    @app.route('/ctx')
    def ctx2(request):
        return text('2')
except RouteExists as e:
    print('exists', e)

app.blueprint(bp)
app.blueprint([bp2])
