"""The commands as a clerk uses them, rightly and wrongly."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "synthetic_sample"
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path, folder: Path, language: str = "en") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"VOLUNTEERKIT_LANG": language, "PYTHONUTF8": "1", "COLUMNS": "200"}
    command = [sys.executable, "-c", "from volunteerkit.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", check=False)


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
    assert "11 h 30 min" in zh
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


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rate", "--db", "typo.db"), "storage_missing"),
        (("import", "nowhere", "--db", "new.db"), "folder_missing"),
        (("import", ".", "--db", "new.db"), "no_table"),
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
