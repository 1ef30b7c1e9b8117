"""Loading organizations, teams, projects and volunteers: new rows are added, changed ones updated.

These files are small beside the records. A row is told apart from its earlier self by a digest, so the
same file twice changes nothing; for volunteers the digest is keyed, because it covers personal data.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from volunteerkit.errors import InvalidValue
from volunteerkit.exchange.batches import FileReport, Refusals, finish_batch, next_batch_id, same_as_before
from volunteerkit.exchange.cells import Cell, IdShapes, clean, mask, read_day, read_id, read_instant
from volunteerkit.exchange.layouts import PERSONAL, word
from volunteerkit.exchange.reading import Source
from volunteerkit.ledger import honour_account, issuer_account
from volunteerkit.organizations.tables import organization, team
from volunteerkit.privacy import found_by
from volunteerkit.projects.tables import project
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import alias
from volunteerkit.store.posting import insert_rows
from volunteerkit.store.schema import account
from volunteerkit.store.vault import CLOSED, blind, check_key, indexer, retention, row_digest, seal_subjects
from volunteerkit.units import day_number, day_of
from volunteerkit.volunteers.identity import Identity, adult_on, read_identity
from volunteerkit.volunteers.tables import doubt, membership, volunteer

__all__ = ["load_entities"]


def __dir__() -> list[str]:
    return __all__


class _Numbers:
    """The ids behind the numbers of one kind of thing, with the shapes those numbers have."""

    def __init__(self, desk: Desk, table: sa.Table, unknown: str, extra: Sequence[str] = ()) -> None:
        rows = desk.connection.execute(sa.select(table.c.number, table.c.id))
        self.ids: dict[str, int] = {number: id_ for number, id_ in rows}
        self.unknown = unknown
        self.shapes = IdShapes([*self.ids, *extra])

    def get(self, text: str) -> int:
        """Return the id for the number in ``text``; raises Cell."""
        number = read_id(text)
        if number not in self.ids:
            raise Cell("id_malformed" if not self.shapes.fits(number) else self.unknown)
        return self.ids[number]

    def maybe(self, text: str) -> int | None:
        """Return the id, or None for an empty cell."""
        return self.get(text) if text.strip() else None


@attrs.define
class _Cells:
    """A row's cells by field; remembers which field is being read, for the quarantine."""

    fields: tuple[str, ...]
    cells: Sequence[str]
    field: str = ""

    def __getitem__(self, field: str) -> str:
        self.field = field
        position = self.fields.index(field)
        return self.cells[position] if position < len(self.cells) else ""

    def name(self, field: str, code: str = "name_missing", most: int = 200) -> str:
        """Return a name: cleaned, not empty, printable, at most ``most`` characters; raises Cell.

        A line break inside a cell, as spreadsheets allow, is a space.
        """
        text = re.sub(r"[\t\r\n]+", " ", clean(self[field], fold=False))
        if not text:
            raise Cell(code)
        if len(text) > most or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise Cell("text_not_allowed")
        return text

    def text(self, field: str, most: int = 200) -> str:
        """Return a free text, possibly empty; raises Cell for control characters or too long a text."""
        return self.name(field, most=most) if self[field].strip() else ""

    def day(self, field: str) -> int | None:
        """Return a day number, or None for an empty cell."""
        text = self[field]
        return read_day(text) if text.strip() else None

    def word(self, field: str, default: str) -> str:
        """Return a word of the field's vocabulary, ``default`` for an empty cell."""
        text = self[field]
        return word(field, text) if text.strip() else default


_Ready = tuple[str, dict[str, Any], bytes]
"""A row ready to be stored: its number, its column values, its digest."""


def _registered(row: _Cells, zone: ZoneInfo) -> int | None:
    """Return the day of registration in the city's zone, None for an empty cell."""
    text = row["registered_at"]
    return day_number(read_instant(text, (), zone).astimezone(zone).date()) if text.strip() else None


