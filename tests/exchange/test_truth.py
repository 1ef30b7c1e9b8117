"""The importer against cities whose true answers are known: every minute, every refused row."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, rating
from volunteerkit.exchange.tables import quarantine
from volunteerkit.hours import verify_store

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
SAMPLE = SHARED / "data" / "synthetic_sample"
AS_OF = dt.date(2026, 11, 23)
CLERK = Actor.of("clerk-7", "centre")
REFUSED = {
    "date_in_future", "date_impossible", "volunteer_unknown", "id_malformed", "project_unknown", "hours_over_24",
    "hours_zero_or_negative", "exact_duplicate",
}  # fmt: skip


_opened: list[sa.Engine] = []


@pytest.fixture(autouse=True)
def close_engines() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().dispose()


SMALL = ("--volunteers", "1500", "--orgs", "60", "--projects", "80", "--records", "12000")


def made_city(folder: Path, *options: str) -> Path:
    maker = SHARED / "tools" / "make_city.py"
    subprocess.run([sys.executable, maker, "--out", folder, *options], check=True, capture_output=True)
    return folder


def table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def imported(url: str, folder: Path) -> tuple[Kit, sa.Engine, Any]:
    kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
    engine = volunteerkit.create_engine(url)
    _opened.append(engine)
    kit.migrate(engine)
    return kit, engine, kit.import_directory(engine, CLERK, folder, as_of=AS_OF)


def differences(kit: Kit, engine: sa.Engine, folder: Path) -> list[str]:
    """Everything in which the database and the truth differ."""
    truth = {row["volunteer_id"]: row for row in table(folder / "truth_credited.csv")}
    found = []
    with kit.open(engine, CLERK, read_only=True) as desk:
        for rulebook in ("plain", "union"):
            rated = rating.rate_city(desk, rulebook=rulebook, as_of=AS_OF)
            assert set(rated.volunteers) == set(truth)
            columns = (rated.volunteers, rated.credited_minutes, rated.claimed_minutes, rated.service_records)
            for number, credited, claimed, records in zip(*columns, strict=True):
                true = truth[number]
                wanted = (
                    true[f"credited_minutes_{rulebook}"],
                    true["credited_minutes_plain"],
                    true["credited_records"],
                )
                if wanted != (str(credited), str(claimed), str(records)):
                    found.append(f"{rulebook} {number}: {credited}, {claimed}, {records} instead of {wanted}")
        if not verify_store(desk.connection).holds:
            found.append("verify")
    return found


def refused_rows(engine: sa.Engine, folder: Path, encoding: str) -> dict[str, str]:
    """Record id -> reason, for what stands in quarantine."""
    with (folder / "service_records.csv").open(encoding=encoding, newline="") as file:
        ids = {number: row[0] for number, row in enumerate(csv.reader(file), 1)}
    with engine.connect() as connection:
        return {
            ids[row]: reason
            for row, reason in connection.execute(sa.select(quarantine.c.row, quarantine.c.reason))
        }


def true_refusals(folder: Path) -> dict[str, str]:
    rows = table(folder / "truth_record_defects.csv")
    refused = [(row["record_id"], row["defect"]) for row in rows if row["credited_by_plain_rule"] == "0"]
    # A changed day can make a record the same as another by chance: then it is refused for that.
    return {record_id: kind if kind in REFUSED else "exact_duplicate" for record_id, kind in refused}


def test_the_sample_comes_out_true(database_url: str) -> None:
    kit, engine, report = imported(database_url, SAMPLE)
    assert differences(kit, engine, SAMPLE) == []
    assert refused_rows(engine, SAMPLE, "utf-8") == true_refusals(SAMPLE)
    counts = report.as_dict()
    assert (counts["read"], counts["credited"]) == (11079, 10347)
    assert counts["flagged"]["hours_exceed_clock"] == 22
    assert counts["flagged"]["before_registration"] == 11


@pytest.mark.parametrize(
    ("seed", "encoding", "headers"),
    [(7, "gb18030", "zh"), (8, "gbk", "zh"), (9, "utf-8-sig", "en"), (10, "utf-8", "zh")],
)
def test_any_seed_encoding_and_language_of_headers(
    seed: int, encoding: str, headers: str, sqlite_url: str, tmp_path: Path
) -> None:
    options = ("--seed", str(seed), "--encoding", encoding, "--headers", headers)
    folder = made_city(tmp_path / "城市", *SMALL, *options)
    kit, engine, _ = imported(sqlite_url, folder)
    assert differences(kit, engine, folder) == []
    found = refused_rows(engine, folder, encoding)
    assert found == true_refusals(folder)
    assert set(found.values()) <= REFUSED


@pytest.mark.campaign
@pytest.mark.parametrize("headers", ["en", "zh"])
@pytest.mark.parametrize(
    ("seed", "encoding"), [(201, "utf-8"), (202, "utf-8-sig"), (203, "gb18030"), (201, "gbk")]
)
def test_the_full_city(
    seed: int, encoding: str, headers: str, sqlite_url: str, postgresql_url: str, tmp_path: Path
) -> None:
    """A million records, every encoding and language of headers, both databases: zero differences."""
    options = ("--seed", str(seed), "--encoding", encoding, "--headers", headers)
    folder = made_city(tmp_path / "城市", *options)
    for url in (sqlite_url, postgresql_url):
        kit, engine, _ = imported(url, folder)
        assert differences(kit, engine, folder) == []
        assert refused_rows(engine, folder, encoding) == true_refusals(folder)


def stored(engine: sa.Engine) -> dict[str, list[Any]]:
    """Everything in the database."""
    with engine.connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(sa.select(part))))
            for name, part in volunteerkit.metadata.tables.items()
        }


def test_the_same_folder_twice_changes_nothing(database_url: str) -> None:
    kit, engine, first = imported(database_url, SAMPLE)
    before = stored(engine)
    second = kit.import_directory(engine, CLERK, SAMPLE, as_of=AS_OF)
    assert stored(engine) == before
    assert [(file.new, file.updated) for file in second.files] == [(0, 0)] * 5
    assert [file.refused for file in second.files] == [file.refused for file in first.files]
    assert second.files[-1].flagged == first.files[-1].flagged


def test_a_corrected_file_brings_in_what_was_refused(sqlite_url: str, tmp_path: Path) -> None:
    for path in SAMPLE.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    kit, engine, first = imported(sqlite_url, tmp_path)
    records = tmp_path / "service_records.csv"
    wrong = next(id_ for id_, reason in true_refusals(SAMPLE).items() if reason == "hours_over_24")
    lines = records.read_text("utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(wrong))
    cells = lines[at].split(",")
    lines[at] = ",".join([*cells[:7], "2", *cells[8:]])
    records.write_text("\n".join(lines) + "\n", "utf-8")
    second = kit.import_directory(engine, CLERK, tmp_path, as_of=AS_OF)
    assert second.files[-1].new == 1
    assert second.files[-1].credited == first.files[-1].credited + 1
    assert second.files[-1].refused["hours_over_24"] == first.files[-1].refused["hours_over_24"] - 1


def test_no_identity_number_or_phone_or_name_is_stored_in_plain(tmp_path: Path) -> None:
    _, engine, _ = imported(f"sqlite:///{tmp_path / 'city.db'}", SAMPLE)
    engine.dispose()
    content = b"".join(path.read_bytes() for path in tmp_path.glob("city.db*"))
    people = list(table(SAMPLE / "volunteers.csv"))
    for row in people:
        for value in (row["resident_id"].strip(), row["phone"]):
            assert not value or value.encode() not in content
    names = [row["name"] for row in people if len(row["name"]) > 2]
    assert not any(name.encode() in content for name in names)
