"""What goes wrong at a terminal: nothing is destroyed, and what is said is true and tells a way out."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import io
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest

from volunteerkit.cli import main
from volunteerkit.errors import StorageError
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
    codes = ("out_in_the_way", "out_is_folder", "file_not_written", "demo_in_the_way")
    assert (done.code, any(f"[{code}]" in done.err for code in codes)) == (1, True), done.err
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


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statement", "V1", "--db", "c.db", "--known-at", "1.5"), ("--known-at", "1.5")),
        (("statement", "V1", "--db", "c.db", "--known-at", "2026-01-01"), ("--known-at", "--as-of")),
        (("statement", "V1", "--db", "c.db", "--known-at", "9" * 30), ("--known-at", "9" * 30)),
        (("statement", "V1", "--db", "c.db", "--known-at", "-5"), ("--known-at",)),
        (("statement", "V1", "--db", "c.db", "--known-at", "1e3"), ("--known-at", "1e3")),
        (("find", "x", "--db", "c.db", "--limit", "abc"), ("--limit", "abc")),
        (("find", "x", "--db", "c.db", "--limit", "2.5"), ("--limit", "2.5")),
        (("approve", "12x", "--db", "c.db"), ("12X",)),
        (("case", "x1", "--db", "c.db"), ("X1",)),
        (("import", "city", "--dbb", "c.db"), ("--dbb", "--db", "import --help")),
        (("import", "city", "--dbb=c.db"), ("--dbb", "import --help")),
        (("rate", "--db", "c.db", "--rulebok", "plain"), ("--rulebok", "--rulebook", "rate --help")),
        (("grants", "give", "a", "centre", "--db", "c.db", "--untill", "2026-01-01"), ("--untill", "--until", "grants give --help")),
        (("statement", "V1", "--db", "c.db", "--rulebook"), ("--rulebook", "statement --help")),
        (("status", "V1", "supend", "--db", "c.db"), ("supend", "suspend", "deregister")),
        (("export", "hour", "--db", "c.db", "--out", "x.csv"), ("hours",)),
        (("rate", "--db", "c.db", "--zone", "Asia/Shnghai"), ("Asia/Shnghai", "Asia/Shanghai")),
        (("--verison",), ("--verison", "'--version'|“--version”")),
        (("--hlep",), ("--hlep", "'--help'|“--help”")),
        (("rate", "--hlep"), ("--hlep", "'--help'|“--help”", "rate --help")),
        (("grants", "--hlep"), ("--hlep", "'--help'|“--help”")),
        (("grants", "lst", "--db", "c.db"), ("lst", "'list'|“list”")),
        (("--db", "c.db", "rate"), ("--db",)),
        (("find", "x", "--db", "c.db", "--lmit", "3"), ("--lmit", "'--limit'|“--limit”", "find --help")),
        (("find", "--db", "c.db", "--lmit", "3", "x"), ("--lmit", "'--limit'|“--limit”", "find --help")),
        (("find", "x", "--db", "c.db", "--lmit=3"), ("--lmit", "'--limit'|“--limit”", "find --help")),
        (("find", "x", "--db", "c.db", "-l", "3"), ("-l", "find --help")),
        (("pending", "--db", "c.db", "--limt", "3"), ("--limt", "'--limit'|“--limit”")),
        (("pendign", "--db", "c.db"), ("pendign", "'pending'|“pending”")),
        (("hours", "confrim", "1", "--db", "c.db"), ("confrim", "'confirm'|“confirm”")),
        (("kye", "rotate", "--db", "c.db"), ("kye", "'key'|“key”")),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_what_was_meant(
    folder: Path, words: tuple[str, ...], said: tuple[str, ...], language: str
) -> None:
    done = command(*words, language=language)
    assert done.code in (1, 2)
    told = " ".join(done.err.split())  # however wide the terminal was when the program began
    for each in said:
        assert any(form in told for form in each.split("|")), done.err
    assert "＊" not in done.err
    assert "COMMAND" not in done.err
    assert "known_at" not in done.err


def test_an_option_without_its_value_is_told_as_that(folder: Path) -> None:
    done = command("statement", "V1", "--db", "c.db", "--rulebook", language="zh-CN")
    assert "--rulebook 后面缺少值" in done.err
    assert "缺少 --db" in command("statement", "V1", "--rulebook", "plain", language="zh-CN").err


def typed(folder: Path, words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as typed at a shell."""
    shell = f"{shlex.quote(sys.executable)} -m volunteerkit {words}"
    return subprocess.run(
        shell, shell=True, cwd=folder, check=False, capture_output=True, encoding="utf-8",
        env=os.environ | {"VOLUNTEERKIT_LANG": "zh-CN", "COLUMNS": "100"} | environment,
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rate --db c.db > /dev/full", "磁盘已满"),
        ("rate --db c.db --json > /dev/full", "磁盘已满"),
        ("--help > /dev/full", "磁盘已满"),
        ("rate --db c.db >&-", "标准输出已关闭"),
    ],
)
def test_a_result_that_cannot_be_printed_is_told(folder: Path, words: str, said: str) -> None:
    done = typed(folder, words)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    done = typed(folder, "hooks --plugin xinyu | head -1")
    assert (done.stderr, len(done.stdout.splitlines())) == ("", 1)


