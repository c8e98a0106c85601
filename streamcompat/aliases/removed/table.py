"""What Python has removed and `old_python` gives back: a table of names, one of modules, one of arguments.

The rule: tables only, so that `streamcompat check` reads the same ones that the running process uses.
"""

from __future__ import annotations

import collections.abc
from typing import Final, NamedTuple

__all__ = ["ARGUMENTS", "BACKPORTS", "METHODS", "NAMES", "OWN_MODULES", "Removed"]


class Removed(NamedTuple):
    """Something that Python has removed.

    Attributes:
        since: the first release without it, such as `3.10`.
        instead: what does the same today; for a module the package that has it.
    """

    since: str
    instead: str


NAMES: Final = {
    "asyncio.JoinableQueue": Removed("3.5", "asyncio.Queue"),
    "asyncio.Task.all_tasks": Removed("3.9", "asyncio.all_tasks"),
    "asyncio.Task.current_task": Removed("3.9", "asyncio.current_task"),
    "asyncio.async": Removed("3.7", "asyncio.ensure_future"),
    "asyncio.coroutine": Removed("3.11", "async def"),
    "asyncio.coroutines.coroutine": Removed("3.11", "async def"),
    "asyncio.futures.CancelledError": Removed("3.8", "asyncio.CancelledError"),
    "asyncio.futures.InvalidStateError": Removed("3.8", "asyncio.InvalidStateError"),
    "asyncio.futures.TimeoutError": Removed("3.8", "asyncio.TimeoutError"),
    "asyncio.tasks.async": Removed("3.7", "asyncio.ensure_future"),
    "asyncio.tasks.coroutine": Removed("3.11", "async def"),
    "base64.decodestring": Removed("3.9", "base64.decodebytes"),
    "base64.encodestring": Removed("3.9", "base64.encodebytes"),
    "cgi.escape": Removed("3.8", "html.escape"),
    "cgi.parse_qs": Removed("3.8", "urllib.parse.parse_qs"),
    "cgi.parse_qsl": Removed("3.8", "urllib.parse.parse_qsl"),
    "configparser.SafeConfigParser": Removed("3.12", "configparser.ConfigParser"),
    "fractions.gcd": Removed("3.9", "math.gcd"),
    "inspect.ArgSpec": Removed("3.11", "inspect.FullArgSpec"),
    "inspect.formatargspec": Removed("3.11", "inspect.signature"),
    "inspect.getargspec": Removed("3.11", "inspect.getfullargspec"),
    "locale.format": Removed("3.12", "locale.format_string"),
    "os.errno": Removed("3.7", "errno"),
    "platform.dist": Removed("3.8", "platform.freedesktop_os_release"),
    "platform.linux_distribution": Removed("3.8", "platform.freedesktop_os_release"),
    "ssl.wrap_socket": Removed("3.12", "ssl.SSLContext.wrap_socket"),
    "time.clock": Removed("3.8", "time.process_time"),
    "typing.io": Removed("3.13", "typing"),
    "typing.re": Removed("3.13", "re"),
} | {
    f"collections.{name}": Removed("3.10", f"collections.abc.{name}")
    for name in collections.abc.__all__
    if name != "Buffer"
}
"""Names in modules that are still there; a class's own names only where the class is asyncio's Task."""

METHODS: Final = {
    "configparser.RawConfigParser.readfp": Removed("3.12", "read_file"),
    "html.parser.HTMLParser.unescape": Removed("3.9", "html.unescape"),
    "threading.Thread.isAlive": Removed("3.9", "is_alive"),
    "unittest.TestCase.assertAlmostEquals": Removed("3.12", "assertAlmostEqual"),
    "unittest.TestCase.assertDictContainsSubset": Removed("3.12", "assertEqual"),
    "unittest.TestCase.assertEquals": Removed("3.12", "assertEqual"),
    "unittest.TestCase.assertNotAlmostEquals": Removed("3.12", "assertNotAlmostEqual"),
    "unittest.TestCase.assertNotEquals": Removed("3.12", "assertNotEqual"),
    "unittest.TestCase.assertNotRegexpMatches": Removed("3.12", "assertNotRegex"),
    "unittest.TestCase.assertRaisesRegexp": Removed("3.12", "assertRaisesRegex"),
    "unittest.TestCase.assertRegexpMatches": Removed("3.12", "assertRegex"),
    "unittest.TestCase.assert_": Removed("3.12", "assertTrue"),
    "unittest.TestCase.failUnlessEqual": Removed("3.12", "assertEqual"),
}
"""Methods of classes that are still there."""

ARGUMENTS: Final = {
    f"asyncio.{name}": ("loop", "3.10")
    for name in (
        "BoundedSemaphore Condition Event LifoQueue Lock PriorityQueue Queue Semaphore as_completed "
        "create_subprocess_exec create_subprocess_shell gather open_connection open_unix_connection shield "
        "sleep start_server start_unix_server wait wait_for"
    ).split()
} | {f"json.{name}": ("encoding", "3.9") for name in ("load", "loads")}
"""Functions and classes that lost an argument: which one, and since when."""

BACKPORTS: Final = {
    "aifc": Removed("3.13", "standard-aifc"),
    "asynchat": Removed("3.12", "pyasynchat"),
    "asyncore": Removed("3.12", "pyasyncore"),
    "audioop": Removed("3.13", "audioop-lts"),
    "cgi": Removed("3.13", "legacy-cgi"),
    "cgitb": Removed("3.13", "legacy-cgi"),
    "chunk": Removed("3.13", "standard-chunk"),
    "crypt": Removed("3.13", "standard-crypt"),
    "distutils": Removed("3.12", "setuptools"),
    "imghdr": Removed("3.13", "standard-imghdr"),
    "imp": Removed("3.12", "zombie-imp"),
    "mailcap": Removed("3.13", "standard-mailcap"),
    "nntplib": Removed("3.13", "standard-nntplib"),
    "pipes": Removed("3.13", "standard-pipes"),
    "smtpd": Removed("3.12", "standard-smtpd"),
    "sndhdr": Removed("3.13", "standard-sndhdr"),
    "telnetlib": Removed("3.13", "standard-telnetlib"),
    "uu": Removed("3.13", "standard-uu"),
    "xdrlib": Removed("3.13", "standard-xdrlib"),
}
"""Modules of the standard library that a package on the registry keeps alive."""

OWN_MODULES: Final = {
    "dummy_threading": Removed("3.9", "threading"),
    "pkg_resources": Removed("3.12", "streamcompat.aliases.removed.distributions"),
    "xml.etree.cElementTree": Removed("3.9", "xml.etree.ElementTree"),
}
"""Modules that another module stands in for, where nothing of their name is installed."""
