"""What goes wrong at a terminal: nothing is destroyed, and what is said is true and tells a way out."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from volunteerkit.cli import main
from volunteerkit.messages import in_language

NAME = "周小兰"


@attrs.frozen
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


def command(*words: object, language: str = "en") -> Done:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with in_language(language), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as done:
            code = int(done.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


Run = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small city that is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "city").mkdir()
    for name, text in {
        "organizations": "org_id,org_name\nO1,渝水区志愿服务联合会",
        "projects": "project_id,project_name,org_id\nP1,无偿献血宣传,O1",
        "volunteers": f"volunteer_id,name,org_id,registered_at,phone\nV1,{NAME},O1,2019-03-01,12900000001",
        "service_records": "volunteer_id,project_id,service_date,hours,status\nV1,P1,2019-03-05,2,confirmed",
    }.items():
        (tmp_path / "city" / f"{name}.csv").write_text(text, "utf-8")
    assert command("import", "city", "--db", "c.db").code == 0
    gc.collect()  # its connection empties the log of writes when it goes
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("out", ["c.db", "city/../c.db", "link", "hard", "c.db-wal", "c.db-journal", "c.db.key", "my.key", "city", "n.txt"])  # fmt: skip
@pytest.mark.parametrize(
    "work", [("export", "hours", "--key-file", "my.key"), ("quarantine",), ("demo", "--small")]
)
def test_what_is_written_never_takes_the_place_of_something_else(
    folder: Path, out: str, work: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "my.key").write_bytes((folder / "c.db.key").read_bytes())
    (folder / "my.key").chmod(0o600)
    (folder / "link").symlink_to("c.db")
    (folder / "hard").hardlink_to("c.db.key")
    (folder / "n.txt").write_text("买牛奶\n", "utf-8")
    before = contents(folder)
    done = command(*work, "--db", "c.db", "--out", out)
    assert (done.code, "[out_in_the_way]" in done.err or "[file_not_written]" in done.err) == (1, True), (
        done.err
    )
    assert contents(folder) == before


def test_a_file_of_the_same_kind_is_written_anew(folder: Path) -> None:
    for _ in range(2):
        assert command("export", "hours", "--db", "c.db", "--out", "hours.csv").code == 0
        assert command("quarantine", "--db", "c.db", "--out", "wrong.csv").code == 0
    assert command("export", "hours", "--db", "c.db", "--out", "no/hours.csv").code == 1


def test_a_demo_keeps_a_key_that_is_not_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from volunteerkit.cli.demo import _clear

    monkeypatch.setenv("VOLUNTEERKIT_KEY_FILE", str(folder / "c.db.key"))
    (folder / "demo.db").write_bytes((folder / "c.db").read_bytes())
    _clear(folder / "demo.db")
    assert (folder / "c.db.key").exists()
    assert not (folder / "demo.db").exists()