def _organization(desk: Desk, source: Source) -> Callable[[_Cells], _Ready]:
    # A parent may stand below its child, so the file's own numbers are known before its rows are read.
    position = source.fields.index("org_id")
    own = [clean(cells[position]).upper() for _, cells in source.rows() if not isinstance(cells, Cell)]
    known = _Numbers(desk, organization, "organization_unknown", own)
    known.ids.update(dict.fromkeys(own, 0))

    def ready(row: _Cells) -> _Ready:
        number = read_id(row["org_id"])
        registered = _registered(row, desk.zone)
        values = {
            "name": row.name("org_name"),
            "type": row.text("org_type"),
            "credit_code": clean(row.text("uscc")).upper(),
            "registered_on": registered,
            "status": row.word("status", "active"),
            "incubated": int(row.word("incubated", "no") == "yes"),
        }
        parent = clean(row["parent_org_id"]).upper()
        known.maybe(parent)
        return number, values | {"parent": parent}, row_digest(number, *values.values(), parent)

    return ready


def _team(desk: Desk, source: Source) -> Callable[[_Cells], _Ready]:
    organizations = _Numbers(desk, organization, "organization_unknown")

    def ready(row: _Cells) -> _Ready:
        number = read_id(row["team_id"])
        values = {
            "name": row.name("team_name"),
            "organization_id": organizations.get(row["org_id"]),
            "status": row.word("status", "approved"),
        }
        return number, values, row_digest(number, *values.values())

    return ready


def _project(desk: Desk, source: Source) -> Callable[[_Cells], _Ready]:
    organizations = _Numbers(desk, organization, "organization_unknown")

    def ready(row: _Cells) -> _Ready:
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
            "status": row.word("status", "approved"),
        }
        return number, values, row_digest(number, *values.values())

    return ready


def _volunteer(desk: Desk, source: Source) -> Callable[[_Cells], _Ready]:
    organizations = _Numbers(desk, organization, "organization_unknown")
    teams = _Numbers(desk, team, "team_unknown")
    zone, today = desk.zone, day_number(desk.today)
    index = indexer(desk.connection, desk.needed_cipher())
    closed, merged = _closed(desk), set(desk.connection.execute(sa.select(alias.c.number)).scalars())

    def ready(row: _Cells) -> _Ready:
        number = read_id(row["volunteer_id"])
        if number in closed:
            raise Cell("person_restricted")
        if number in merged:
            raise Cell("person_merged")
        personal, doubts = _personal(row, today)
        if number in (personal["phone"], personal["identity_number"]) or _is_identity(number, row, today):
            row.field = "volunteer_id"
            raise Cell("id_is_personal")
        registered = _registered(row, zone)
        if registered is None:
            raise Cell("instant_unreadable")
        if registered > today:
            raise Cell("date_in_future")
        values = {
            "organization_id": organizations.get(row["org_id"]),
            "team_id": teams.maybe(row["team_id"]),
            "district": row.text("district"),
            "status": row.word("status", "approved"),
            "registered_on": registered,
            "adult_on": adult_on(dt.date.fromisoformat(personal["born_on"])) if personal["born_on"] else None,
        }
        digest = index("row", "\x1f".join(map(str, (number, *values.values(), *personal.values()))))
        return number, values | {"personal": personal, "doubts": doubts}, digest

    return ready


def _is_identity(number: str, row: _Cells, today: int) -> bool:
    """Tell whether a volunteer's number is an identity number that the row does not give elsewhere."""
    if len(number) != 18 or row["resident_id"].strip():
        return False
    try:
        return not read_identity(number, day_of(today)).doubts
    except InvalidValue:
        return False


def _closed(desk: Desk) -> set[str]:
    """Return the numbers of volunteers whose data are erased or only stored: no file brings them back."""
    subject = sa.literal("volunteer:").concat(sa.cast(volunteer.c.id, sa.Text))
    states = retention.c.state.in_(CLOSED)
    query = sa.select(volunteer.c.number).join(retention, retention.c.subject == subject).where(states)
    return set(desk.connection.execute(query).scalars())


