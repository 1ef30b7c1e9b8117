"""A whole made-up city as CSV files, from a seed: the same seed gives the same bytes everywhere.

Every person, number and organization is invented. Distributions follow published figures: 38 % of the
registered never serve, yearly hours of the others are log-normal with sigma 1.45, sessions last 2, 3 and
4 hours at the quartiles, March is the busiest month, older people serve longer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from volunteerkit.errors import InvalidValue
from volunteerkit.simulate.dice import Dice
from volunteerkit.simulate.dirt import FIELDS, Table, clock_text, hours_cell, spoil
from volunteerkit.simulate.people import draw_people, volunteer_rows
from volunteerkit.simulate.places import make_places
from volunteerkit.simulate.sessions import Sessions, draw_sessions
from volunteerkit.units import day_number, day_of

__all__ = ["CityFigures", "write_city"]

_HEADERS = {
    "volunteers": (
        "volunteer_id,name,sex,birth_date,resident_id,phone,district,org_id,team_id,registered_at,status"
    ),
    "organizations": "org_id,org_name,org_type,uscc,parent_org_id,registered_at,status,incubated",
    "teams": "team_id,team_name,org_id,status",
    "projects": "project_id,project_name,brand,category,org_id,start_date,end_date,recruit_target,status",
    "service_records": f"record_id,{','.join(FIELDS)},recorded_at",
}
_STATUS = ("confirmed", "pending", "rejected", "cancelled")
_SOURCE = ("checkin", "manual", "import")
_CHUNK = 25_000


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class CityFigures:
    """What was written: ``active`` volunteers have at least one record; the days bound all service.

    ``mistakes`` and ``identity_mistakes`` are pairs of a kind and how many rows were spoiled that way.
    """

    volunteers: int
    active: int
    organizations: int
    teams: int
    projects: int
    records: int
    first_day: dt.date
    last_day: dt.date
    mistakes: tuple[tuple[str, int], ...]
    identity_mistakes: tuple[tuple[str, int], ...]


def write_city(
    folder: Path,
    *,
    volunteers: int = 33_000,
    organizations: int = 600,
    projects: int = 660,
    records: int = 300_000,
    years: int = 2,
    last_day: dt.date,
    seed: int = 2014,
    progress: Callable[[int, int], None] | None = None,
) -> CityFigures:
    """Write volunteers, organizations, teams, projects and service_records as CSV into ``folder``.

    At least ``records`` records, spread over the ``years`` before ``last_day``; ``progress`` is told rows
    written and rows in all. Files of the same names are overwritten. Raises InvalidValue for sizes out of
    range or more records than so many volunteers can serve.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     made = write_city(Path(name), volunteers=50, organizations=4, projects=5, records=300,
    ...                       last_day=dt.date(2026, 10, 31))
    ...     sorted(path.name for path in Path(name).iterdir())
    ['organizations.csv', 'projects.csv', 'service_records.csv', 'teams.csv', 'volunteers.csv']
    >>> made.records >= 300
    True
    """
    for name, value, most in (
        ("volunteers", volunteers, 1_000_000), ("organizations", organizations, 9_999),
        ("projects", projects, 9_000), ("records", records, 90_000_000), ("years", years, 10),
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise InvalidValue(name=name, value=value, allowed=f"1–{most}")
    dice, last = Dice(seed), day_number(last_day)
    first = last + 1 - years * 1461 // 4
    places = make_places(dice, organizations, projects)
    people = draw_people(dice, places, volunteers, first, last)
    people, sessions = draw_sessions(dice, people, places, projects, records, first, last)
    rows, identity_mistakes = volunteer_rows(dice, people)
    table = _table(sessions, people.team.tolist(), projects, last)
    mistakes = spoil(dice, table, sessions, people.registered_on.tolist(), last, projects)
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (
        ("volunteers", rows), ("organizations", places.organizations), ("teams", places.teams),
        ("projects", places.projects),
    ):  # fmt: skip
        _write(folder / f"{name}.csv", _HEADERS[name], lines)
    _write_records(folder / "service_records.csv", table, progress)
    active = len(set(sessions.volunteer.tolist()))
    return CityFigures(
        volunteers, active, organizations, len(places.teams), projects, len(table.entered_at),
        day_of(first), last_day, mistakes, tuple(identity_mistakes),
    )  # fmt: skip


def _table(sessions: Sessions, teams: Sequence[int], projects: int, last_day: int) -> Table:
    """Return the records as text; every distinct cell is made once."""
    people, day, minutes = (
        column.tolist() for column in (sessions.volunteer, sessions.day, sessions.minutes)
    )
    volunteer_ids = [f"V{number + 1:07d}" for number in range(len(teams))]
    team_ids = [f"T{number + 1:05d}" for number in teams]
    project_ids = [f"P{number + 1:04d}" for number in range(projects)]
    days = {number: str(day_of(number)) for number in set(day)}
    clock = [clock_text(minute) for minute in range(2881)]
    hours = {length: hours_cell(length) for length in set(minutes)}
    columns = (
        [volunteer_ids[number] for number in people],
        [project_ids[number] for number in sessions.project.tolist()],
        [team_ids[number] for number in people],
        [days[number] for number in day],
        [clock[minute] for minute in sessions.start.tolist()],
        [clock[minute] for minute in (sessions.start + sessions.minutes).tolist()],
        [hours[length] for length in minutes],
        [_STATUS[number] for number in sessions.status.tolist()],
        [_SOURCE[number] for number in sessions.source.tolist()],
    )
    cells = dict(zip(FIELDS, columns, strict=True))
    return Table(cells, sessions.entered_at.tolist(), last_day * 1440 + 1439)


def _write(path: Path, header: str, lines: Sequence[str]) -> None:
    path.write_text("\n".join((header, *lines, "")), encoding="utf-8", newline="\n")


def _write_records(path: Path, table: Table, progress: Callable[[int, int], None] | None) -> None:
    """Write the records in the order they were entered, numbered in that order."""
    entered, columns = table.entered_at, list(table.cells.values())
    order = sorted(range(len(entered)), key=entered.__getitem__)
    days = {number: str(day_of(number)) for number in {at // 1440 for at in entered}}
    clock = [clock_text(minute) for minute in range(1440)]
    rows = list(map(",".join, zip(*columns, strict=True)))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_HEADERS["service_records"] + "\n")
        for begin in range(0, len(order), _CHUNK):
            chunk = order[begin : begin + _CHUNK]
            file.write("".join(
                f"R{number:08d},{rows[row]},{days[entered[row] // 1440]} {clock[entered[row] % 1440]}\n"
                for number, row in enumerate(chunk, begin + 1)
            ))  # fmt: skip
            if progress is not None:
                progress(begin + len(chunk), len(order))
