"""`streamcompat port`: port files, or compare two apps."""

from __future__ import annotations

import argparse
from typing import Final

from streamcompat.cli.errors import CommandError
from streamcompat.porting import options as porting

_EXTRAS: Final = {"hypothesis": "testing", "libcst": "porting", "pathspec": "porting", "rich": "porting"}
"""The packages that the command needs, and the extra of streamcompat that installs each."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    porting.add_parser(commands).set_defaults(carry_out=_port)


def _port(options: argparse.Namespace) -> int:
    if bool(options.verify) == bool(options.paths):
        options.usage_error("give PATHs to port, or --verify BEFORE AFTER")
    try:
        if options.verify and options.to == "sanic":
            return _verify_today(options)
        if options.verify:
            from streamcompat import verification

            return verification.run(
                *options.verify,
                requests=options.requests,
                alias=options.alias,
                headers=options.headers,
                budget=options.budget,
            )
        from streamcompat.porting import command
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(package)
        if extra is None:
            raise
        raise CommandError(f"this needs {package}: pip install 'streamcompat[{extra}]'") from error
    return command.run(
        options.paths,
        origin=options.origin,
        mode=options.mode,
        form=options.report,
        statistics=options.statistics,
        to=options.to,
    )


def _verify_today(options: argparse.Namespace) -> int:
    from streamcompat.testing.remote.client import NoResponse, Unreachable
    from streamcompat.verification import servers

    try:
        before, after = options.verify
        return servers.today(
            before,
            after,
            options.python,
            requests=options.requests,
            headers=options.headers,
            budget=options.budget,
        )
    except (NoResponse, Unreachable, servers.NoRoute) as error:
        raise CommandError(str(error)) from error
