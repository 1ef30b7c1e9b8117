"""Merging two registrations of one person, and taking a merge back; somebody else at the centre decides.

The merged number stays and stands for the kept volunteer. What a volunteer holds (memberships, periods,
qualifications, words, acknowledgements, the portal's actors) goes over to the kept one, and every change is
written down, so that it can be taken back. Hours, transfers and record entries are never changed: they are
read together (`volunteers.persons`). The merged one's honour account keeps what was posted to it and gets
nothing more; the merge is the only truth about it, there are no transfers from account to account.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.approvals.tables import case as cases
from volunteerkit.approvals.tables import is_open
from volunteerkit.errors import Finding, IntegrityProblem, NotFound, Refused
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.organizations.tables import team
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import alias
from volunteerkit.store.posting import command, driver, note
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.store.schema import head, metadata
from volunteerkit.store.vault import CLOSED, open_subjects, retention_of
from volunteerkit.units import day_number
from volunteerkit.volunteers.duplicates import likeness
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import Found, find, find_many
from volunteerkit.volunteers.tables import (
    acknowledgement,
    link,
    membership,
    merge,
    merge_change,
    period,
    qualification,
    tag,
    volunteer,
)
from volunteerkit.workflow import Office, Route, Step

__all__ = ["WORKFLOWS", "MergePlan", "plan_merge", "propose_merge", "propose_unmerge"]

_FAR: Final = 2**40
# what goes over to the kept one, and what tells one of a person's rows from another
_HELD: Final[tuple[tuple[sa.Table, tuple[str, ...]], ...]] = (
    (period, ("id",)),
    (link, ("actor_id",)),
    (qualification, ("kind", "obtained_on")),
    (tag, ("kind", "value")),
    (acknowledgement, ("document", "version")),
)
_OVERLAPS: Final = (
    "SELECT a.id, b.id FROM vk_service_record a JOIN vk_service_record b ON b.volunteer_id IN ({other}) "
    "AND b.served_on BETWEEN a.served_on - 1 AND a.served_on + 1 "
    "WHERE a.volunteer_id IN ({kept}) AND a.start_minute >= 0 AND b.start_minute >= 0 "
    "AND a.state IN ('pending', 'confirmed') AND b.state IN ('pending', 'confirmed') "
    f"AND a.served_on * {DAY_MINUTES} + a.start_minute < b.served_on * {DAY_MINUTES} + b.start_minute + b.clock_minutes "
    f"AND b.served_on * {DAY_MINUTES} + b.start_minute < a.served_on * {DAY_MINUTES} + a.start_minute + a.clock_minutes "
    "ORDER BY a.id, b.id"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class _Change:
    """One row of ``table`` that a merge changes: what finds it, its columns before and after."""

    table: sa.Table
    key: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]


@attrs.frozen
class MergePlan:
    """What merging ``other`` into ``keep`` (numbers) would do.

    ``moves`` is (table, rows) of what goes over to the kept one or is united with it, ``overlaps`` are pairs
    of records (of the kept one, of the other) at the same time, which counts once. ``findings`` of severity
    ``"block"`` forbid it.
    """

    keep: str
    other: str
    moves: tuple[tuple[str, int], ...]
    overlaps: tuple[tuple[int, int], ...]
    findings: tuple[Finding, ...]


@storage_errors("database")
def plan_merge(desk: Desk, keep: str, other: str) -> MergePlan:
    """Return what merging ``other`` into ``keep`` would move, what overlaps, what forbids it; writes nothing.

    An open case about the other forbids it: whoever asked waits for a decision, which no merge takes from
    them. Raises NotFound, NotPermitted, KeyProblem.
    """
    return _plan(desk, _reached(desk, keep), _reached(desk, other), other)


@command
def propose_merge(desk: Desk, keep: str, other: str, *, reason: str) -> Case:
    """Propose that ``other`` is one person with ``keep``; a second person of the centre decides.

    Once granted the other's number stands for the kept volunteer, who keeps number, personal data and
    managing organization. Raises what `plan_merge` raises, InvalidValue, and Refused with what forbids it
    or when such a case is waiting.
    """
    kept, merged = _reached(desk, keep), _reached(desk, other)
    plan = _plan(desk, kept, merged, other)
    return _open(desk, "volunteer.merge", kept, merged, reason, plan.findings)


@command
def propose_unmerge(desk: Desk, number: str, *, reason: str) -> Case:
    """Propose that the merged volunteer ``number`` is somebody else after all; a second person decides.

    Once granted everything from before the merge is as it was; what was added since stays with the kept
    one, and so does a change of what the merge had moved. Raises NotFound, NotPermitted, InvalidValue,
    Refused when it is not merged, or the kept one was merged afterwards.
    """
    _reached(desk, number)
    row = desk.connection.execute(sa.select(volunteer.c.id).where(volunteer.c.number == number)).one()
    held = _held(desk, row.id)
    kept, merged = find_many(desk, [held.kept_id, row.id])
    return _open(desk, "volunteer.unmerge", kept, merged, reason, ())


def _reached(desk: Desk, number: str) -> Found:
    found = find(desk, number)
    desk.permit_on("volunteer.propose_merge", "volunteer", number, found.place if found else None)
    if found is None:
        raise NotFound(kind="volunteer", id=number)
    return found


def _open(
    desk: Desk, kind: str, kept: Found, merged: Found, reason: str, findings: tuple[Finding, ...]
) -> Case:
    organizations = dict.fromkeys(each.organization for each in (kept, merged) if each.organization)
    facts = {"keep": kept.number, "kept_id": kept.id, "reason": checked_text("reason", reason, 500)}
    place = Place(merged.number, (), tuple(organizations))
    return open_case(desk, kind, merged.subject, place, facts=facts, findings=findings)


def _held(desk: Desk, merged_id: int) -> Any:
    """Return the row of the merge that holds this volunteer; raises Refused when there is none or it is inner."""
    now = merge.c.ended_seq.is_(None)
    row = desk.connection.execute(sa.select(merge).where(merge.c.volunteer_id == merged_id, now)).first()
    if row is None:
        raise Refused(Finding("not_merged", {"volunteer": find_many(desk, [merged_id])[0].number}))
    above = sa.select(merge.c.id).where(merge.c.volunteer_id == row.kept_id, now)
    if desk.connection.execute(above).first() is not None:
        raise Refused(Finding("merge_above", {"volunteer": find_many(desk, [row.kept_id])[0].number}))
    return row


def _plan(desk: Desk, kept: Found, merged: Found, typed: str) -> MergePlan:
    if kept.id == merged.id:
        return MergePlan(kept.number, typed, (), (), (Finding("merge_same", {"volunteer": typed}),))
    changes = tuple(_changes(desk, kept, merged))
    overlaps = _overlaps(desk, kept, merged)
    findings = (*_forbidden(desk, kept, merged), *_doubtful(desk, kept, merged))
    if overlaps:
        findings += (Finding("merge_overlap", {"found": len(overlaps)}, "warn"),)
    counted = Counter(each.table.name for each in changes if each.table is not volunteer)
    return MergePlan(kept.number, merged.number, tuple(sorted(counted.items())), overlaps, findings)


def _forbidden(desk: Desk, kept: Found, merged: Found) -> tuple[Finding, ...]:
    found: tuple[Finding, ...] = ()
    for each, allowed in ((kept, ("approved",)), (merged, ("approved", "deregistered"))):
        # Dated periods go over with the rest; a suspension without dates (from an import) would be lost.
        if each.status not in allowed:
            found += (Finding("merge_status", {"volunteer": each.number, "status": each.status}),)
        if retention_of(desk.connection, each.subject)[0] in CLOSED:
            found += (Finding("merge_restricted", {"volunteer": each.number}),)
    about = sa.or_(
        cases.c.subject == merged.subject, cases.c.subject.startswith(f"{merged.subject}:"),
        cases.c.volunteer == merged.number, cases.c.beneficiary == merged.number,
    )  # fmt: skip
    # a second proposal of the same is refused as such
    waiting = sa.select(cases.c.id).where(is_open, about, cases.c.kind != "volunteer.merge")
    for id_ in desk.connection.execute(waiting.order_by(cases.c.id)).scalars():
        found += (Finding("merge_case_waiting", {"volunteer": merged.number, "case": id_}),)
    mine, theirs = membership.alias(), membership.alias()
    query = (
        sa.select(team.c.number)
        .join(mine, mine.c.team_id == team.c.id)
        .join(theirs, theirs.c.team_id == team.c.id)
        .where(mine.c.volunteer_id == kept.id, theirs.c.volunteer_id == merged.id, mine.c.role != theirs.c.role)
        .where(mine.c.until.is_(None), theirs.c.until.is_(None))
    )  # fmt: skip
    for number in desk.connection.execute(query.order_by(team.c.number)).scalars():
        found += (Finding("merge_roles_differ", {"team": number}),)
    return found


def _doubtful(desk: Desk, kept: Found, merged: Found) -> tuple[Finding, ...]:
    held = open_subjects(desk.connection, desk.needed_cipher(), [kept.subject, merged.subject])
    one, other = held.get(kept.subject, {}), held.get(merged.subject, {})
    why = likeness(one, other)
    found: tuple[Finding, ...] = ()
    if one.get("identity_number") and other.get("identity_number") and "same_identity" not in why:
        found += (Finding("merge_identities_differ", {}, "warn"),)
    return found if why else (*found, Finding("merge_no_likeness", {}, "warn"))


def _overlaps(desk: Desk, kept: Found, merged: Found) -> tuple[tuple[int, int], ...]:
    mine, theirs = (together(desk.connection, each.id) for each in (kept, merged))
    query = _OVERLAPS.format(kept=", ".join("?" * len(mine)), other=", ".join("?" * len(theirs)))
    # the join's marks come before those of the condition
    rows = driver(desk.connection)(query, (*theirs, *mine)).fetchall()
    return tuple((row[0], row[1]) for row in rows)


def _changes(desk: Desk, kept: Found, merged: Found) -> Iterator[_Change]:
    """Yield what a merge changes, in its order."""
    yield _Change(volunteer, {"id": merged.id}, {"status": merged.status}, {"status": "merged"})
    yield from _memberships(desk, kept.id, merged.id)
    over = {"volunteer_id": merged.id}, {"volunteer_id": kept.id}
    for table, names in _HELD:
        held = {tuple(row[name] for name in names) for row in _rows(desk, table, kept.id)}
        for row in _rows(desk, table, merged.id):
            key = {name: row[name] for name in names}
            if tuple(key.values()) not in held:
                yield _Change(table, key, *over)


def _rows(desk: Desk, table: sa.Table, volunteer_id: int) -> list[dict[str, Any]]:
    query = sa.select(table).where(table.c.volunteer_id == volunteer_id).order_by(*table.primary_key.columns)
    return [dict(row._mapping) for row in desk.connection.execute(query)]


def _memberships(desk: Desk, kept_id: int, merged_id: int) -> Iterator[_Change]:
    """Yield how two people's memberships become one's: the same on common days is one row over both spans."""
    yesterday = day_number(desk.today) - 1
    mine = _rows(desk, membership, kept_id)
    for row in _rows(desk, membership, merged_id):
        key, place = {"id": row["id"]}, ("organization_id", "team_id", "role")
        as_before = {"until": row["until"], "why": row["why"]}
        same = [
            each for each in mine
            if all(each[name] == row[name] for name in place)
            and each["since"] <= _last(row) and row["since"] <= _last(each)
        ]  # fmt: skip
        if row["role"] == "managing":
            # Who managed the other on past days stays told by the other's rows; the kept one's manages now.
            if _last(row) > yesterday:
                ended = {"until": max(yesterday, row["since"] - 1), "why": "merged"}
                yield _Change(membership, key, as_before, ended)
        elif same:
            yield _Change(membership, key, as_before, {"until": row["since"] - 1, "why": "merged"})
            wider = max(same, key=_last)
            span = {"since": wider["since"], "until": wider["until"]}
            last = max(_last(wider), _last(row))
            after = {"since": min(wider["since"], row["since"]), "until": None if last == _FAR else last}
            if after != span:
                wider.update(after)
                yield _Change(membership, {"id": wider["id"]}, span, after)
        else:
            yield _Change(membership, key, {"volunteer_id": merged_id}, {"volunteer_id": kept_id})
            mine.append(row)


def _last(row: dict[str, Any]) -> int:
    return _FAR if row["until"] is None else int(row["until"])


def _settle_merge(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    kept_id, merged_id = case.facts["kept_id"], int(case.subject.partition(":")[2])
    kept, merged = find_many(desk, [kept_id, merged_id])
    findings = _forbidden(desk, kept, merged)
    if findings:
        raise Refused(*findings)
    connection = desk.connection
    id_ = next_id(desk, merge)
    changes = list(_changes(desk, kept, merged))
    connection.execute(
        sa.insert(merge).values(
            id=id_, volunteer_id=merged_id, kept_id=kept_id, case_id=case.id, merged_on=day_number(on),
            merged_seq=_seq(desk),
        )
    )  # fmt: skip
    following = next_id(desk, merge_change)
    for position, each in enumerate(changes):
        if not _changed(desk, each.table, each.key | each.before, each.after):
            raise IntegrityProblem(what=f"{each.table.name} changed while it was merged")
        told = {name: json.dumps(getattr(each, name)) for name in ("key", "before", "after")}
        values = {"id": following + position, "merge_id": id_, "name": each.table.name, **told}
        connection.execute(sa.insert(merge_change).values(values))
    _number(desk, together(connection, kept_id))
    note(desk, "volunteer.merged", merged.subject, {"into": kept.subject, "merge": id_, "case": case.id})


def _settle_unmerge(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    connection, merged_id = desk.connection, int(case.subject.partition(":")[2])
    held = _held(desk, merged_id)
    everybody = together(connection, held.kept_id)
    ended = sa.update(merge).where(merge.c.id == held.id, merge.c.ended_seq.is_(None))
    connection.execute(ended.values(ended_on=day_number(on), ended_seq=_seq(desk)))
    query = sa.select(merge_change).where(merge_change.c.merge_id == held.id)
    for row in connection.execute(query.order_by(merge_change.c.id.desc())).fetchall():
        key, before, after = (json.loads(each) for each in (row.key, row.before, row.after))
        # what was changed again since the merge stays as it is
        _changed(desk, metadata.tables[row.name], key | after, before)
    _number(desk, everybody)
    payload = {"from": f"volunteer:{held.kept_id}", "merge": held.id, "case": case.id}
    note(desk, "volunteer.unmerged", case.subject, payload)


def _changed(desk: Desk, table: sa.Table, where: dict[str, Any], values: dict[str, Any]) -> bool:
    found = [
        table.c[name].is_(None) if value is None else table.c[name] == value for name, value in where.items()
    ]
    return desk.connection.execute(sa.update(table).where(*found).values(**values)).rowcount == 1


def _seq(desk: Desk) -> int:
    return int(desk.connection.execute(sa.select(head.c.transfer_seq)).scalar_one())


def _number(desk: Desk, ids: tuple[int, ...]) -> None:
    """Write the numbers of these volunteers anew: which of them stand for another one today."""
    connection = desk.connection
    rows = connection.execute(sa.select(volunteer.c.id, volunteer.c.number).where(volunteer.c.id.in_(ids)))
    numbers = {row[0]: row[1] for row in rows}
    connection.execute(sa.delete(alias).where(alias.c.number.in_(numbers.values())))
    for id_, number in numbers.items():
        kept = together(connection, id_)[0]
        if kept != id_:
            values = {"number": number, "volunteer_number": numbers[kept]}
            connection.execute(sa.insert(alias).values(values))
    desk.look_again()


def _parties(case: Case) -> tuple[Person, ...]:
    return (Person(None, case.facts["keep"]),)


_CENTRE: Final = (Step("centre", Office("centre")),)
WORKFLOWS = (
    Workflow(Route("volunteer.merge", _CENTRE), "volunteer.merge", _settle_merge, _parties),
    Workflow(Route("volunteer.unmerge", _CENTRE), "volunteer.merge", _settle_unmerge, _parties),
)
"""A merge and its taking back need two: whoever proposes, and an officer of the centre who decides."""