def _personal(row: _Cells, today: int) -> tuple[dict[str, str], set[str]]:
    """Return a volunteer's personal data, for the vault, and doubts about the identity; raises Cell."""
    name = row.name("name", most=100)
    sex = row.word("sex", "")
    born = row.day("birth_date")
    if born is not None and born > today:
        raise Cell("date_in_future")
    identity: Identity | None = None
    doubts: set[str] = set()
    text = row["resident_id"]
    if not text.strip():
        doubts.add("missing_id")
    else:
        try:
            identity = read_identity(text, day_of(today))
        except InvalidValue:
            doubts.add("identity_unreadable")
    if identity is not None:
        doubts.update(identity.doubts)
        if sex and identity.sex != sex:
            doubts.add("sex_disagrees_with_id")
        if born is not None and day_number(identity.born_on) != born:
            doubts.add("birth_disagrees_with_id")
    phone = clean(row["phone"]).replace(" ", "").replace("-", "")
    born_on = day_of(born) if born is not None else identity.born_on if identity else None
    personal = {
        "name": name,
        "sex": sex,
        "born_on": born_on.isoformat() if born_on else "",
        "identity_number": identity.number if identity else clean(text),
        "phone": phone,
    }
    return personal, doubts


_READY = {"organizations": _organization, "teams": _team, "projects": _project, "volunteers": _volunteer}
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
    if entity == "volunteers":
        check_key(desk.connection, desk.needed_cipher())
    table, refusals = _TABLES[entity], Refusals()
    columns = (table.c.number, table.c.id, table.c.row_digest)
    stored = {number: (id_, digest) for number, id_, digest in desk.connection.execute(sa.select(*columns))}
    ready = _READY[entity](desk, source)
    added: dict[str, _Ready] = {}
    changed: dict[str, _Ready] = {}
    same: list[_Ready] = []
    seen: set[str] = set()
    skipped: Counter[str] = Counter()
    read = 0
    for row_number, cells in source.rows():
        read += 1
        if isinstance(cells, Cell):
            if cells.skipped:
                skipped[cells.reason] += 1
            else:
                refusals.add(row_number, cells.column, cells.shown, cells.reason)
            continue
        row = _Cells(source.fields, cells)
        try:
            got = ready(row)
            if got[0] in seen:
                row.field = _NUMBER[entity]
                raise Cell("id_repeated")
        except Cell as problem:
            text = row[row.field]
            shown = mask(row.field, text) if row.field in PERSONAL else text
            refusals.add(row_number, source.header(row.field), shown, problem.reason)
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
    _store(desk, entity, table, added, changed, {number: id_ for number, (id_, _) in stored.items()})
    if added or changed or not same_as_before(desk, source, refusals):
        batch_id = next_batch_id(desk)
        finish_batch(desk, batch_id, source, read, len(added) + len(changed), refusals)
    progress(read)
    unchanged = len(seen) - len(added) - len(changed)
    flagged = _doubts(desk) if entity == "volunteers" else {}
    return FileReport(source.file, entity, read, len(added), len(changed), unchanged, None,
                      dict(sorted(skipped.items())), refusals.counts(), flagged)  # fmt: skip


def _store(desk: Desk, entity: str, table: sa.Table, added: dict[str, _Ready], changed: dict[str, _Ready],
           ids: dict[str, int]) -> None:  # fmt: skip
    connection = desk.connection
    following = max(ids.values(), default=0)
    for number in added:
        following += 1
        ids[number] = following
    columns = {column.name for column in table.columns}

    def stored(got: _Ready) -> dict[str, Any]:
        kept = {name: value for name, value in got[1].items() if name in columns}
        return {"id": ids[got[0]], "number": got[0], "row_digest": got[2], **kept}

    if added:
        rows = [stored(got) for got in added.values()]
        insert_rows(connection, table.name, list(rows[0]), [tuple(row.values()) for row in rows])
    for got in changed.values():
        connection.execute(sa.update(table).where(table.c.id == ids[got[0]]).values(stored(got)))
    if entity == "organizations":
        _parents(connection, [*added.values(), *changed.values()], ids)
    holder = {"volunteers": honour_account, "projects": issuer_account}.get(entity)
    if holder and added:
        accounts = [(holder(ids[number]), 0, 0) for number in added]
        insert_rows(connection, account.name, ("id", "posted_minutes", "pending_minutes"), accounts)
    if entity == "volunteers" and (added or changed):
        _people(connection, desk.needed_cipher(), [*added.values(), *changed.values()], ids)
        _belong(connection, list(added.values()), list(changed.values()), ids, day_number(desk.today))


