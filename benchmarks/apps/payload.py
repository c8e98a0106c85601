"""The routes that every measured app serves, so that all of them do the same work.

===================================  ==================================================================
``GET /``                            ``HELLO`` as text/plain with a Content-Length
``GET /item/<number>``               the number (12 digits), likewise
``GET /down/<size>/<count>``         a stream of ``count`` writes of ``piece(size)``
``GET /first/<milliseconds>``        one piece of 100 bytes, a pause, another piece
``GET /slow/<count>/<milliseconds>`` ``count`` pieces of 100 bytes, with a pause after each
``POST /up``                         reads the body piece by piece; answers ``"<bytes> <pieces>"``
``POST /echo``                       writes back each piece as it comes
===================================  ==================================================================

Sizes are bytes. This module runs under Python 3.6 as well.
"""

from functools import lru_cache

HELLO = b"Hello, world!"
SMALL = 100  # bytes in a small piece
_PATTERN = b"streamcompat-measures-streams-0123456789-"


@lru_cache(maxsize=64)
def piece(size: int) -> bytes:
    """``size`` bytes without CR or LF, so that data differs from framing. Made once for each size."""
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]
