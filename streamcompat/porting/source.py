"""Converts between the bytes and the text of a Python file."""

from __future__ import annotations

import codecs
import functools
import io
import tokenize
import warnings


def decode(data: bytes) -> tuple[str, str]:
    """The text of a Python file without a byte order mark, and its encoding.

    Raises: SyntaxError: the encoding is unknown, or the bytes are not valid in it.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if encoding == "utf-8-sig":
        encoding, data = "utf-8", data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SyntaxError(f"not {encoding}", ("", line, 0, "")) from error


def encode(text: str, encoding: str, original: bytes) -> bytes:
    """The text as bytes, with a byte order mark if the original had one."""
    data = text.encode(encoding)
    return codecs.BOM_UTF8 + data if original.startswith(codecs.BOM_UTF8) else data


@functools.lru_cache(maxsize=256)
def fault(data: bytes) -> tuple[int, str] | None:
    """Line and reason if a file is not valid Python, else None. It is asked of each text several times."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(decode(data)[0], "<file>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno or 1, error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return 1, str(error)
    return None