def _belong(
    connection: sa.Connection, added: list[_Ready], changed: list[_Ready], ids: dict[str, int], today: int
) -> None:
    """Write who belongs where: new volunteers since they registered, changed ones from today on."""
    last = connection.execute(sa.select(sa.func.max(membership.c.id))).scalar() or 0
    owners = {id_: owner for id_, owner in connection.execute(sa.select(team.c.id, team.c.organization_id))}
    rows: list[dict[str, Any]] = []

    def begin(
        volunteer_id: int, values: dict[str, Any], role: str, since: int, linked_id: int | None = None
    ) -> None:
        team_id = values["team_id"] if role == "member" else None
        place = owners[team_id] if team_id else values["organization_id"]
        rows.append({"id": last + len(rows) + 1, "volunteer_id": volunteer_id, "organization_id": place,
                     "team_id": team_id, "role": role, "since": since, "linked_id": linked_id})  # fmt: skip

    for number, values, _ in added:
        begin(ids[number], values, "managing", values["registered_on"])
        if values["team_id"]:
            begin(ids[number], values, "member", values["registered_on"])
    for number, values, _ in changed:
        lasting = sa.and_(membership.c.volunteer_id == ids[number], membership.c.until.is_(None))
        for role, column, wanted in (("managing", membership.c.organization_id, values["organization_id"]),
                                     ("member", membership.c.team_id, values["team_id"])):  # fmt: skip
            now = connection.execute(
                sa.select(membership.c.id, column).where(lasting, membership.c.role == role)
            ).first()
            if (now and now[1]) == wanted:
                continue
            if now is not None:
                ended = sa.update(membership).where(membership.c.id == now[0])
                connection.execute(ended.values(until=today - 1, why="imported"))
            if wanted:
                begin(ids[number], values, role, today, now and now[0])
    if rows:
        connection.execute(sa.insert(membership), rows)


def _parents(connection: sa.Connection, rows: list[_Ready], ids: dict[str, int]) -> None:
    """A parent may stand below its child in the file, so parents are set when all are known."""
    for number, values, _ in rows:
        parent = ids.get(values["parent"]) if values["parent"] and values["parent"] != number else None
        if parent is not None:
            connection.execute(
                sa.update(organization).where(organization.c.id == ids[number]).values(parent_id=parent)
            )


def _people(connection: sa.Connection, cipher: Cipher, rows: list[_Ready], ids: dict[str, int]) -> None:
    """Seal personal data, renew the blind index and the doubts of these volunteers."""
    changed = [ids[number] for number, _, _ in rows]
    for start in range(0, len(changed), 5000):
        some = changed[start : start + 5000]
        connection.execute(sa.delete(doubt).where(doubt.c.volunteer_id.in_(some)))
    people = [(f"volunteer:{ids[number]}", values["personal"]) for number, values, _ in rows]
    seal_subjects(connection, cipher, [(subject, data, found_by(data)) for subject, data in people])
    doubts = [
        {"volunteer_id": ids[number], "kind": kind}
        for number, values, _ in rows
        for kind in sorted(values["doubts"])
    ]
    if doubts:
        connection.execute(sa.insert(doubt), doubts)
    # Two volunteers with one identity number: both are kept, each is marked for a clerk.
    twice = (
        sa.select(blind.c.digest)
        .where(blind.c.kind == "identity_number")
        .group_by(blind.c.digest)
        .having(sa.func.count() > 1)
    )
    shared = sa.select(blind.c.subject).where(
        blind.c.kind == "identity_number", blind.c.digest.in_(twice), blind.c.subject.startswith("volunteer:")
    )
    ids_shared = {int(subject.partition(":")[2]) for subject in connection.execute(shared).scalars()}
    connection.execute(sa.delete(doubt).where(doubt.c.kind == "duplicate_identity"))
    marked = [{"volunteer_id": each, "kind": "duplicate_identity"} for each in sorted(ids_shared)]
    if marked:
        connection.execute(sa.insert(doubt), marked)


def _doubts(desk: Desk) -> dict[str, int]:
    rows = desk.connection.execute(sa.select(doubt.c.kind, sa.func.count()).group_by(doubt.c.kind))
    return {kind: count for kind, count in sorted(tuple(row) for row in rows)}
