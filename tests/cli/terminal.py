"""A terminal for the tests beside it: what a command came to, and a small city to type it in."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from volunteerkit.cli import main
from volunteerkit.messages import in_language


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def terminal(language: str) -> Callable[..., Done]:
    """Return how to type a command over ``city.db`` in the working folder, as a reader of ``language``."""

    def command(*words: str, language: str = language) -> Done:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with in_language(language), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main((*words, "--db", "city.db"))
            except SystemExit as done:
                code = int(done.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    return command


def sit_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **tables: str) -> None:
    """Go to an empty folder with a wide terminal; import ``tables``, the lines of CSV files by their names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    if tables:
        (tmp_path / "city").mkdir()
        for name, text in tables.items():
            (tmp_path / "city" / f"{name}.csv").write_text(text, "utf-8")
        assert terminal("en")("import", "city").code == 0
