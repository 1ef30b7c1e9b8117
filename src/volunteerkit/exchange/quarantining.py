"""What the last imports refused or doubted, for the clerk who mends it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit import messages
from volunteerkit.errors import ImportRefused, InvalidValue, did_you_mean
from volunteerkit.exchange.batches import FileReport, Refusals
from volunteerkit.exchange.reading import Plan
from volunteerkit.exchange.tables import batch, overruled, quarantine
from volunteerkit.hours.tables import flag, service_record
from volunteerkit.organizations.tables import organization, team
from volunteerkit.projects.tables import project
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, driver, take_numbers, write_event
from volunteerkit.units import day_of, instant_of, of_type, whole_number
from volunteerkit.volunteers.tables import doubt, volunteer

__all__ = ["FlaggedRow", "RefusedRow", "count_flagged", "flagged_rows", "note_refusal", "refused_rows"]

_NAMED: Final = 20
"""How many refused rows the error of a strict import names."""

_WHOLE: Final = ""
"""The entity of the batch of a file that was refused as a whole: nothing of it was read."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class RefusedRow:
    """A refused row of a file's last import; ``row`` is 0 when the file was refused as a whole.

    ``how_to_mend`` is a sentence in the reader's language, ``at`` when it was refused, in the city's zone.
    """

    file: str
    row: int
    column: str
    value: str
    reason: str
    how_to_mend: str
    at: str


@attrs.frozen
class FlaggedRow:
    """A service record, a volunteer, an organization, a team or a project with a doubt of ``kind``.

    ``record`` is empty for a volunteer, and ``place`` is the number of an organization, team or project, which has
    neither. ``file`` is empty for what was not imported.
    """

    kind: str
    volunteer: str
    record: str
    place: str
    day: str
    file: str
    meaning: str


@command
def note_refusal(desk: Desk, error: ImportRefused) -> None:
    """Put the file that ``error`` names into the quarantine; the same refusal twice is noted once.

    Errors that name no data file leave nothing. Raises NotPermitted.
    """
    file = str(of_type("error", error, ImportRefused).values.get("file", ""))
    if not file or error.code.startswith("mapping_"):
        return
    desk.permit("import.load")
    last = sa.select(batch.c.entity, batch.c.refused_digest).where(batch.c.file == file)
    before = desk.connection.execute(last.order_by(batch.c.id.desc()).limit(1)).first()
    refusals = Refusals()
    texts = {language: error.message(language) for language in messages.LANGUAGES}
    refusals.add(0, "", "", "", error.code, json.dumps(texts, ensure_ascii=False))
    if before is not None and before[0] == _WHOLE and bytes(before[1]) == refusals.digest():
        return
    id_ = (desk.connection.execute(sa.select(sa.func.max(batch.c.id))).scalar() or 0) + 1
    header = {"id": id_, "source": "", "file": file, "entity": _WHOLE, "rows_read": 0, "rows_new": 0,
              "refused_digest": refusals.digest(), "loaded_at": microseconds(desk.now), "actor_id": desk.actor.id}  # fmt: skip
    desk.connection.execute(sa.insert(batch).values(header))
    rows = [attrs.asdict(row) | {"batch_id": id_} for row in refusals.rows]
    desk.connection.execute(sa.insert(quarantine), rows)
    execute = driver(desk.connection)
    numbers = take_numbers(execute, 0, 0)
    payload = {"batch": id_, "reason": error.code}
    write_event(
        execute, desk, numbers, bytes(numbers.transfer_hash), "import.refused", f"batch:{id_}", payload
    )


@storage_errors("database")
def refused_rows(desk: Desk, reason: str | None = None) -> list[RefusedRow]:
    """Return what the last import of every file refused, perhaps for one ``reason`` only.

    Raises NotPermitted, InvalidValue for an unknown reason.
    """
    desk.permit("import.load")
    if reason is not None:
        whole = sa.select(quarantine.c.reason).where(quarantine.c.row == 0).distinct()
        _known("reason", reason, [*messages.codes("reasons"), *desk.connection.execute(whole).scalars()])
    groups = (batch.c.source, batch.c.file, batch.c.entity)
    latest = sa.select(sa.func.max(batch.c.id)).where(batch.c.entity != _WHOLE).group_by(*groups)
    newest = sa.select(sa.func.max(batch.c.id)).group_by(batch.c.file)
    shown = sa.or_(batch.c.id.in_(latest), sa.and_(batch.c.entity == _WHOLE, batch.c.id.in_(newest)))
    query = sa.select(batch.c.loaded_at, batch.c.file, *quarantine.c).join(
        batch, batch.c.id == quarantine.c.batch_id
    )
    if reason is not None:
        query = query.where(quarantine.c.reason == reason)
    rows = desk.connection.execute(query.where(shown).order_by(batch.c.file, quarantine.c.row)).mappings()
    return [
        RefusedRow(row["file"], row["row"], row["column"], row["value"], row["reason"], _mending(row),
                   f"{instant_of(row['loaded_at']).astimezone(desk.zone):%Y-%m-%d %H:%M}")
        for row in rows
    ]  # fmt: skip


