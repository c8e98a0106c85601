"""Header values with parameters: `multipart/form-data; boundary="x"` (RFC 9110 §5.6.6).

The rule: reading takes a time that grows with the value's length alone, and the number of parameters is
bounded.
"""

from __future__ import annotations

import re
from typing import Final

MOST_PARAMETERS: Final = 32
"""Parameters of one value; no field that a browser sends has more than three."""

# A parameter, which a semicolon in double quotes does not end; possessive, so that nothing is tried twice.
_parameter: Final = re.compile(r'(?s);((?:[^;"]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))*+)')


def parse_options(value: str) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon, in lower case, and its parameters by their names in lower case.

    Names with an asterisk are left out: RFC 7578 §4.2 forbids them in forms, and browsers send none.

    Raises: ValueError: it has more than `MOST_PARAMETERS`.
    """
    kind, semicolon, _ = value.partition(";")
    options: dict[str, str] = {}
    if not semicolon:
        return kind.strip(" \t").lower(), options
    at = len(kind)
    count = 0
    while (found := _parameter.match(value, at)) is not None:
        at = found.end()
        count += 1
        if count > MOST_PARAMETERS:
            raise ValueError(f"a header value with more than {MOST_PARAMETERS} parameters")
        name, _, text = found[1].partition("=")
        name = name.strip(" \t").lower()
        if "*" not in name:
            options[name] = _unquoted(name, text.strip(" \t"))
    return kind.strip(" \t").lower(), options


def _unquoted(name: str, text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace("\\\\", "\\").replace('\\"', '"')
    # Old browsers sent a path of Windows as the file's name.
    if name == "filename" and (text[1:3] == ":\\" or text[:2] == "\\\\"):
        text = text.rpartition("\\")[2]
    return text
