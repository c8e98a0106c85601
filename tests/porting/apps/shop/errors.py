from sanic.exceptions import SanicException


class OutOfStock(SanicException):
    status_code = 409
