"""The commands as a clerk uses them, rightly and wrongly."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from volunteerkit.cli import main
from volunteerkit.messages import in_language

SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "synthetic_sample"
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path, folder: Path, language: str = "en") -> subprocess.CompletedProcess[str]:
    """Run a command in this process: to start Python anew takes longer than most of them."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(folder),
        pytest.MonkeyPatch.context() as patch,
        in_language(language),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setenv("COLUMNS", "200")
        try:
            main([str(each) for each in arguments])
        except SystemExit as done:
            code = int(done.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("新余")
    done = run("import", SAMPLE, "--db", "city.db", "--as-of", "2026-11-23", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert (counts["read"], counts["credited"], sum(counts["refused"].values())) == (11079, 10347, 88)
    return folder


def test_the_key_is_for_its_owner_only(city: Path) -> None:
    assert stat.S_IMODE((city / "city.db.key").stat().st_mode) == 0o600


def test_export_has_one_row_a_volunteer(city: Path) -> None:
    assert run("export", "hours", "--db", "city.db", "--out", "hours.csv", folder=city).returncode == 0
    with (city / "hours.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["volunteer_id", "claimed_minutes", "credited_minutes", "records", "grade"]
    assert len(rows) == 346
    assert sum(int(row["credited_minutes"]) for row in rows) == 1824390
    assert sum(int(row["grade"]) >= 1 for row in rows) == 50


def test_a_star_is_explained_in_chinese_and_english(city: Path) -> None:
    zh = run("explain", "V0000227", "--db", "city.db", folder=city, language="zh-CN").stdout
    en = run("explain", "V0000227", "--db", "city.db", folder=city).stdout
    assert "民函〔2012〕340号" in zh
    assert "还差 11 小时 30 分钟" in zh
    assert "short by 11 h 30 min" in en


def test_rate_decides_only_what_changed(city: Path) -> None:
    first = json.loads(run("rate", "--db", "city.db", "--decide", "--json", folder=city).stdout)
    second = json.loads(run("rate", "--db", "city.db", "--decide", "--json", folder=city).stdout)
    assert first["grades"] == {"0": 296, "1": 24, "2": 12, "3": 6, "4": 3, "5": 5}
    assert (first["decided"], second["decided"]) == (50, 0)


def test_verify_agrees(city: Path) -> None:
    done = run("verify", "--db", "city.db", "--json", folder=city)
    assert (done.returncode, json.loads(done.stdout)["holds"]) == (0, True)


def test_verify_rebuilds_balances_when_it_is_asked_to(city: Path) -> None:
    database = sqlite3.connect(city / "city.db")
    database.execute("UPDATE vk_account SET posted_minutes = posted_minutes + 1 WHERE id IN (17, 33)")
    database.commit()
    database.close()
    wrong = run("verify", "--db", "city.db", folder=city)
    assert (wrong.returncode, "account 17" in wrong.stdout) == (1, True)
    mended = run("verify", "--db", "city.db", "--rebuild", "--json", folder=city)
    found = json.loads(mended.stdout)
    assert (mended.returncode, found["holds"], found["rebuilt"]) == (0, True, 2)
    assert "0 accounts mended" in run("verify", "--db", "city.db", "--rebuild", folder=city).stdout


def test_a_statement_adds_up(city: Path) -> None:
    found = json.loads(run("statement", "V0000227", "--db", "city.db", "--json", folder=city).stdout)
    assert sum(line["credited_minutes"] for line in found["lines"]) == found["credited_minutes"] == 5310
    earlier = json.loads(
        run("statement", "V0000227", "--db", "city.db", "--known-at", "0", "--json", folder=city).stdout
    )
    assert earlier["lines"] == []


def test_quarantine_says_how_to_mend(city: Path) -> None:
    rows = json.loads(run("quarantine", "--db", "city.db", "--json", folder=city, language="zh-CN").stdout)
    assert len(rows) == 88
    assert all(
        row["file"] == "service_records.csv" and row["row"] > 1 and "。" in row["how_to_mend"] for row in rows
    )


def test_quarantine_shows_the_last_import_and_nothing_older(tmp_path: Path) -> None:
    rows = {
        "organizations": "org_id,org_name\nO1,渝水区志愿服务联合会",
        "projects": "project_id,project_name,org_id\nP1,无偿献血宣传,O1",
        "volunteers": "volunteer_id,name,org_id,registered_at\nV1,周兰,O1,2019-03-01",
        "service_records": "volunteer_id,project_id,service_date,hours,status\nV1,P1,2019-03-05,2,confirmed",
    }
    for name, text in rows.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    records, found = tmp_path / "service_records.csv", []
    for wrong in ("2019-02-30", "2019-03-06", "2019-02-30"):
        records.write_text(f"{rows['service_records']}\nV1,P1,{wrong},3,confirmed\n", "utf-8")
        assert run("import", ".", "--db", "city.db", folder=tmp_path).returncode == 0
        found.append(json.loads(run("quarantine", "--db", "city.db", "--json", folder=tmp_path).stdout))
    assert [[row["value"] for row in each] for each in found] == [["2019-02-30"], [], ["2019-02-30"]]
    records.write_text(rows["service_records"], "utf-8")
    run("import", ".", "--db", "city.db", folder=tmp_path)
    assert "No row is refused." in run("quarantine", "--db", "city.db", folder=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rate", "--db", "typo.db"), "storage_missing"),
        (("import", "nowhere", "--db", "new.db"), "folder_missing"),
        (("import", ".", "--db", "new.db"), "no_table"),
        (("import", "city.db", "--db", "new.db"), "folder_is_file"),
        (("import", SAMPLE, "--db", ":memory:"), "storage_not_kept"),
        (("import", SAMPLE, "--db", "no/where.db"), "storage_unavailable"),
        (("import", SAMPLE, "--db", "new.db", "--mapping", "no.toml"), "mapping_missing"),
        (("explain", "V9999999", "--db", "city.db"), "not_found"),
        (("export", "hours", "--db", "city.db", "--out", "x.csv", "--rulebook", "unoin"), "rulebook_unknown"),
        (("rate", "--db", "city.db", "--plugin", "xinyo"), "plugin_unknown"),
    ],
)
def test_mistakes_get_one_clear_line(city: Path, arguments: tuple[str, ...], code: str) -> None:
    done = run(*arguments, folder=city)
    assert done.returncode == 1
    assert f"[{code}]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (city / "new.db").exists()
    assert not (city / "typo.db").exists()


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        ("zz", 0o600, "key_unreadable"),
        ("ab" * 32, 0o644, "key_open_to_others"),
        (None, 0o600, "key_not_written"),
    ],
)
def test_a_key_that_cannot_be_used_leaves_nothing_behind(
    tmp_path: Path, content: str | None, mode: int, code: str
) -> None:
    key = tmp_path / "a.key"
    if content is None:
        (tmp_path / "file").write_text("")
        key = tmp_path / "file" / "a.key"
    else:
        key.write_text(content)
        key.chmod(mode)
    before = set(tmp_path.iterdir())
    done = run("import", SAMPLE, "--db", "city.db", "--key-file", key, folder=tmp_path)
    assert (done.returncode, f"[{code}]" in done.stderr) == (1, True), done.stderr
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", SAMPLE), "缺少 --db"),
        (("imprt", SAMPLE), "是否想写“import”？"),
        (("verify", "--db", "city.db", "--dry"), "没有选项 --dry"),
        (("verify", "more", "--db", "city.db"), "多出来的参数：more"),
        (("export", "hors", "--db", "city.db", "--out", "x.csv"), "允许的是：hours, brands, ledger。"),
        (("rate", "--db", "city.db", "--as-of", "2026-02-30"), "允许的是：实际存在的日期"),
        (("statement", "V0000227", "--db", "city.db", "--known-at", "abc"), "--known-at 的值 'abc' 不可接受"),
    ],
)
def test_a_command_line_that_is_wrong_is_answered_in_chinese(
    city: Path, arguments: tuple[str | Path, ...], said: str
) -> None:
    done = run(*arguments, folder=city, language="zh-CN")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_day_is_read_as_the_importer_reads_it(city: Path) -> None:
    found = json.loads(
        run("rate", "--db", "city.db", "--as-of", "2020年1月5日", "--json", folder=city).stdout
    )
    assert found["as_of"] == "2020-01-05"


