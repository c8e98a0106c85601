import argparse
import hashlib
import os

from sanic import Sanic
from sanic.exceptions import InvalidUsage, NotFound, ServerError
from sanic.response import HTTPResponse, file, html, json, raw, redirect, text

app = Sanic(__name__)
app.config.MAX_PASTE = 200
PASTES = {}
HERE = os.path.dirname(os.path.abspath(__file__))
app.static('/static', os.path.join(HERE, 'static_site_files'))
app.static('/css', os.path.join(HERE, 'static_site_files', 'main.css'))


def page(title, body):
    return html('<html><head><title>{}</title></head><body>{}</body></html>'.format(title, body))


@app.middleware('request')
async def count(request):
    request['hits'] = len(PASTES)


@app.middleware('response')
async def headers(request, response):
    response.headers['X-Hits'] = str(request.get('hits'))
    response.headers["X-XSS-Protection"] = "1; mode=block"


@app.route('/')
async def index(request):
    return page('paste', '<br>'.join(sorted(PASTES)))


@app.route('/paste', methods=['GET', 'POST'])
async def paste(request):
    if request.method == 'GET':
        return page('new', '<form method="post"><textarea name="text"></textarea></form>')
    content = request.form.get('text') or (request.json or {}).get('text')
    if not content:
        raise InvalidUsage('nothing to paste')
    if len(content) > app.config.MAX_PASTE:
        raise ServerError('too long', status_code=413)
    key = hashlib.md5(content.encode()).hexdigest()[:8]
    PASTES[key] = content
    response = redirect(app.url_for('show', key=key))
    response.cookies['last'] = key
    response.cookies['last']['httponly'] = True
    response.cookies['last']['max-age'] = 3600
    return response


@app.route('/p/<key:[a-f0-9]{8}>')
async def show(request, key):
    if key not in PASTES:
        raise NotFound('no paste {}'.format(key))
    return text(PASTES[key], headers={'X-Key': key})


@app.route('/p/<key>/raw')
def show_raw(request, key):
    return raw(PASTES[key].encode(), content_type='application/octet-stream')


@app.route('/last')
def last(request):
    key = request.cookies.get('last')
    response = json({'last': key, 'args': request.args, 'raw': request.raw_args, 'qs': request.query_string})
    del response.cookies['last']
    return response


@app.route('/n/<number:int>/<ratio:number>')
def numbers(request, number, ratio):
    return json([number, ratio, request.url, request.path, request.host, request.scheme])


@app.route('/source')
async def source(request):
    return await file(os.path.join(HERE, 'static_site_files', 'index.html'))


@app.route('/upload', methods=['POST'])
async def upload(request):
    found = request.files.get('file')
    if not found:
        return text('no file', 400)
    return json({'name': found.name, 'type': found.type, 'size': len(found.body), 'form': request.form})


@app.exception(NotFound)
def not_found(request, exception):
    return text('Yep, I totally found the page: {} ({})'.format(request.url, exception), status=404)


@app.route('/empty')
def empty(request):
    return HTTPResponse()


@app.route('/none')
def none(request):
    return None


@app.route('/key')
def key_error(request):
    return text(PASTES['nope'])


@app.listener('before_server_start')
def setup(app, loop):
    PASTES['00000000'] = 'first'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='A pastebin.')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('-p', '--port', type=int, default=8000)
    parser.add_argument('--debug', action='store_true')
    args = parser.parse_args()
    app.run(host=args.host, port=args.port, debug=args.debug)
