from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while body := await request.stream.get():
            response.write(body)
        else:
            response.write("end")

    return stream(streaming)