def refuse_unless_whole(desk: Desk, plan: Plan, reports: Sequence[FileReport]) -> None:
    """Raise ImportRefused, naming the first refused rows, when a strict import of ``plan`` refused any."""
    count = sum(sum(report.refused.values()) for report in reports)
    if not count:
        return
    latest = (
        sa.select(sa.func.max(batch.c.id))
        .where(batch.c.source == plan.source)
        .group_by(batch.c.file, batch.c.entity)
    )
    query = sa.select(batch.c.file, quarantine.c.row, quarantine.c.column, quarantine.c.reason).join(
        batch, batch.c.id == quarantine.c.batch_id
    )
    wanted = query.where(batch.c.id.in_(latest)).order_by(batch.c.id, quarantine.c.row).limit(_NAMED)
    rows = tuple(
        messages.phrase(
            "strict_row", file=row.file, row=row.row, column=row.column, reason=messages.phrase(row.reason)
        )
        for row in desk.connection.execute(wanted)
    )
    raise ImportRefused("strict_refused", count=count, rows=rows)


def _mending(row: Any) -> str:
    if row["row"] == 0 and row["detail"]:
        return str(json.loads(row["detail"])[messages.language()])
    return messages.text(row["reason"])


def _known(name: str, word: str, known: Iterable[str]) -> None:
    allowed = sorted(set(known))
    if not isinstance(word, str) or word not in allowed:
        error = InvalidValue(name=name, value=word, allowed=", ".join(allowed))
        if isinstance(word, str) and (near := did_you_mean(word, allowed)):
            error.add_note(str(near).strip())
        raise error


def _flagged() -> sa.CompoundSelect[Any]:
    # a file may come in again and flag nothing: what is flagged is what stands in the database
    none = sa.literal("")
    records = (
        sa.select(flag.c.kind, volunteer.c.number, sa.func.coalesce(service_record.c.external_id, sa.cast(service_record.c.id, sa.Text)).label("record"),
                  none.label("place"), service_record.c.served_on.label("day"), sa.func.coalesce(batch.c.file, none).label("file"))
        .join(service_record, service_record.c.id == flag.c.record_id)
        .join(volunteer, volunteer.c.id == service_record.c.volunteer_id)
        .outerjoin(batch, batch.c.id == service_record.c.batch_id)
    )  # fmt: skip
    people = sa.select(doubt.c.kind, volunteer.c.number, none, none, sa.null(), none)
    places = [
        sa.select(sa.literal("decided_here"), none, none, thing.c.number, sa.null(), none)
        .join(overruled, overruled.c.id == thing.c.id)
        .where(overruled.c.entity == entity)
        for entity, thing in (("organizations", organization), ("teams", team), ("projects", project))
    ]
    return sa.union_all(records, people.join(volunteer, volunteer.c.id == doubt.c.volunteer_id), *places)


@storage_errors("database")
def count_flagged(desk: Desk, kind: str | None = None) -> dict[str, int]:
    """Return how many records, volunteers, organizations, teams and projects are flagged, by kind.

    Raises NotPermitted, InvalidValue for an unknown kind.
    """
    desk.permit("import.load")
    if kind is not None:
        _known("reason", kind, messages.codes("flags"))
    counts: Counter[str] = Counter()
    for table in (flag, doubt):
        query = sa.select(table.c.kind, sa.func.count()).group_by(table.c.kind)
        counts.update({each: count for each, count in desk.connection.execute(query)})
    places = sa.select(sa.func.count()).select_from(overruled)
    counts["decided_here"] += desk.connection.execute(places).scalar_one()
    return {each: counts[each] for each in sorted(+counts) if kind in (None, each)}


@storage_errors("database")
def flagged_rows(
    desk: Desk, kind: str | None = None, *, first: int = 0, most: int | None = None
) -> list[FlaggedRow]:
    """Return what is flagged, sorted by kind, ``most`` of them after the ``first`` ones.

    Raises NotPermitted, InvalidValue for an unknown kind.
    """
    desk.permit("import.load")
    if kind is not None:
        _known("reason", kind, messages.codes("flags"))
    rows = _flagged().subquery()
    query = sa.select(rows).order_by(rows.c.kind, rows.c.number, rows.c.day, rows.c.record, rows.c.place)
    if kind is not None:
        query = query.where(rows.c.kind == kind)
    whole_number("first", first)
    if most is not None:
        query = query.limit(whole_number("most", most))
    return [
        FlaggedRow(
            kind, number, record, place, "" if day is None else str(day_of(day)), file, messages.text(kind)
        )
        for kind, number, record, place, day, file in desk.connection.execute(query.offset(first))
    ]
