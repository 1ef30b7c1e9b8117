"""The command ``volunteerkit``. Modules are imported when a command runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from volunteerkit.errors import VolunteerkitError

__all__ = ["main"]


def __dir__() -> list[str]:
    return __all__


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with ``arguments`` (default: the process's own) and exit.

    Exit codes: 0 done, 1 refused or failed with a message on stderr, 2 the command line was not understood.
    """
    from volunteerkit.errors import MissingExtra, VolunteerkitError

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A name may hold a character the terminal cannot show; it must not stop the work.
            stream.reconfigure(errors="replace")
    try:
        try:
            from volunteerkit.cli.app import app
        except ModuleNotFoundError as error:
            raise MissingExtra(package=error.name or "cyclopts", extra="cli") from None
        app(arguments)
    except VolunteerkitError as error:
        _name_option(error, sys.argv[1:] if arguments is None else arguments)
        print(f"{error.message()} [{error.code}]", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"  {note}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _name_option(error: VolunteerkitError, typed: Sequence[str]) -> None:
    """Call a value by the option that it was typed after, where the library knows it as a parameter."""
    option = "--" + str(error.values.get("name", "")).replace("_", "-")
    if any(word.partition("=")[0] == option for word in typed):
        error.values["name"] = option