def test_an_interruption_says_what_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("volunteerkit.cli.city.run_rate", stopped)
    done = command("rate", "--db", "c.db", language="zh-CN")
    assert (done.code, "一行也没有写入" in done.err, len(done.err.splitlines())) == (130, True, 1)


@pytest.mark.parametrize(
    ("failure", "said"),
    [(PermissionError(13, "Permission denied", "城市"), "城市 无法读写：权限不够"), (KeyError(NAME), "KeyError")],
)  # fmt: skip
def test_no_failure_is_told_as_a_traceback_or_with_a_persons_data(
    folder: Path, failure: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("volunteerkit.cli.city.run_rate", failing)
    done = command("rate", "--db", "c.db", language="zh-CN")
    assert (done.code, said in done.err, NAME in done.err) == (1, True, False), done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "body",
    [
        f"raise ValueError('{NAME}')",
        f"@volunteerkit.hookimpl\ndef vk_rulebooks():\n    raise ValueError('{NAME}')",
        f"@volunteerkit.hookimpl\ndef vk_choose_calendar():\n    raise ValueError('{NAME}')",
    ],
)
def test_what_a_plugin_raises_is_told_by_type_and_place(folder: Path, body: str) -> None:
    (folder / "ours.py").write_text(f"import volunteerkit\n{body}\n", "utf-8")
    done = command("rate", "--db", "c.db", "--plugin", "ours.py", language="zh-CN")
    assert (done.code, NAME in done.err, "ValueError, ours.py:" in done.err) == (1, False, True), done.err


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(
    "work", [("rate",), ("import", "city"), ("doctor",), ("export", "hours", "--out", "x.csv")]
)
def test_an_address_that_cannot_be_read_is_told_without_its_password(
    folder: Path, work: tuple[str, ...], language: str
) -> None:
    for place in ("postgresql://ann:ca@nary@localhost:54x2/city", "postgresql://ann:ca@nary@localhost/city"):
        done = command(*work, "--db", place, language=language)
        said = done.err + done.out
        assert (done.code, "storage_address" in said, "nary" in said) == (1, True, False), said
    assert "storage_unsupported" in command("rate", "--db", "mysql://localhost/city").err


def test_the_cause_is_named_when_a_database_cannot_be_opened(folder: Path) -> None:
    for place, said in (
        ("没有/更没有/c.db", "没有文件夹 没有。"),
        ("city", "它是文件夹"),
        ("postgres://localhost:1/city", "没有数据库服务在运行"),
        ("postgresql://nowhere.invalid/city", "找不到这台服务器"),
    ):
        for work in (("import", "city"), ("rate",)):
            done = command(*work, "--db", place, language="zh-CN")
            assert (done.code, said in done.err) == (1, True), done.err


def test_a_database_that_is_not_on_the_server_is_told(folder: Path, postgresql_url: str) -> None:
    at = postgresql_url.replace("postgresql+psycopg", "postgres").rpartition("/")[0]
    assert "没有这个数据库" in command("rate", "--db", f"{at}/nowhere", language="zh-CN").err


def test_a_file_name_is_no_address(folder: Path) -> None:
    assert command("import", "city", "--db", "a?b#c%20.db").code == 0
    assert (folder / "a?b#c%20.db").is_file()
    assert command("rate", "--db", "a?b#c%20.db").code == 0


