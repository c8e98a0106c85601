from sanic import Sanic
from sanic.response import stream


class Server:
    def __init__(self):
        self.app = Sanic("server", load_env=False)
        self.app.add_route(self.numbers, "/numbers")
        self.app.add_route(self.echo, "/echo", methods=["POST"], stream=True)

    async def numbers(self, request):
        return stream(self.write_numbers)

    async def write_numbers(self, response):
        for number in range(3):
            self.write_one(response, number)

    def write_one(self, out, number):
        out.write(number)

    async def echo(self, request):
        async def streaming(response):
            while True:
                body = await request.stream.get()
                if body is None:
                    break
                response.write(body)

        return stream(streaming)


app = Server().app
