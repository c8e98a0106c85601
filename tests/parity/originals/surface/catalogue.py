"""Every application of this folder by name: what makes it, its cases, and whether it is debugged."""

from tests.parity.originals.surface import (
    arrangement,
    errors,
    parts,
    requests,
    responses,
    routes,
    static,
    streaming,
    times,
    values,
    websockets,
)

APPS = {
    "routes": (routes.app, routes.CASES, False),
    "requests": (requests.app, requests.CASES, False),
    "limited": (requests.limited, requests.LIMITED, False),
    "responses": (responses.app, responses.CASES, False),
    "static": (static.app, static.CASES, False),
    "errors": (errors.app, errors.CASES, False),
    "handled": (errors.handled, errors.HANDLED, False),
    "debug": (errors.app, errors.DEBUG, True),
    "parts": (parts.app, parts.CASES, False),
    "streaming": (streaming.app, streaming.CASES, False),
    "values": (values.app, values.CASES, False),
    "arrangement": (arrangement.app, arrangement.CASES, False),
    "websockets": (websockets.app, websockets.CASES, False),
    "times": (times.app, times.CASES, False),
    "unkept": (times.unkept, times.UNKEPT, False),
    "impatient": (times.impatient, times.IMPATIENT, False),
}