def test_a_volunteer_is_found_however_typed_or_the_nearest_is_named(city: Path) -> None:
    assert run("statement", "ｖ0000227", "--db", "city.db", folder=city).returncode == 0
    done = run("explain", "V00000227", "--db", "city.db", folder=city, language="zh-CN")
    assert "找不到志愿者“V00000227”" in done.stderr
    assert "是否想写“V0000227”？" in done.stderr
    done = run("explain", "360599199003150015", "--db", "city.db", folder=city)
    assert "360599" not in done.stderr


@pytest.mark.parametrize("command", ["statement", "explain"])
@pytest.mark.parametrize("typed", ["张三丰", "ZHANGSAN", "12900000078", "360599199003150015"])
def test_a_name_in_the_place_of_a_number_is_not_repeated(city: Path, command: str, typed: str) -> None:
    done = run(command, typed, "--db", "city.db", folder=city, language="zh-CN")
    assert (done.returncode, typed in done.stdout + done.stderr) == (1, False)
    assert "volunteerkit find" in done.stderr


def test_a_mapping_with_mistakes_names_every_one_in_the_readers_language(tmp_path: Path) -> None:
    text = """source = 3
zoon = "UTC"
[[file]]
name = "volunteers.csv"
entity = "volunteers"
skip_empty = "name"
[file.columns]
name = { colum = "name" }
"""
    (tmp_path / "m.toml").write_text(text, "utf-8")
    done = run("import", SAMPLE, "--db", "city.db", "--mapping", "m.toml", folder=tmp_path, language="zh-CN")
    for said in (
        "第 1 行，source：这里应是加引号的文字",
        "第 2 行，zoon：不认识的键“zoon”。是否想写“zone”？",
        "zone：缺少“zone”",
        "第 6 行，file[0].skip_empty：这里应是列表",
        "第 8 行，file[0].columns.name.colum：不认识的键“colum”。是否想写“column”？",
    ):
        assert said in done.stderr
    assert not (tmp_path / "city.db").exists()


