"""The command ``volunteerkit``. Modules are imported when a command runs, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from volunteerkit.messages import language

if TYPE_CHECKING:
    from volunteerkit.errors import VolunteerkitError

__all__ = ["main"]

_OPTIONS = {
    "effective_on": "--on",
    "last_day": "--until",
    "id": "--as",
    "served_on": "--on",
    "claimed_minutes": "--minutes",
}


def __dir__() -> list[str]:
    return __all__


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with ``arguments`` (default: the process's own) and exit.

    Exit codes: 0 done, 1 refused or failed with a message on stderr, 2 the command line was not understood,
    130 interrupted from the keyboard. Whatever fails is told in a line or two, never as a traceback, whose
    text might hold a person's data.
    """
    from volunteerkit.errors import MissingExtra, VolunteerkitError, cause_of, place_of_failure

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A name may hold a character the terminal cannot show; it must not stop the work.
            stream.reconfigure(errors="replace")
    try:
        if sys.stdout is None:  # before any work, whose result nobody would see
            _fail("output_closed")
        _speak()
        try:
            from volunteerkit.cli.app import app
            from volunteerkit.cli.common import close_databases
        except ModuleNotFoundError as error:
            raise MissingExtra(package=error.name or "cyclopts", extra="cli") from None
        try:
            app(arguments)
        finally:
            close_databases()
            sys.stdout.flush()  # what cannot be written is noticed here, not when all is over
    except VolunteerkitError as error:
        _name_option(error, sys.argv[1:] if arguments is None else arguments)
        _tell(f"{error.message()} [{error.code}]")
        for note in getattr(error, "__notes__", ()):
            _tell(f"  {note}")
        sys.exit(1)
    except BrokenPipeError:
        _leave_output()
        sys.exit(1)
    except KeyboardInterrupt:
        _leave_output()
        _fail("interrupted", exit_code=130)
    except OSError as error:
        if error.filename is None:
            _leave_output()
            _fail("output_failed", cause=cause_of(error))
        _fail("file_failed", place=str(error.filename), cause=cause_of(error))
    except Exception as error:
        _fail("unexpected", problem=place_of_failure(error))


_written: dict[str, dict[str, ModuleType]] = {}


def _speak() -> None:
    """Take the commands whose help is in the reader's language: it is written when their modules are imported."""
    options = sys.modules.get(f"{__name__}.options")
    if options is None or language() == options.WRITTEN_IN:
        return
    others = {
        name: module for name, module in sys.modules.items()
        if name.startswith(f"{__name__}.") and _holds_help(module)
    }  # fmt: skip
    _written[options.WRITTEN_IN] = others
    for name in others:
        del sys.modules[name]
        globals().pop(name.rpartition(".")[2], None)
    for name, module in _written.get(language(), {}).items():
        sys.modules[name] = globals()[name.rpartition(".")[2]] = module


def _holds_help(module: ModuleType) -> bool:
    return any(str(getattr(each, "__module__", "")).startswith("cyclopts") for each in vars(module).values())


def _tell(line: str) -> None:
    with suppress(OSError):  # when nobody is left to be told, the exit code still tells
        print(line, file=sys.stderr, flush=True)


def _fail(code: str, *, exit_code: int = 1, **values: Any) -> NoReturn:
    from volunteerkit import messages

    _tell(f"{messages.text(code, **values)} [{code}]")
    sys.exit(exit_code)


def _leave_output() -> None:
    """Let what is still waiting to be printed go nowhere, or the interpreter would fail on it once more."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _name_option(error: VolunteerkitError, typed: Sequence[str]) -> None:
    """Call a value by the option that it was typed after, where the library knows it as a parameter."""
    given = {word.partition("=")[0] for word in typed}
    names = str(error.values.get("name", "")).split(", ")
    options = [_OPTIONS.get(name, "--" + name.replace("_", "-")) for name in names]
    if given >= set(options):
        error.values["name"] = ", ".join(options)
