"""Volunteers' rows: what a file says of a person is laid over what is known, and sealed.

A file knows only a part of a person. What a changed row does not say (no such column, an empty cell, an
identity number that cannot be read) is no deletion: the personal data stored so far stay. So do district,
status and team when the file has no such column; an empty cell under it is a change there. What was decided
at a desk, no file overturns: status, organization and team stay as decided, and the row is marked.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Set
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.errors import InvalidValue
from volunteerkit.exchange.cells import Cell, clean, read_id
from volunteerkit.exchange.reading import Source
from volunteerkit.exchange.standing import OF_THE_IMPORT, put_standing, running_suspensions
from volunteerkit.exchange.table_rows import Cells, Numbers, Ready, registered
from volunteerkit.organizations.tables import organization, team
from volunteerkit.privacy import found_by, hide, read_phone
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import alias
from volunteerkit.store.registering import next_id
from volunteerkit.store.schema import event
from volunteerkit.store.vault import CLOSED, blind, indexer, open_subjects, retention, seal_subjects
from volunteerkit.units import day_number, day_of
from volunteerkit.volunteers.identity import Identity, adult_on, read_identity
from volunteerkit.volunteers.tables import doubt, membership, period, volunteer

__all__ = ["columns_left", "count_doubts", "silent_columns", "store_people", "volunteer_rows", "whole_people"]


def __dir__() -> list[str]:
    return __all__


def volunteer_rows(desk: Desk, source: Source) -> Callable[[Cells], Ready]:
    """Return what reads a row of volunteers: number, values with ``personal`` and ``doubts``, a keyed digest."""
    organizations = Numbers(desk, organization, "organization_unknown")
    teams = Numbers(desk, team, "team_unknown")
    zone, today = desk.zone, day_number(desk.today)
    index = indexer(desk.connection, desk.needed_cipher())
    closed, merged = _closed(desk), set(desk.connection.execute(sa.select(alias.c.number)).scalars())

    def ready(row: Cells) -> Ready:
        number = read_id(row["volunteer_id"])
        if number in closed:
            raise Cell("person_restricted")
        if number in merged:
            raise Cell("person_merged")
        personal, doubts = _personal(row, today)
        # the number is shown in public, so it says nothing about the person; ids of foreign systems have any form
        if (
            number in (personal["phone"], personal["identity_number"])
            or hide(number) != number
            or _HAN.search(number)
        ):
            row.field = "volunteer_id"
            raise Cell("id_is_personal")
        registered_on = registered(row, zone)
        if registered_on is None:
            raise Cell("instant_unreadable")
        if registered_on > today:
            raise Cell("date_in_future")
        values = {
            "organization_id": organizations.get(row["org_id"]),
            "team_id": teams.maybe(row["team_id"]),
            "district": row.text("district"),
            "status": row.state("volunteers", "approved"),
            "registered_on": registered_on,
        }
        digest = index("row", "\x1f".join(map(str, (number, *values.values(), *personal.values()))))
        suspended = values["status"] == "suspended"
        if suspended:  # an approved volunteer in such a period: see `standing`
            values["status"] = "approved"
        return number, values | {"personal": personal, "doubts": doubts, "suspended": suspended}, digest

    return ready


def _closed(desk: Desk) -> set[str]:
    """Return the numbers of volunteers whose data are erased or only stored: no file brings them back."""
    subject = sa.literal("volunteer:").concat(sa.cast(volunteer.c.id, sa.Text))
    states = retention.c.state.in_(CLOSED)
    query = sa.select(volunteer.c.number).join(retention, retention.c.subject == subject).where(states)
    return set(desk.connection.execute(query).scalars())


def _personal(row: Cells, today: int) -> tuple[dict[str, str], set[str]]:
    """Return what a row says of a person, for the vault, and doubts about what it says; raises Cell."""
    name = row.name("name", most=100)
    sex = row.word("sex", "")
    born = row.day("birth_date")
    if born is not None and born > today:
        raise Cell("date_in_future")
    identity: Identity | None = None
    doubts: set[str] = set()
    text = row["resident_id"]
    if text.strip():
        try:
            identity = read_identity(text, day_of(today))
            doubts.update(identity.doubts)
        except InvalidValue:
            doubts.add("identity_unreadable")
    phone = row["phone"]
    try:
        phone = read_phone(phone) if phone.strip() else ""
    except InvalidValue as problem:
        raise Cell(problem.code) from None
    personal = {
        "name": name,
        "sex": sex,
        "born_on": day_of(born).isoformat() if born is not None else "",
        "identity_number": identity.number if identity else clean(text),
        "phone": phone,
    }
    return personal, doubts


def _whole(
    said: dict[str, str], doubts: set[str], before: dict[str, Any], earlier: Iterable[str]
) -> tuple[dict[str, Any], set[str]]:
    """Return a person's data, of which the row ``said`` a part, and all doubts about them.

    ``before`` are the data stored so far, ``earlier`` the doubts about them.
    """
    found = before | {name: value for name, value in said.items() if value or name not in before}
    doubts = set(doubts)
    if before.get("identity_number") and (not said["identity_number"] or "identity_unreadable" in doubts):
        found["identity_number"] = before["identity_number"]
        doubts.update(_OF_THE_NUMBER.intersection(earlier))
    number = found["identity_number"]
    if not number:
        doubts.add("missing_id")
        return found, doubts
    try:
        identity = read_identity(number)
    except InvalidValue:
        return found, doubts
    another = number != before.get("identity_number") and not said["born_on"]
    if another or not found["born_on"]:
        found["born_on"] = identity.born_on.isoformat()
    if found["sex"] and found["sex"] != identity.sex:
        doubts.add("sex_disagrees_with_id")
    if found["born_on"] != identity.born_on.isoformat():
        doubts.add("birth_disagrees_with_id")
    return found, doubts


_OF_THE_NUMBER: Final = frozenset({"bad_check_character", "old_15_digit_id", "identity_unreadable"})
_HAN: Final = re.compile("[\u4e00-\u9fff]")
_OPTIONAL: Final = frozenset({"district", "status", "team_id"})


def silent_columns(source: Source) -> Set[str]:
    """Return the fields beside the personal ones of which the file says nothing, so nothing changes."""
    return _OPTIONAL - set(source.titles)


_DECISIONS: Final = {
    "status": ("volunteer.registered", "volunteer.status"),
    "organization_id": ("volunteer.registered",),
    "team_id": ("team.joined", "team.appointed"),
}
"""By which events a desk decides a field; what else it decides of memberships ends one, and that says why."""


def columns_left(
    desk: Desk, changed: dict[str, Ready], ids: dict[str, int], silent: Set[str]
) -> dict[str, Set[str]]:
    """Return for each number the fields that stay as they are: ``silent`` ones, and those a desk decided.

    Rows that say otherwise than the desk are given the doubt ``decided_here``.
    """
    decided = _decided(desk.connection) if changed else {}
    left: dict[str, Set[str]] = {}
    for number, values, _ in changed.values():
        own = decided.get(ids[number], set()) - silent
        left[number] = silent | own
        if own and any(_differs(desk, ids[number], name, values) for name in own):
            values["doubts"].add("decided_here")
    return left


def _decided(connection: sa.Connection) -> dict[int, set[str]]:
    """Return by volunteer which fields were decided at a desk."""
    found: dict[int, set[str]] = defaultdict(set)
    for name, types in _DECISIONS.items():
        query = sa.select(event.c.subject).where(
            event.c.type.in_(types), event.c.subject.startswith("volunteer:")
        )
        for subject in connection.execute(query).scalars():
            found[int(subject.partition(":")[2])].add(name)
    ended = sa.select(membership.c.volunteer_id, membership.c.role).where(
        membership.c.why.not_in(("", OF_THE_IMPORT))
    )
    for id_, role in connection.execute(ended):
        found[id_].add("organization_id" if role == "managing" else "team_id")
    at_a_desk = sa.or_(period.c.reason != OF_THE_IMPORT, period.c.ended_by.is_not(None))
    suspended = sa.select(period.c.volunteer_id).where(period.c.kind == "suspended", at_a_desk)
    for id_ in connection.execute(suspended).scalars():
        found[id_].add("status")
    return found


def _differs(desk: Desk, id_: int, name: str, values: dict[str, Any]) -> bool:
    """Tell whether what stands of a volunteer is something else than a file's word for it."""
    connection, said = desk.connection, values[name]
    if name == "status":
        status = connection.execute(sa.select(volunteer.c.status).where(volunteer.c.id == id_)).scalar_one()
        if status == said == "approved":
            return bool(values["suspended"]) != bool(running_suspensions(desk, [id_]))
        return (status in _REFUSED) != (said in _REFUSED) or (status not in _REFUSED and status != said)
    managing = membership.c.role == "managing"
    query = sa.select(membership.c.organization_id if name == "organization_id" else membership.c.team_id).where(
        membership.c.volunteer_id == id_, membership.c.until.is_(None),
        managing if name == "organization_id" else ~managing,
    )  # fmt: skip
    places = set(connection.execute(query).scalars())
    return said not in places if said else bool(places)