def test_hooks_plugins_and_doctor_speak(city: Path) -> None:
    hooks = json.loads(run("hooks", "--json", folder=city).stdout)
    assert {row["kind"] for row in hooks} == {"contribute", "review", "choose", "react"}
    plugins = json.loads(run("plugins", "--json", folder=city).stdout)
    assert "xinyu" in plugins["installed"]
    assert run("doctor", "--db", "city.db", folder=city).returncode == 0


@pytest.mark.parametrize("mapping", ["zooniverse", "teamkinetic"])
def test_foreign_layouts_come_in_by_mapping(tmp_path: Path, mapping: str) -> None:
    data = SAMPLE.parent / {"zooniverse": "zooniverse_sessions", "teamkinetic": "teamkinetic_export"}[mapping]
    path = ROOT / "examples" / "mappings" / f"{mapping}.toml"
    arguments = ("import", data, "--db", "city.db", "--mapping", path, "--zone", "UTC", "--json")
    counts = json.loads(run(*arguments, folder=tmp_path).stdout)
    if mapping == "zooniverse":
        assert (counts["read"], counts["credited"], counts["flagged"]["check_out_forgotten"]) == (
            5063,
            5043,
            20,
        )
    else:
        assert (counts["read"], counts["credited"], counts["refused"]) == (
            69,
            12,
            {"hours_zero_or_negative": 8},
        )
    again = json.loads(run(*arguments, folder=tmp_path).stdout)
    assert (again["new"], again["credited"]) == (0, counts["credited"])


