from mach9 import Mach9
from mach9.response import stream
from mach9.exceptions import ClientDisconnected
from streamcompat.ported import encoded


class Server:
    def __init__(self):
        self.app = Mach9("server", load_env=False)
        self.app.add_route(self.numbers, "/numbers")
        self.app.add_route(self.echo, "/echo", methods=["POST"], stream=True)

    async def numbers(self, request):
        return stream(self.write_numbers)

    async def write_numbers(self, channel):
        for number in range(3):
            await self.write_one(channel, number)

    async def write_one(self, out, number):
        await out.send(encoded(number))

    async def echo(self, request):
        async def streaming(channel):
            while True:
                message = await request.stream.receive()
                if message["closed"]:
                    raise ClientDisconnected
                if message["more_content"] is False:
                    break
                body = message["content"]
                await channel.send(body)

        return stream(streaming)


app = Server().app
