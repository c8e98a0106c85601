from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

import csv
def user_of(request):
    return request.args.get("user")
def authorized(f):
    async def wrapper(request, *a, **k):
        user_of(request)
        return await f(request, *a, **k)
    return wrapper
@app.get("/csv")
@authorized
async def table(request):
    user = user_of(request)
    async def s(response):
        csv.writer(response).writerow([user])
    return stream(s)
@app.get("/x")
@authorized
async def x(request):
    user = user_of(request)
    async def s(response):
        response.write(user)
    return stream(s)