@pytest.mark.parametrize("layout", ["zooniverse_sessions", "teamkinetic_export"])
def test_a_foreign_layout_without_a_mapping_gets_a_draft_of_one(tmp_path: Path, layout: str) -> None:
    done = run("import", SAMPLE.parent / layout, "--db", "city.db", folder=tmp_path)
    assert done.returncode == 1
    draft = tomllib.loads(done.stdout)
    assert {Path(file["name"]).suffix for file in draft["file"]} == {".csv"}
    columns = {title for file in draft["file"] for title in file["columns"].values()}
    assert columns >= (
        {"record_id", "volunteer"} if layout.startswith("zoo") else {"VOLID", "PLACEMENTID", "SESSIONDATE"}
    )
    assert "not placed" in done.stdout
    assert "--mapping" in done.stderr or "Rename" in done.stderr


def test_quickstart_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "quickstart.py"], cwd=tmp_path, capture_output=True, encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "short by 97 h 30 min" in done.stdout


def test_help_loads_no_database_and_no_engine(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom volunteerkit.cli import main\nsys.argv = ['volunteerkit', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('sqlalchemy', 'numpy', 'polars', 'duckdb', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    )
    assert done.stdout.strip().endswith("[]")


def test_what_to_try_next_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    """Whoever came by dev.py has no volunteerkit on the path: the hint names the one that ran."""
    script = Path(sys.executable).with_name("volunteerkit")
    shown = subprocess.run(
        [script, "demo", "--small"], cwd=tmp_path, check=True, capture_output=True, encoding="utf-8",
        env={**os.environ, "PATH": os.defpath, "VOLUNTEERKIT_LANG": "en"},
    ).stdout  # fmt: skip
    hints = shown.partition("What to try next:")[2].strip().splitlines()
    assert len(hints) == 5
    for hint in hints:
        done = subprocess.run(hint, shell=True, cwd=tmp_path, check=False, capture_output=True)
        assert done.returncode == 0, hint


def test_the_ledger_is_exported_and_a_published_head_compared(city: Path) -> None:
    done = run("verify", "--db", "city.db", "--json", folder=city)
    head = json.loads(done.stdout)["head"]
    assert run("verify", "--db", "city.db", "--head", head, folder=city).returncode == 0
    assert run("verify", "--db", "city.db", "--head", f"1:{'0' * 64}", folder=city).returncode == 1
    assert run("export", "ledger", "--db", "city.db", "--out", "ledger.jsonl", folder=city).returncode == 0
    script = ROOT / "src" / "volunteerkit" / "cli" / "verify_export.py"
    checked = subprocess.run([sys.executable, "-I", "-S", script, city / "ledger.jsonl", head], check=False)
    assert checked.returncode == 0


def test_a_rating_without_a_rule_for_stars_says_so(city: Path) -> None:
    (city / "奖章.toml").write_text(
        'id = "city.medal"\ndecides = "medal"\n[[version]]\neffective_from = 2020-01-01\ncitation = "办法"\n'
        'step = [{ award = 1, when = "credited_minutes >= 60", name = { zh-CN = "铜奖" } }]\n',
        "utf-8",
    )
    words = ("rate", "--db", "city.db", "--plugin", "奖章.toml")
    told = run(*words, folder=city, language="zh-CN")
    assert told.returncode == 0
    assert "没有评定" in told.stdout
    assert "★" not in told.stdout
    assert "铜奖" in run(*words, "--decides", "medal", folder=city, language="zh-CN").stdout


def test_who_lacks_a_fact_is_told_apart_from_who_gets_no_grade(city: Path) -> None:
    (city / "献血.toml").write_text(
        'id = "city.donor"\ndecides = "donor"\n[fact.donations]\ntype = "int"\nzh-CN = "献血次数"\nen = "donations"\n'
        '[[version]]\neffective_from = 2020-01-01\ncitation = "办法"\nanswer.twice = "donations + donations"\n'
        'step = [{ award = 1, when = "twice >= 6" }]\n',
        "utf-8",
    )
    words = ("--db", "city.db", "--plugin", "献血.toml", "--decides", "donor")
    assert "人缺少事实，无法裁定" in run("rate", *words, folder=city, language="zh-CN").stdout
    told = run("explain", "V0000227", *words, "--json", folder=city).stdout
    assert json.loads(told)["missing"] == ["donations"]
    told = run("rule", "try", "献血.toml", "--db", "city.db", folder=city, language="zh-CN").stdout
    assert "人试行后缺少事实，无法裁定" in told
