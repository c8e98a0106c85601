"""The page that shows an exception to the developer, in debug mode alone.

The rule: the application's own frames come first, with their source; those of libraries are folded. The page
needs nothing from elsewhere, escapes everything, and shows no values of variables, which may be secrets.
"""

from __future__ import annotations

import functools
import html
import linecache
import os
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import FrameSummary, TracebackException

AROUND = 4
"""Lines of source before and after the line that failed."""
MOST = 50
"""Frames that are shown of one exception: the first and the last ones of a recursion."""
UNTOLD = "a text that cannot be made"
"""Stands for the text of an exception whose own `__str__` raises."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --dim: #57606a; --paper: #fff; --raised: #f3f4f6;
  --line: #d0d7de; --bad: #b42318; --mark: #fde8e6 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9da7b1; --paper: #0d1117;
  --raised: #161b22; --line: #30363d; --bad: #ff8a80; --mark: #43201d } }
body { margin: 0 auto; max-width: 64rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper) }
h1 { font-size: 1.4rem; margin: 0; color: var(--bad); overflow-wrap: anywhere }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere }
h3, summary { font-size: .95rem; font-weight: 600; margin: 1rem 0 .25rem; overflow-wrap: anywhere }
h3 span, summary span, .summary { color: var(--dim); font-weight: 400 }
pre { margin: 0; padding: .5rem 0; overflow-x: auto; background: var(--raised);
  border: 1px solid var(--line); border-radius: 6px; font: .85rem/1.5 ui-monospace, monospace }
pre > span { display: block; padding: 0 .75rem } pre > .failed { background: var(--mark); font-weight: 600 }
pre.traceback { padding: .5rem .75rem } i { font-style: normal; color: var(--dim) }
"""


def debug_page(method: str, path: str, exception: BaseException) -> str:
    """An exception as a page of HTML.

    Args:
        method, path: of the request that failed.
    """
    told, as_text = _told(exception)
    name, value, path = (html.escape(text) for text in (type(exception).__name__, _text(exception), path))
    parts = [f"<h1>{name}: {value}</h1>"]
    parts.append(
        f'<p class="summary">{html.escape(method)}: <b>{name}: {value}</b> while handling path '
        f"<code>{path}</code></p>"
    )
    for link, one in _chain(told):
        parts += _exception(link, one)
    parts.append(f'<h2>As text</h2><pre class="traceback" tabindex=0>{html.escape(as_text)}</pre>')
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head><body><main>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _told(exception: BaseException) -> tuple[TracebackException, str]:
    """The exception, and its traceback as text."""
    try:
        told = TracebackException.from_exception(exception)
        return told, "".join(told.format())
    except Exception:  # of its own notes, or of what it says of source
        told = TracebackException(Exception, Exception(UNTOLD), exception.__traceback__)
        return told, "".join(told.format())


def _text(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:
        return UNTOLD


def _chain(told: TracebackException) -> Iterator[tuple[str, TracebackException]]:
    """The exception, and then those that led to it."""
    link, one = "", told
    while True:
        yield link, one
        if one.__cause__ is not None:
            link, one = "Caused by", one.__cause__
        elif one.__context__ is not None and not one.__suppress_context__:
            link, one = "While handling", one.__context__
        else:
            return


def _exception(link: str, told: TracebackException) -> list[str]:
    """One exception of the chain: the application's frames, the last one first, then all of them folded."""
    frames = list(told.stack)
    parts = [f"<h2>{link} {html.escape(''.join(told.format_exception_only()).strip())}</h2>"] if link else []
    own = [frame for frame in _shown(frames) if is_own(frame.filename)]
    parts += [_frame(frame) for frame in reversed(own)]
    if not own and frames:
        parts.append(_frame(frames[-1]))
    shown = "".join(_frame(frame) for frame in reversed(_shown(frames)))
    left_out = len(frames) - len(_shown(frames))
    more = f", {left_out} of them left out" if left_out else ""
    parts.append(
        f"<details><summary>All {len(frames)} frames <span>the last call first{more}</span></summary>"
        f"{shown}</details>"
    )
    return parts


def _shown(frames: Sequence[FrameSummary]) -> list[FrameSummary]:
    half = MOST // 2
    return [*frames[:half], *frames[-half:]] if len(frames) > MOST else list(frames)


def _frame(frame: FrameSummary) -> str:
    place = html.escape(f"{_shortened(frame.filename)}:{frame.lineno}")
    return f"<h3>{html.escape(frame.name)} <span>{place}</span></h3>{_source(frame)}"


def _source(frame: FrameSummary) -> str:
    last = frame.lineno or 0
    lines = []
    for number in range(max(1, last - AROUND), last + AROUND + 1):
        if line := linecache.getline(frame.filename, number):
            kind = ' class="failed"' if number == last else ""
            lines.append(f"<span{kind}><i>{number:5} </i> {html.escape(line.rstrip())}</span>")
    return f"<pre tabindex=0>{''.join(lines)}</pre>" if lines else ""


_PACKAGES = Path(__file__).resolve().parent.parent


@functools.cache
def _elsewhere() -> tuple[str, ...]:
    """The folders of Python's own modules and of installed packages."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in names})


def is_own(filename: str) -> bool:
    """Whether a file is the application's: of no installed package, of Python itself or of this package."""
    if filename.startswith("<"):
        return False
    path = os.path.realpath(filename)
    ours = path.startswith((f"{_PACKAGES}{os.sep}", os.path.realpath(traceback.__file__)))
    return not ours and "streamcompat_engine" not in Path(path).parts and not path.startswith(_elsewhere())


def _shortened(filename: str) -> str:
    """The path of a file, relative to the current folder where it is below it."""
    try:
        return os.fspath(Path(filename).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return filename