_REFUSED: Final = ("refused", "rejected")


def whole_people(desk: Desk, added: dict[str, Ready], changed: dict[str, Ready], ids: dict[str, int]) -> None:
    """Put what the rows say together with what is stored of these volunteers."""
    subjects = [f"volunteer:{ids[number]}" for number in changed]
    before = open_subjects(desk.connection, desk.needed_cipher(), subjects)
    earlier: dict[int, set[str]] = defaultdict(set)
    if changed:
        for id_, kind in desk.connection.execute(sa.select(doubt.c.volunteer_id, doubt.c.kind)):
            earlier[id_].add(kind)
    for number, values, _ in (*added.values(), *changed.values()):
        id_ = ids[number]
        stored = before.get(f"volunteer:{id_}", {})
        personal, doubts = _whole(values["personal"], values["doubts"], stored, earlier[id_])
        born_on = personal["born_on"]
        values |= {"personal": personal, "doubts": doubts,
                   "adult_on": adult_on(dt.date.fromisoformat(born_on)) if born_on else None}  # fmt: skip


def store_people(
    desk: Desk, added: list[Ready], changed: list[Ready], ids: dict[str, int], left: dict[str, Set[str]]
) -> None:
    """Write the sealed data, doubts, memberships and standing of these volunteers, but for the fields ``left``."""
    _people(desk.connection, desk.needed_cipher(), [*added, *changed], ids)
    _belong(desk, added, changed, ids, left, day_number(desk.today))
    put_standing(desk, added, changed, ids, left)


