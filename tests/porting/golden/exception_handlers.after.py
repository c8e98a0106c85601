from mach9 import Mach9
from mach9.exceptions import NotFound, ServerError
from mach9.response import text

app = Mach9("exceptions", load_env=False)


@app.exception(NotFound)
def missing(request, exception):
    return text(f"{request.path}: {exception}", 404)


@app.exception(ServerError, ValueError)
async def failed(request, exception):
    return text("failed", 500)
