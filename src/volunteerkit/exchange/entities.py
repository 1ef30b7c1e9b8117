"""Loading organizations, teams, projects and volunteers: new rows are added, changed ones updated.

These files are small beside the records. A row is told apart from its earlier self by a digest, so the
same file twice changes nothing; for volunteers the digest is keyed, because it covers personal data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Set
from itertools import count
from typing import Any

import sqlalchemy as sa

from volunteerkit.exchange.batches import FileReport, Refusals, finish_batch, next_batch_id, same_as_before
from volunteerkit.exchange.cells import Cell, clean, read_id
from volunteerkit.exchange.people import (
    columns_left,
    count_doubts,
    silent_columns,
    store_people,
    volunteer_rows,
    whole_people,
)
from volunteerkit.exchange.reading import Source
from volunteerkit.exchange.table_rows import Cells, Numbers, Ready, registered
from volunteerkit.exchange.tables import overruled
from volunteerkit.ledger import honour_account, issuer_account
from volunteerkit.organizations.tables import affiliation, organization, team
from volunteerkit.projects.tables import brand, project
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import hold_head, insert_rows
from volunteerkit.store.registering import next_id
from volunteerkit.store.schema import account
from volunteerkit.store.vault import check_key, row_digest
from volunteerkit.volunteers.tables import volunteer

__all__ = ["load_entities"]


def __dir__() -> list[str]:
    return __all__


def _organization(desk: Desk, source: Source) -> Callable[[Cells], Ready]:
    # A parent may stand below its child, so the file's own numbers are known before its rows are read.
    position = source.fields.index("org_id")
    own = [clean(cells[position]).upper() for _, cells in source.rows() if not isinstance(cells, Cell)]
    known = Numbers(desk, organization, "organization_unknown", own)
    known.ids.update(dict.fromkeys(own, 0))

    def ready(row: Cells) -> Ready:
        number = read_id(row["org_id"])
        values = {
            "name": row.name("org_name"),
            "type": row.text("org_type"),
            "credit_code": clean(row.text("uscc")).upper(),
            "registered_on": registered(row, desk.zone),
            "status": row.state("organizations", "active"),
            "incubated": int(row.word("incubated", "no") == "yes"),
        }
        parent = clean(row["parent_org_id"]).upper()
        known.maybe(parent)
        return number, values | {"parent": parent}, row_digest(number, *values.values(), parent)

    return ready


def _team(desk: Desk, source: Source) -> Callable[[Cells], Ready]:
    organizations = Numbers(desk, organization, "organization_unknown")

    def ready(row: Cells) -> Ready:
        number = read_id(row["team_id"])
        values = {
            "name": row.name("team_name"),
            "organization_id": organizations.get(row["org_id"]),
            "status": row.state("teams", "approved"),
        }
        return number, values, row_digest(number, *values.values())

    return ready


def _project(desk: Desk, source: Source) -> Callable[[Cells], Ready]:
    organizations = Numbers(desk, organization, "organization_unknown")

    def ready(row: Cells) -> Ready:
        number = read_id(row["project_id"])
        target = clean(row["recruit_target"])
        if target and not (target.isascii() and target.isdigit() and len(target) <= 9):
            raise Cell("number_unreadable")
        values = {
            "name": row.name("project_name"),
            "brand": row.text("brand"),
            "category": row.text("category"),
            "organization_id": organizations.get(row["org_id"]),
            "starts_on": row.day("start_date"),
            "ends_on": row.day("end_date"),
            "recruit_target": int(target) if target else None,
            "status": row.state("projects", "approved"),
        }
        return number, values, row_digest(number, *values.values())

    return ready


_READY = {"organizations": _organization, "teams": _team, "projects": _project, "volunteers": volunteer_rows}
_TABLES = {"organizations": organization, "teams": team, "projects": project, "volunteers": volunteer}
_NUMBER = {
    "organizations": "org_id",
    "teams": "team_id",
    "projects": "project_id",
    "volunteers": "volunteer_id",
}


def load_entities(desk: Desk, source: Source, progress: Callable[[int], None]) -> FileReport:
    """Load a file of organizations, teams, projects or volunteers and return the counts.

    Raises KeyProblem when volunteers come and no cipher was handed in, or another one than before.
    """
    entity = source.entity
    hold_head(desk)  # of two imports at once the second sees what the first one brought
    if entity == "volunteers":
        check_key(desk.connection, desk.needed_cipher())
    table, refusals = _TABLES[entity], Refusals()
    columns = (table.c.number, table.c.id, table.c.row_digest)
    stored = {number: (id_, digest) for number, id_, digest in desk.connection.execute(sa.select(*columns))}
    ready = _READY[entity](desk, source)
    added: dict[str, Ready] = {}
    changed: dict[str, Ready] = {}
    same: list[Ready] = []
    seen: set[str] = set()
    skipped: Counter[str] = Counter()
    read = 0
    for row_number, cells in source.rows():
        read += 1
        if isinstance(cells, Cell):
            if cells.skipped:
                skipped[cells.reason] += 1
            else:
                refusals.add(row_number, cells.field, cells.column, cells.shown, cells.reason)
            continue
        row = Cells(source.fields, cells)
        try:
            got = ready(row)
            if got[0] in seen:
                row.field = _NUMBER[entity]
                raise Cell("id_repeated")
        except Cell as problem:
            field = row.field
            refusals.add(row_number, field, source.header(field), row[field], problem.reason)
            continue
        seen.add(got[0])
        before = stored.get(got[0])
        if before is None:
            added[got[0]] = got
        elif before[1] is None or bytes(before[1]) != got[2]:
            changed[got[0]] = got
        elif entity == "organizations":
            same.append(got)
        if read % 5000 == 0:
            progress(read)
    # A parent that was refused when its child came in: the child finds it now.
    changed.update({got[0]: got for got in same if got[1]["parent"] in added})
    silent = silent_columns(source) if entity == "volunteers" else frozenset()
    ids = {number: id_ for number, (id_, _) in stored.items()}
    _store(desk, entity, table, added, changed, ids, silent)
    if added or changed or not same_as_before(desk, source, refusals):
        batch_id = next_batch_id(desk)
        finish_batch(desk, batch_id, source, read, len(added) + len(changed), refusals)
    progress(read)
    unchanged = len(seen) - len(added) - len(changed)
    flagged = count_doubts(desk) if entity == "volunteers" else _count_overruled(desk, entity)
    return FileReport(source.file, entity, read, len(added), len(changed), unchanged, None,
                      dict(sorted(skipped.items())), refusals.counts(), flagged)  # fmt: skip


def _store(desk: Desk, entity: str, table: sa.Table, added: dict[str, Ready], changed: dict[str, Ready],
           ids: dict[str, int], silent: Set[str]) -> None:  # fmt: skip
    """Write the rows, and of which of them a desk decided otherwise."""
    connection = desk.connection
    ids |= {number: id_ for id_, number in enumerate(added, next_id(desk, table))}
    columns = {column.name for column in table.columns}
    if entity == "projects":
        _brands(connection, next_id(desk, brand), [*added.values(), *changed.values()])
    if entity == "volunteers":
        whole_people(desk, added, changed, ids)
        left = columns_left(desk, changed, ids, silent)
    else:
        left = _decided(connection, entity, changed, ids)

    def stored(got: Ready, silent: Set[str] = frozenset()) -> dict[str, Any]:
        kept = {name: value for name, value in got[1].items() if name in columns - silent}
        return {"id": ids[got[0]], "number": got[0], "row_digest": got[2], **kept}

    if added:
        rows = [stored(got) for got in added.values()]
        insert_rows(connection, table.name, list(rows[0]), [tuple(row.values()) for row in rows])
    for got in changed.values():
        connection.execute(
            sa.update(table).where(table.c.id == ids[got[0]]).values(stored(got, left[got[0]]))
        )
    if entity == "organizations":
        _parents(connection, [*added.values(), *changed.values()], ids)
    holder = {"volunteers": honour_account, "projects": issuer_account}.get(entity)
    if holder and added:
        accounts = [(holder(ids[number]), 0, 0) for number in added]
        insert_rows(connection, account.name, ("id", "posted_minutes", "pending_minutes"), accounts)
    if entity == "volunteers" and (added or changed):
        store_people(desk, list(added.values()), list(changed.values()), ids, left)


def _brands(connection: sa.Connection, following: int, rows: list[Ready]) -> None:
    """Set the brand of every row by its name; a name that is new becomes a brand of the city's centre."""
    known = sa.select(brand.c.name, brand.c.id).order_by(brand.c.id.desc())
    ids: dict[str, int] = {name: id_ for name, id_ in connection.execute(known)}
    taken = set(connection.execute(sa.select(brand.c.number)).scalars())
    new: list[tuple[int, str, str]] = []
    for _, values, _ in rows:
        name = values["brand"]
        if name and name not in ids:
            ids[name] = following + len(new)
            number = next(each for each in _brand_numbers(ids[name]) if each not in taken)
            taken.add(number)
            new.append((ids[name], number, name))
        values["brand_id"] = ids[name] if name else None
    if new:
        insert_rows(connection, brand.name, ("id", "number", "name"), new)


