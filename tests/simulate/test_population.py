"""The made-up city: the same for a seed, shaped like the published figures, nobody's own numbers in it."""

import csv
import datetime as dt
import hashlib
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit.errors import InvalidValue
from volunteerkit.simulate.dice import Dice
from volunteerkit.simulate.population import write_city

LAST_DAY = dt.date(2026, 10, 31)
COLUMNS = {
    "volunteers": "volunteer_id name sex birth_date resident_id phone district org_id team_id registered_at "
    "status",
    "organizations": "org_id org_name org_type uscc parent_org_id registered_at status incubated",
    "teams": "team_id team_name org_id status",
    "projects": "project_id project_name brand category org_id start_date end_date recruit_target status",
    "service_records": "record_id volunteer_id project_id team_id service_date start_time end_time hours "
    "status source recorded_at",
}
STATUSES = {"confirmed", "pending", "rejected", "cancelled"}


def read(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tiny(folder, **changed):
    sizes = {
        "volunteers": 60,
        "organizations": 7,
        "projects": 9,
        "records": 400,
        "last_day": LAST_DAY,
    } | changed
    return write_city(folder, **sizes)


def digest(folder):
    mark = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        mark.update(path.name.encode() + path.read_bytes())
    return mark.hexdigest()


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    figures = write_city(folder, volunteers=12_000, organizations=300, projects=330, records=109_000,
                         last_day=LAST_DAY, seed=7)  # fmt: skip
    return folder, figures


@pytest.fixture(scope="module")
def clean_hours(city):
    """Hours of every session whose cells are in the common form, by volunteer."""
    hours = defaultdict(list)
    for row in read(city[0], "service_records"):
        cell = row["hours"].replace(".", "", 1)
        if (
            cell.isascii()
            and cell.isdigit()
            and 0 < float(row["hours"]) <= 24
            and len(row["volunteer_id"]) == 8
        ):
            hours[row["volunteer_id"]].append(float(row["hours"]))
    return hours


def test_the_files_have_the_columns_of_the_sample_and_every_id_once(city):
    folder, figures = city
    counts = {}
    for name, columns in COLUMNS.items():
        rows = read(folder, name)
        counts[name] = len(rows)
        assert list(rows[0]) == columns.split()
        assert len({row[columns.split()[0]] for row in rows}) == len(rows)
        assert all(None not in row and None not in row.values() for row in rows)
    assert counts["service_records"] == figures.records >= 109_000
    assert counts["volunteers"] == figures.volunteers
    assert counts["teams"] == figures.teams
    assert (counts["organizations"], counts["projects"]) == (300, 330)


def test_nothing_in_it_can_be_a_real_person_or_organization(city):
    folder, _ = city
    people = read(folder, "volunteers")
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    numbers = [row["resident_id"] for row in people]
    valid = [
        number
        for number in numbers
        if len(number) == 18
        and number.isascii()
        and number[:17].isdigit()
        and "10X98765432"[sum(int(a) * b for a, b in zip(number, weights, strict=False)) % 11] == number[17]
    ]
    assert len(valid) > 0.98 * len(people)
    assert all(number.startswith("360599") for number in valid)
    assert all(row["phone"].startswith("12") and len(row["phone"]) == 11 for row in people)
    organizations = read(folder, "organizations")
    assert all("（虚构）" in row["org_name"] for row in organizations)
    assert len({row["org_name"] for row in organizations}) == len(organizations)
    assert all(row["uscc"][2:8] == "360599" for row in organizations if row["uscc"])


def test_every_reference_but_the_deliberate_mistakes_is_known(city):
    folder, figures = city
    known = {name: {row[key] for row in read(folder, name)} for name, key in
             (("volunteers", "volunteer_id"), ("projects", "project_id"), ("teams", "team_id"))}  # fmt: skip
    records = read(folder, "service_records")
    mistakes = dict(figures.mistakes)
    strange = sum(row["volunteer_id"] not in known["volunteers"] for row in records)
    spoiled = ("id_full_width", "id_spaces_lower_case", "volunteer_unknown", "id_malformed")
    assert strange == sum(mistakes[kind] for kind in spoiled)
    assert sum(row["project_id"] not in known["projects"] for row in records) == mistakes["project_unknown"]
    assert all(row["team_id"] in known["teams"] for row in records)


def test_about_two_in_a_hundred_records_are_spoiled_in_every_way(city):
    _, figures = city
    assert all(count > 0 for _, count in (*figures.mistakes, *figures.identity_mistakes))
    assert 0.015 < sum(count for _, count in figures.mistakes) / figures.records < 0.025


def test_who_serves_and_how_much_follows_the_published_figures(city, clean_hours):
    _, figures = city
    totals = sorted(sum(hours) for hours in clean_hours.values())
    assert 1 - figures.active / figures.volunteers == pytest.approx(0.38, abs=0.02)
    assert statistics.pstdev(log(total) for total in totals) == pytest.approx(1.45, abs=0.1)
    assert sum(totals[-len(totals) // 10 :]) / sum(totals) == pytest.approx(0.55, abs=0.06)
    stars = [sum(total >= hours for total in totals) for hours in (100, 300, 600, 1000, 1500)]
    assert stars == sorted(stars, reverse=True)
    assert 0 < stars[4] < 0.005 * len(totals)


def test_sessions_last_two_to_four_hours_and_march_is_busiest(city, clean_hours):
    sessions = [hours for each in clean_hours.values() for hours in each]
    assert statistics.quantiles(sessions, n=4) == [2, 3, 4]
    assert statistics.fmean(sessions) == pytest.approx(3.1, abs=0.1)
    months = Counter(row["recorded_at"][5:7] for row in read(city[0], "service_records"))
    assert months.most_common(1)[0][0] == "03"


def test_older_people_serve_longer(city, clean_hours):
    old = {row["volunteer_id"] for row in read(city[0], "volunteers") if row["birth_date"] < "1964"}
    older = [sum(hours) for person, hours in clean_hours.items() if person in old]
    assert statistics.fmean(older) > 2 * statistics.fmean(sum(hours) for hours in clean_hours.values())


def test_nobody_serves_before_registration_but_by_mistake(city):
    folder, figures = city
    registered = {row["volunteer_id"]: row["registered_at"][:10] for row in read(folder, "volunteers")}
    early = sum(
        row["service_date"] < registered.get(row["volunteer_id"], "")
        for row in read(folder, "service_records")
        if len(row["service_date"]) == 10 and row["service_date"][4] == "-" and row["service_date"].isascii()
    )
    assert early - dict(figures.mistakes)["before_registration"] <= dict(figures.mistakes)["date_impossible"]


def test_all_statuses_occur_and_rows_stand_in_the_order_of_entry(city):
    rows = read(city[0], "service_records")
    shares = Counter(row["status"] for row in rows)
    assert set(shares) == STATUSES
    assert shares["confirmed"] > 0.9 * len(rows)
    entered = [row["recorded_at"] for row in rows]
    assert entered == sorted(entered)
    assert entered[-1] <= f"{LAST_DAY} 23:59"


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    assert tiny(tmp_path / "a") == tiny(tmp_path / "b")
    tiny(tmp_path / "c", seed=5)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_the_bytes_are_those_of_every_other_machine(tmp_path):
    tiny(tmp_path)
    assert digest(tmp_path) == "5a3c4b809b13fdc8c1c80fb3da4ed9f26c775af2a6ac71fbbed1fa7923ceeded"


def test_progress_is_told_and_ends_with_all_rows(tmp_path):
    told = []
    figures = tiny(tmp_path, progress=lambda done, rows: told.append((done, rows)))
    assert told[-1] == (figures.records, figures.records)


@pytest.mark.parametrize(
    ("name", "value"), [("volunteers", 0), ("records", 0), ("organizations", 10_000), ("years", 11)]
)
def test_sizes_out_of_range_are_refused_by_name(tmp_path, name, value):
    with pytest.raises(InvalidValue) as refused:
        tiny(tmp_path / "city", **{name: value})
    assert refused.value.values["name"] == name
    assert not (tmp_path / "city").exists()


def test_more_records_than_people_can_serve_are_refused(tmp_path):
    with pytest.raises(InvalidValue, match="records"):
        tiny(tmp_path / "city", volunteers=2, records=90_000)
    assert not (tmp_path / "city").exists()


@given(
    volunteers=st.integers(1, 40),
    organizations=st.integers(1, 9),
    projects=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_the_smallest_cities_can_be_made_too(tmp_path_factory, volunteers, organizations, projects, seed):
    folder = tmp_path_factory.mktemp("small")
    figures = tiny(
        folder, volunteers=volunteers, organizations=organizations, projects=projects, seed=seed, records=30
    )
    assert len(read(folder, "service_records")) == figures.records >= 30
    assert 1 <= figures.active <= volunteers


@given(weights=st.lists(st.integers(0, 5), min_size=1).filter(any), seed=st.integers(0, 2**64))
def test_what_weighs_nothing_is_never_picked(weights, seed):
    picked = Dice(seed).pick(weights, 50).tolist()
    assert all(weights[place] > 0 for place in picked)


def test_without_numpy_the_extra_is_named():
    script = "import sys; sys.modules['numpy'] = None\ntry:\n    import volunteerkit.simulate.population\n" \
             "except Exception as error:\n    print(error.code, error.values)"  # fmt: skip
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "missing_extra {'package': 'numpy', 'extra': 'fast'}"