def _belong(
    desk: Desk,
    added: list[Ready],
    changed: list[Ready],
    ids: dict[str, int],
    left: dict[str, Set[str]],
    today: int,
) -> None:
    """Write who belongs where: new volunteers since they registered, changed ones from today on."""
    connection, first = desk.connection, next_id(desk, membership)
    rows: list[dict[str, Any]] = []

    def begin(
        volunteer_id: int, values: dict[str, Any], role: str, since: int, linked_id: int | None = None
    ) -> None:
        team_id = values["team_id"] if role == "member" else None
        place = None if team_id else values["organization_id"]  # whose the team is, says the team
        rows.append({"id": first + len(rows), "volunteer_id": volunteer_id, "organization_id": place,
                     "team_id": team_id, "role": role, "since": since, "linked_id": linked_id})  # fmt: skip

    for number, values, _ in added:
        begin(ids[number], values, "managing", values["registered_on"])
        if values["team_id"]:
            begin(ids[number], values, "member", values["registered_on"])
    for number, values, _ in changed:
        lasting = sa.and_(membership.c.volunteer_id == ids[number], membership.c.until.is_(None))
        for role, column, wanted in (("managing", membership.c.organization_id, values["organization_id"]),
                                     ("member", membership.c.team_id, values["team_id"])):  # fmt: skip
            if column.name in left[number]:
                continue
            now = connection.execute(
                sa.select(membership.c.id, column, membership.c.since).where(
                    lasting, membership.c.role == role
                )
            ).first()
            if (now and now[1]) == wanted:
                continue
            if now is not None:
                standing = sa.update(membership).where(membership.c.id == now[0])
                if wanted and now[2] >= today:  # a day belongs to whom the last file of the day names
                    connection.execute(standing.values({column: wanted}))
                    continue
                connection.execute(standing.values(until=max(today, now[2]) - 1, why=OF_THE_IMPORT))
            if wanted:
                begin(ids[number], values, role, today, now and now[0])
    if rows:
        connection.execute(sa.insert(membership), rows)


def _people(connection: sa.Connection, cipher: Cipher, rows: list[Ready], ids: dict[str, int]) -> None:
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


def count_doubts(desk: Desk) -> dict[str, int]:
    """Return how many volunteers there are with each kind of doubt."""
    rows = desk.connection.execute(sa.select(doubt.c.kind, sa.func.count()).group_by(doubt.c.kind))
    return {kind: count for kind, count in sorted(tuple(row) for row in rows)}
