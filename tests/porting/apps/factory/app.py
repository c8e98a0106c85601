"""A factory, with routes that other modules register on the app that they are given."""

from sanic import Sanic

import routes


def create_app(name="factory"):
    app = Sanic(name)
    routes.register(app)

    @app.listener("before_server_start")
    async def start(app, loop):
        app.started = True

    return app


app = create_app()