@pytest.mark.parametrize("work", [("rate",), ("import", "city"), ("find", "x"), ("verify",)])
def test_the_database_of_another_program_is_left_alone(folder: Path, work: tuple[str, ...]) -> None:
    with contextlib.closing(sqlite3.connect("账本.db")) as connection:
        connection.execute("CREATE TABLE 账 (金额 INTEGER)")
        connection.commit()
    before = contents(folder)
    done = command(*work, "--db", "账本.db", language="zh-CN")
    assert (done.code, "[storage_foreign]" in done.err) == (1, True), done.err
    assert contents(folder) == before


def test_a_damaged_database_says_what_to_do(folder: Path) -> None:
    with (folder / "c.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 400_000)
    for work in (("verify",), ("rate",), ("find", "x")):
        done = command(*work, "--db", "c.db", language="zh-CN")
        assert (done.code, "c.db 已损坏" in done.err, "恢复" in done.err) == (1, True, True), done.err


def test_a_key_that_is_gone_or_another_is_named(folder: Path) -> None:
    (folder / "c.db.key").rename(folder / "old.key")
    done = command("find", NAME, "--db", "c.db", language="zh-CN")
    assert "c.db.key" in done.err, done.err
    assert command("rate", "--db", "c.db").code == 0
    for work in (("rate",), ("import", "city")):
        done = command(*work, "--db", "c.db", "--key-file", "gone.key", language="zh-CN")
        assert (done.code, "gone.key" in done.err) == (1, True), done.err
    assert command("import", "city", "--db", "other.db").code == 0
    done = command("rate", "--db", "c.db", "--key-file", "other.db.key", language="zh-CN")
    assert (done.code, "[key_wrong]" in done.err, "other.db.key" in done.err) == (1, True, True), done.err
    assert command("import", "city", "--db", "c.db", language="zh-CN").code == 1


@contextlib.contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """Be a user who may read the folder and not write it: to the superuser everything is allowed."""
    superuser = os.geteuid() == 0
    modes = {path: path.stat().st_mode for path in (folder, *folder.glob("c.db*"))}
    for path in modes:
        path.chmod(0o755 if path.is_dir() else 0o644)
        if not superuser:
            path.chmod(0o555 if path.is_dir() else 0o444)
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.mark.skipif(os.name != "posix", reason="rights are set otherwise here")
@pytest.mark.parametrize("log", [False, True])
def test_what_only_reads_works_where_nothing_may_be_written(
    folder: Path, log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for above in (folder, *list(folder.parents)[:-1]):
        if above.owner() == folder.owner() and above.stat().st_mode & 0o005 != 0o005:
            above.chmod(above.stat().st_mode | 0o055)
    reads = (("rate",), ("verify",), ("explain", "V1"), ("statement", "V1"), ("pending",), ("quarantine",))
    for words in reads:  # what they import is read before the rights are gone
        assert command(*words, "--db", "c.db").code == 0
    gc.collect()
    (folder / "c.db.key").rename(folder / "city.key")
    with contextlib.ExitStack() as stack:
        if log:  # somebody works with it at the same time
            held = stack.enter_context(contextlib.closing(sqlite3.connect("c.db")))
            held.execute("SELECT * FROM vk_meta").fetchall()
        with as_somebody_else(folder):
            for words in reads:
                done = command(*words, "--db", "c.db", language="zh-CN")
                assert done.code == 0, done.err
            for words in (("verify", "--rebuild"), ("status", "V1", "leave")):
                done = command(*words, "--db", "c.db", language="zh-CN")
                assert (done.code, "数据库 c.db 不能写入" in done.err) == (1, True), done.err


@pytest.mark.skipif(os.name != "posix", reason="rights are set otherwise here")
def test_files_left_from_a_read_only_time_are_named(folder: Path) -> None:
    for above in (folder, *list(folder.parents)[:-1]):
        if above.owner() == folder.owner() and above.stat().st_mode & 0o005 != 0o005:
            above.chmod(above.stat().st_mode | 0o055)
    (folder / "c.db.key").rename(folder / "city.key")
    command("pending", "--db", "c.db")
    gc.collect()
    with contextlib.closing(sqlite3.connect("c.db")) as held:
        held.execute("SELECT * FROM vk_meta").fetchall()  # the files beside it are there
        superuser = os.geteuid() == 0
        folder.chmod(0o777)
        for end, mode in (("", 0o666), ("-wal", 0o444), ("-shm", 0o444)):
            (folder / f"c.db{end}").chmod(mode)
        if superuser:
            os.seteuid(65534)
        try:
            for language in ("zh-CN", "en"):
                done = command("status", "V1", "leave", "--db", "c.db", language=language)
                assert (done.code, "c.db-wal, c.db-shm" in done.err) == (1, True), done.err
        finally:
            if superuser:
                os.seteuid(0)


@pytest.mark.parametrize("columns", ["0", "-3", "x", "1", "20", "30", "44", "200"])
def test_a_narrow_terminal_shows_everything_too(
    folder: Path, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words, said in (
        (("statement", "V1", "--db", "c.db"), ("2019-03-05", "120", "P1")),
        (("doctor", "--db", "c.db"), ("numpy", "数据库", "正常")),
        (("show", "V1", "--db", "c.db"), ("2019-03-01", "管理组织", "无偿献血宣传")),
        (("import", "city", "--db", "c.db"), ("service_records.csv",)),
    ):
        done = command(*words, language="zh-CN")
        shown = re.sub(r"[\s│┃]", "", done.out)
        assert (done.code, [each for each in said if each not in shown]) == (0, []), done.out


@pytest.mark.parametrize("columns", ["0", "20"])
def test_help_fits_a_narrow_terminal(folder: Path, columns: str) -> None:
    shown = re.sub(r"\s", "", typed(folder, "status --help", COLUMNS=columns).stdout)
    assert [each for each in ("用法", "必填", "--until", "reactivate") if each not in shown] == []


_EVERY_PAGE = """
import contextlib
from volunteerkit.cli import main
from volunteerkit.errors import StorageError
from volunteerkit.cli.app import app
def pages(at, before):
    with contextlib.suppress(SystemExit):
        main([*before, "--help"])
    for name in at:
        if not name.startswith("-"):
            pages(at[name], [*before, name])
pages(app, [])
"""


def test_help_is_in_chinese_for_a_chinese_reader(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _EVERY_PAGE], check=True, capture_output=True, encoding="utf-8",
        env=os.environ | {"VOLUNTEERKIT_LANG": "zh-CN"},
    )  # fmt: skip
    assert done.stdout.count("用法") > 25
    english = re.compile(
        r"Usage|Commands|Parameters|Arguments|Options|OPTIONS|required|default:|choices|Display|STR|DATE|INT"
    )
    assert english.findall(done.stdout) == []


def test_what_was_typed_is_shown_as_it_is(folder: Path) -> None:
    assert "[/x]" in command("[/x]").err
    assert "--[bold]y" in command("rate", "--db", "c.db", "--[bold]y").err


def test_doctor_fails_without_the_key_of_what_is_sealed(folder: Path) -> None:
    assert command("doctor", "--db", "c.db").code == 0
    (folder / "c.db.key").rename(folder / "old.key")
    done = command("doctor", "--db", "c.db", language="zh-CN")
    assert (done.code, "c.db.key" in done.out, "有问题" in done.out, "missing" in done.out) == (
        1,
        True,
        True,
        False,
    )
    rows = json.loads(command("doctor", "--db", "c.db", "--json").out)
    states = {row["what"]: row["state"] for row in rows}
    assert (states["database"], states["key"]) == ("ok", "wrong")


@pytest.mark.parametrize(
    ("ahead", "state", "told"), [(61, "ok", False), (20, "ok", True), (-1, "missing", True)]
)
def test_doctor_says_when_holidays_end(
    folder: Path, ahead: int, state: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = dt.datetime.now(ZoneInfo("Asia/Shanghai")).date() + dt.timedelta(ahead)
    (folder / "ours.py").write_text(
        "import datetime as dt\nfrom volunteerkit import hookimpl\nfrom volunteerkit.clock import Calendar\n"
        f"@hookimpl\ndef vk_choose_calendar():\n    return Calendar(known_until=dt.date.fromisoformat('{until}'))\n",
        "utf-8",
    )
    monkeypatch.setenv("VOLUNTEERKIT_PLUGINS", "ours.py")
    rows = json.loads(command("doctor", "--db", "c.db", "--json").out)
    found = next(row for row in rows if row["what"] == "calendar")
    assert (found["state"], found["found"], str(until) in found["mend"]) == (state, str(until), told)


WANG = (
    "register",
    "--db",
    "c.db",
    "--name",
    "王小明",
    "--organization",
    "O1",
    "--consent",
    "2026-11-01",
    "--born-on",
)
PYTHON = re.compile(
    r"datetime|\+00:00|T\d\d:|granted|approved|suspended|volunteer_number|effective_on|[a-z]_[a-z]+ 的值"
)


def test_refusals_stand_before_hints_and_hints_are_marked(folder: Path) -> None:
    done = command("register", "--db", "c.db", "--name", "王小明", "--organization", "O1", language="zh-CN")
    lines = done.err.splitlines()
    marked = [line.startswith("提示（不妨碍办理）：") for line in lines]
    assert (done.code, marked == sorted(marked), True in marked, False in marked) == (1, True, True, True), (
        done.err
    )


def test_the_next_number_is_free_beside_numbers_of_another_form(folder: Path, database_url: str) -> None:
    place = ("--db", database_url, "--key-file", "number.key")
    applicant = ("--name", "王小明", "--organization", "O1", "--consent", "2026-11-01", "--rights", "v1")
    assert command("import", "city", *place).code == 0
    for day in ("1990-01-01", "1991-01-01", "1992-01-01"):
        done = command("register", *place, *applicant, "--born-on", day)
        assert (done.code, done.err) == (0, "")


def test_a_clerk_without_a_name_and_an_applicant_without_one_are_refused(folder: Path) -> None:
    done = command("pending", "--db", "c.db", "--as", "", language="zh-CN")
    assert (done.code, "--as" in done.err) == (1, True), done.err
    done = command(
        "register", "--check", "--db", "c.db", "--name", " ", "--organization", "O1", language="zh-CN"
    )
    assert (done.code, "--name" in done.err, done.out) == (1, True, ""), done.err


def test_a_word_too_many_is_shown_unless_it_may_be_a_name(folder: Path) -> None:
    assert "extra" in command("approve", "1", "extra", "--db", "c.db").err
    for words in (("approve", "1", NAME), ("find", "x", "lanlan"), ("show", "V1", "12900000001")):
        done = command(*words, "--db", "c.db", language="zh-CN")
        assert (done.code, words[-1] in done.err, "＊" in done.err) == (2, False, True), done.err


def test_a_chinese_reader_reads_chinese(folder: Path) -> None:
    assert command(*WANG, "1990-01-01", "--rights", "v1", "--as", "甲").code == 0
    assert command("approve", "1", "--db", "c.db", "--as", "乙").code == 0
    assert command("status", "V1", "suspend", "--db", "c.db", "--reason", "休养").code == 0
    for words in (
        ("approve", "1", "--db", "c.db", "--as", "丙"),
        ("transfer", "V0000002", "--to", "O1", "--db", "c.db", "--on", "2020-01-01"),
        ("status", "V0000002", "leave", "--until", "2020-01-01", "--db", "c.db"),
        ("status", "V0000002", "end", "--db", "c.db"),
        ("status", "V1", "suspend", "--db", "c.db", "--reason", "休养"),
        ("grants", "give", "丁", "organization_admin:O1", "--db", "c.db"),
    ):
        done = command(*words, language="zh-CN")
        assert (done.code, PYTHON.findall(done.err)) == (1, []), done.err
    said = command("grants", "list", "--db", "c.db", "--role", "organization_admin:O1", language="zh-CN").err
    assert "查看授权（grant.read）" in said, said


def test_what_a_role_is_for_has_to_be_there(folder: Path) -> None:
    (folder / "city" / "organizations.csv").write_text(
        "org_id,org_name\nO1,渝水区志愿服务联合会\nO0012,分宜县志愿者协会", "utf-8"
    )
    (folder / "city" / "volunteers.csv").write_text(
        f"volunteer_id,name,org_id,registered_at,district\nV1,{NAME},O1,2019-03-01,渝水区\nV2,李明,O1,2019-03-01,分宜县",
        "utf-8",
    )
    assert command("import", "city", "--db", "c.db").code == 0
    for words, code, near in (
        (("pending", "--role", "organization_admin:O0013"), "not_found", "O0012"),
        (("pending", "--role", "team_leader:T9"), "not_found", "T9"),
        (("show", "V1", "--role", "volunteer:V7"), "not_found", "V7"),
        (("pending", "--role", "department_officer:渝水"), "area_unknown", "是否想写“渝水区”"),
        (("grants", "give", "丁", "department_officer:分宜"), "area_unknown", "是否想写“分宜县”"),
        (("grants", "give", "丁", "auditor", "--volunteer", "V7"), "not_found", "V7"),
    ):
        done = command(*words, "--db", "c.db", language="zh-CN")
        assert (done.code, f"[{code}]" in done.err, near in done.err) == (1, True, True), done.err
    assert command("grants", "list", "--db", "c.db").out.count("丁") == 0
    assert command("grants", "give", "丁", "department_officer:渝水区", "--db", "c.db").code == 0
    assert command("pending", "--role", "department_officer:渝水区", "--db", "c.db").code == 0


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_to_look_for_finds_nobody(folder: Path, text: str) -> None:
    done = command("find", text, "--db", "c.db", language="zh-CN")
    assert (done.code, "[invalid_value]" in done.err, done.out) == (1, True, "")


def test_two_registrations_of_one_person_are_merged_by_two_clerks(folder: Path) -> None:
    pair = ("V0000001", "V0000002")
    for number in pair:
        given = ("--rights", "v1", "--phone", "12900000007", "--number", number, "--as", "甲")
        assert command(*WANG, "1990-01-01", *given).code == 0
    for case in ("1", "2"):
        assert command("approve", case, "--db", "c.db", "--as", "乙").code == 0
    same = command("merge", pair[0], pair[0], "--dry-run", "--db", "c.db", language="zh-CN")
    assert (same.code, "不能合并" in same.out) == (1, True), same
    look = command("merge", *pair, "--dry-run", "--db", "c.db", "--as", "甲", language="zh-CN")
    assert (look.code, "可以合并" in look.out, "vk_" in look.out) == (0, True, False), look
    assert command("pending", "--all", "--db", "c.db", "--json").out.strip() == "[]"
    assert "--reason" in command("merge", *pair, "--db", "c.db", "--as", "甲").err
    assert command("merge", *pair, "--reason", "同一人", "--db", "c.db", "--as", "甲").code == 0
    assert command("approve", "3", "--db", "c.db", "--as", "甲").code == 1
    assert command("approve", "3", "--db", "c.db", "--as", "乙").code == 0
    assert json.loads(command("show", pair[1], "--db", "c.db", "--json").out)["volunteer"] == pair[0]
    assert command("unmerge", pair[1], "--reason", "弄错了", "--db", "c.db", "--as", "甲").code == 0
    assert command("unmerge", "V1", "--reason", "弄错了", "--db", "c.db", "--as", "甲").code == 1


def test_a_rulebook_that_cannot_be_read_is_told_in_chinese(folder: Path) -> None:
    for text, said in (
        ('id = "a"\nx = [\n', "到文件末尾仍不是合法的 TOML"),
        ("a =\n", "第 1 行第 4 列不是合法的 TOML"),
        ('id = "a"', "缺少"),
    ):
        (folder / "ours.toml").write_text(text, "utf-8")
        done = command("rate", "--db", "c.db", "--plugin", "ours.toml", language="zh-CN")
        assert (done.code, said in done.err, re.findall("Invalid|plugin ours", done.err)) == (1, True, []), (
            done.err
        )
    done = command("rate", "--db", "c.db", "--plugin", "gone.toml", language="zh-CN")
    assert "没有这个文件" in done.err, done.err


def test_an_unknown_reason_is_no_empty_list(folder: Path) -> None:
    flag = command("quarantine", "--db", "c.db", "--reason", "no_clock", language="zh-CN")
    assert (flag.code, "--flagged" in flag.err) == (1, True), flag.err
    (folder / "city" / "service_records.csv").write_text(
        "volunteer_id,project_id,service_date,hours,status\nV1,P9,2019-03-05,2,confirmed", "utf-8"
    )
    assert command("import", "city", "--db", "c.db").code == 1  # its one row of service is refused
    done = command("quarantine", "--db", "c.db", "--reason", "project_unknow", language="zh-CN")
    assert (done.code, "是否想写“project_unknown”" in done.err) == (1, True), done.err
    assert "P9" in command("quarantine", "--db", "c.db", "--reason", "project_unknown").out


def test_a_demo_writes_its_report_into_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*given: object, **_: object) -> None:
        raise StorageError("file_not_written", place=str(given[0]))

    monkeypatch.setattr("volunteerkit.cli.demo.check_out", made)
    (folder / "报告").mkdir()
    assert "报告/report.html" in command("demo", "--small", "--out", "报告", language="zh-CN").err
    done = command("demo", "--small", "--out", "r.html", language="zh-CN")
    assert ("r.html" in done.err, "report.html" in done.err) == (True, False)


def test_a_folder_is_no_file_to_write(folder: Path) -> None:
    done = command("export", "hours", "--db", "c.db", "--out", "city", language="zh-CN")
    assert (done.code, "--out city/hours.csv" in done.err) == (1, True), done.err


def test_every_plugin_is_listed_and_every_one_that_fails_is_named(folder: Path) -> None:
    (folder / "ours.py").write_text(
        "import datetime as dt\nfrom volunteerkit import hookimpl\nfrom volunteerkit.clock import Calendar\n"
        "@hookimpl\ndef vk_choose_calendar():\n    return Calendar(known_until=dt.date(2099, 12, 31))\n",
        "utf-8",
    )
    (folder / "raises.py").write_text(f"raise ValueError('{NAME}')\n", "utf-8")
    (folder / "hook.py").write_text("def vk_choose_calender():\n    pass\n", "utf-8")
    names = ("raises.py", "ours.py", "gone.py", "xinju", "hook.py")
    given = [word for name in names for word in ("--plugin", name)]
    for language in ("zh-CN", "en"):
        done = command("plugins", *given, language=language)
        shown = done.out.splitlines()
        assert (done.code, done.err, NAME in done.out) == (1, "", False), done.err
        assert shown[0].startswith("ours  (ours.py)  vk_choose_calendar")
        assert [line.split()[0] for line in shown[1:5]] == ["raises.py", "gone.py", "xinju", "hook.py"]
        assert "xinyu" in shown[3]
    found = json.loads(command("plugins", *given, "--json").out)
    assert [each["name"] for each in found["loaded"]] == ["ours"]
    assert [each["code"] for each in found["failed"]][:3] == [
        "plugin_import",
        "plugin_import",
        "plugin_unknown",
    ]
    assert command("plugins", "--plugin", "ours.py").code == 0


@pytest.mark.parametrize(
    "words", [("--help",), ("bank", "--help"), ("verify", "--help"), ("hours", "record", "--help")]
)
def test_help_is_in_the_language_of_whoever_reads_it(words: tuple[str, ...]) -> None:
    first, other, again = (command(*words, language=each).out for each in ("zh-CN", "en", "zh-CN"))
    assert ("用法" in first, "Usage" in other) == (True, True)
    assert re.search("[\u4e00-\u9fff]", other) is None
    assert again == first


@pytest.mark.parametrize(("language", "what"), [("zh-CN", "链头："), ("en", "Head: ")])
def test_the_head_is_printed_and_compared(folder: Path, language: str, what: str) -> None:
    told = command("verify", "--db", "c.db", language=language).out
    head = re.search(rf"^{what}([0-9]+):([0-9a-f]{{64}})$", told, re.MULTILINE)
    assert head, told
    seq, digest = int(head[1]), head[2]
    assert command("verify", "--db", "c.db", "--head", f"{seq}:{digest}").code == 0
    for wrong in (str(seq), digest, f"{seq}:abc", f"{seq}：{digest}", "链头", "x" * 9999):
        done = command("verify", "--db", "c.db", "--head", wrong, language=language)
        assert (done.code, done.out, f"{seq}:{digest}" in done.err) == (1, "", False), done.err
        told = ("--head", "64 位" if language == "zh-CN" else "64 hexadecimal", "volunteerkit verify")
        assert all(each in done.err for each in told), done.err
        assert len(done.err) < 400
    later = command("verify", "--db", "c.db", "--head", f"{seq + 9}:{digest}", language=language)
    assert (later.code, bool(re.search(f"(只到第|ends at) {seq}", later.out))) == (1, True), later.out