def _brand_numbers(serial: int) -> Iterator[str]:
    return (f"B{each:07d}" for each in count(serial))


def _decided(
    connection: sa.Connection, entity: str, changed: dict[str, Ready], ids: dict[str, int]
) -> dict[str, Set[str]]:
    """Return for each number the columns a desk decided, which no file overturns; note the rows that differ there."""
    left: dict[str, Set[str]] = dict.fromkeys(changed, frozenset())
    table = _TABLES[entity]
    for number, values, _ in changed.values():
        row = connection.execute(sa.select(table).where(table.c.id == ids[number])).one()._mapping
        own = {"status"} if row["case_id"] is not None or _moved_here(row) else set()
        now = {"status": row["status"]}
        if table is team:
            later = sa.select(affiliation.c.organization_id).where(affiliation.c.team_id == row["id"])
            to = connection.execute(later.order_by(affiliation.c.since.desc()).limit(1)).scalar()
            if to is not None:
                own.add("organization_id")
                now["organization_id"] = to
        left[number] = own
        this = {"entity": entity, "id": row["id"]}
        connection.execute(sa.delete(overruled).filter_by(**this))
        if any(now[name] != values[name] for name in own):
            connection.execute(sa.insert(overruled).values(this))
    return left


def _count_overruled(desk: Desk, entity: str) -> dict[str, int]:
    query = sa.select(sa.func.count()).select_from(overruled).where(overruled.c.entity == entity)
    count = desk.connection.execute(query).scalar_one()
    return {"decided_here": count} if count else {}


def _moved_here(row: Any) -> bool:
    """Tell whether a desk published, reported on or cancelled a project that no desk approved."""
    return any(row.get(name) is not None for name in ("published_at", "served_minutes", "ended_at"))


def _parents(connection: sa.Connection, rows: list[Ready], ids: dict[str, int]) -> None:
    """A parent may stand below its child in the file, so parents are set when all are known."""
    for number, values, _ in rows:
        parent = ids.get(values["parent"]) if values["parent"] and values["parent"] != number else None
        if parent is not None:
            connection.execute(
                sa.update(organization).where(organization.c.id == ids[number]).values(parent_id=parent)
            )
