"""Loading service records: a million rows through one loop, every refused one with its reason.

One file is one transaction. Rows are read, checked and written in chunks, so memory does not grow with
the file but for two sets of row marks. Confirmed rows become IMPORT transfers, pending ones RECORD
transfers that wait; rejected and cancelled ones stay visible and move no minutes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from volunteerkit.exchange.batches import FileReport, Refusals, finish_batch, next_batch_id, same_as_before
from volunteerkit.exchange.cells import Cell, IdShapes, read_day, read_id, read_instant, read_time
from volunteerkit.exchange.layouts import lengths, state, word
from volunteerkit.exchange.reading import Source
from volunteerkit.hours.budget import lift
from volunteerkit.hours.periods import closed_days
from volunteerkit.hours.tables import flag, service_record
from volunteerkit.ledger import CONFIRM, DAY_MINUTES, GENESIS, IMPORT, RECORD, REJECT, chained
from volunteerkit.ledger import honour_account as honour
from volunteerkit.ledger import issuer_account as issuer
from volunteerkit.organizations.tables import team
from volunteerkit.projects.tables import project
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import Execute, driver, hold_head, insert_rows, run_many
from volunteerkit.units import day_number
from volunteerkit.volunteers.tables import volunteer

__all__ = ["load_records"]

_CHUNK = 1_000
_MEMO = 200_000
_MANY = 10_000
_MINUTE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]").fullmatch
_MINUTE_LONG: Final = 60_000_000
_RECORD_COLUMNS = (
    "id", "source", "external_id", "volunteer_id", "project_id", "organization_id", "team_id", "served_on",
    "start_minute", "clock_minutes", "claimed_minutes", "confirmed_minutes", "state", "method", "entered_at",
    "recorded_by", "batch_id", "fingerprint",
)  # fmt: skip
_TRANSFER_COLUMNS = (
    "seq", "record_id", "debit_id", "credit_id", "minutes", "code", "refers_to", "effective_on", "recorded_at",
    "actor_id", "reason", "hash",
)  # fmt: skip
_HOLD = (
    "UPDATE vk_head SET event_seq = event_seq WHERE id = 1 RETURNING record_id, transfer_seq, transfer_hash"
)
_REPEAT = "SELECT 1 FROM vk_service_record WHERE volunteer_id = ? AND served_on = ? AND fingerprint = ?"
_BALANCE = "UPDATE vk_account SET posted_minutes = posted_minutes + ?, pending_minutes = pending_minutes + ? WHERE id = ?"
_WAITING = "SELECT seq FROM vk_transfer WHERE record_id = ? AND code = ?"
_STATE = "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? WHERE id = ? AND state = 'pending'"
_TOUCHED = "SELECT volunteer_id FROM vk_service_record WHERE batch_id = ?"
_OVERLAPS = (
    "INSERT INTO vk_flag (record_id, kind) SELECT id, 'overlap_same_volunteer' FROM ("
    "SELECT id, served_on * 1440 + start_minute AS started, max(served_on * 1440 + start_minute + clock_minutes) "
    "OVER (PARTITION BY volunteer_id ORDER BY served_on, start_minute, id "
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until FROM vk_service_record "
    f"WHERE state = 'confirmed' AND start_minute >= 0 AND volunteer_id IN ({_TOUCHED})) AS timed "
    "WHERE started < busy_until ON CONFLICT DO NOTHING"
)
_LONG_DAYS = (
    "INSERT INTO vk_flag (record_id, kind) SELECT r.id, 'day_sum_over_24h' FROM vk_service_record AS r JOIN ("
    "SELECT volunteer_id, served_on FROM vk_service_record WHERE state = 'confirmed' "
    f"AND volunteer_id IN ({_TOUCHED}) GROUP BY volunteer_id, served_on HAVING sum(claimed_minutes) > 1440) AS long "
    "ON long.volunteer_id = r.volunteer_id AND long.served_on = r.served_on WHERE r.state = 'confirmed' "
    "ON CONFLICT DO NOTHING"
)


def __dir__() -> list[str]:
    return __all__


class _Memo(dict[str, Any]):
    """Remembers what a text was read as; the same few texts come a million times."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> Any:
        if len(self) > _MEMO:
            self.clear()
        value = self[text] = self._read(text)
        return value


def _known(text: str, numbers: dict[str, Any], shapes: IdShapes, unknown: str) -> Any:
    number = read_id(text)
    found = numbers.get(number)
    if found is None:
        raise Cell("id_malformed" if not shapes.fits(number) else unknown)
    return found


def _lookup(numbers: dict[str, Any], unknown: str) -> _Memo:
    shapes = IdShapes(numbers)
    return _Memo(lambda text: _known(text, numbers, shapes, unknown))


@attrs.frozen
class _Reader:
    """Texts to values, remembered; one for each kind of column."""

    volunteers: _Memo
    projects: _Memo
    teams: _Memo
    days: _Memo
    times: _Memo
    minutes: _Memo
    states: _Memo
    methods: _Memo
    instants: Callable[[str], int | None]

    @classmethod
    def at(cls, desk: Desk, as_of: dt.date, title: str) -> _Reader:
        """Return a reader that knows this database's numbers; later days than ``as_of`` are the future.

        ``title`` is what the file calls the length.
        """
        connection, last = desk.connection, day_number(as_of)
        people = connection.execute(sa.select(volunteer.c.number, volunteer.c.id, volunteer.c.registered_on))
        projects = connection.execute(sa.select(project.c.number, project.c.id, project.c.organization_id))
        teams = connection.execute(sa.select(team.c.number, team.c.id))
        by_team = {number: (id_,) for number, id_ in teams}
        shapes = IdShapes(by_team)
        return cls(
            _lookup({number: (id_, on) for number, id_, on in people}, "volunteer_unknown"),
            _lookup(
                {number: (id_, organization) for number, id_, organization in projects}, "project_unknown"
            ),
            _Memo(lambda text: _known(text, by_team, shapes, "team_unknown")[0] if text.strip() else None),
            _Memo(lambda text: _past_day(text, last)),
            _Memo(lambda text: read_time(text) if text.strip() else -1),
            _Memo(lengths(title)),
            _Memo(lambda text: state("service_records", text)),
            _Memo(lambda text: word("source", text) if text.strip() else "import"),
            _instants(desk),
        )


def _past_day(text: str, last: int) -> int:
    day = read_day(text)
    if day > last:
        raise Cell("date_in_future")
    return day


def _instants(desk: Desk) -> Callable[[str], int | None]:
    """Read entry times; those of the common form share one conversion a day."""
    zone = desk.zone
    midnights = _Memo(lambda text: _midnight(text, zone))

    def read(text: str) -> int | None:
        if _MINUTE(text):
            midnight = midnights[text[:10]]
            if midnight is not None:
                return midnight + (int(text[11:13]) * 60 + int(text[14:])) * _MINUTE_LONG  # type: ignore[no-any-return]
        return microseconds(read_instant(text, (), zone)) if text.strip() else None

    return read


def _midnight(text: str, zone: ZoneInfo) -> int | None:
    """Return when a day of 24 hours begins; None for one on which the clock is changed, or no day."""
    try:
        first = read_instant(text + " 00:00", (), zone)
    except Cell:
        return None
    begins, ends = microseconds(first), microseconds(first + dt.timedelta(days=1))
    return begins if ends - begins == DAY_MINUTES * _MINUTE_LONG else None


class _Row(NamedTuple):
    """A row that was read: everything the record needs but its id.

    ``values`` are volunteer, project, organization, team, day, start, clock, minutes, state, method and
    the instant of entry.
    """

    row: int
    external_id: str
    fingerprint: int
    values: tuple[Any, ...]
    flags: Sequence[str]


def _fingerprint(values: tuple[Any, ...]) -> int:
    """Mark of everything but the record's id and entry time: equal marks are an exact repeat (L23)."""
    digest = hashlib.blake2b(repr(values).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _as_pending(row: _Row) -> int:
    """Mark that the row had when it was still pending: a later export says what became of it."""
    volunteer, project, _, team, day, start, clock, minutes, _, method, _ = row.values
    return _fingerprint((volunteer, project, team, day, start, clock, minutes, "pending", method))


def _record_id(text: str) -> str:
    """Record ids are the source's own words: any that can be shown and stored, and is not plainly a name."""
    number = text.strip()
    if len(number) > 100 or not number.isprintable():
        raise Cell("id_malformed")
    if not number.isascii() and not any(map(str.isdigit, number)):
        raise Cell("id_is_personal")
    return number


def _clock(start: int, end: int) -> int:
    if start < 0 or end < 0:
        return 0
    if start == end:
        raise Cell("times_equal")
    return DAY_MINUTES - start if end == DAY_MINUTES else (end - start) % DAY_MINUTES


def _read_row(reader: _Reader, row: int, cells: Sequence[str]) -> _Row:
    """Return what a row says; raises Cell whose ``field`` names the column at fault."""
    field = "record_id"
    try:
        external_id = _record_id(cells[0])
        field = "volunteer_id"
        volunteer_id, registered_on = reader.volunteers[cells[1]]
        field = "project_id"
        project_id, organization_id = reader.projects[cells[2]]
        field = "team_id"
        team_id = reader.teams[cells[3]]
        field = "service_date"
        day = reader.days[cells[4]]
        field = "start_time"
        start = reader.times[cells[5]]
        if start == DAY_MINUTES:
            raise Cell("start_at_24")
        field = "end_time"
        end = reader.times[cells[6]]
        clock = _clock(start, end)
        field = "hours"
        minutes = reader.minutes[cells[7]]
        field = "status"
        state = reader.states[cells[8]]
        field = "source"
        method = reader.methods[cells[9]]
        field = "recorded_at"
        entered_at = reader.instants(cells[10])
    except Cell as problem:
        problem.field = field
        raise
    flags = cells[11].split() if len(cells) > 11 and cells[11] else []
    if clock == 0:
        start = -1
        flags.append("no_clock")
    elif minutes > clock:
        flags.append("hours_exceed_clock")
    elif (
        minutes <= start - end < clock and 2 * minutes <= clock
    ):  # a long night that fits the other way round
        flags.append("times_swapped")
    if day < registered_on:
        flags.append("before_registration")
    mark = (volunteer_id, project_id, team_id, day, start, clock, minutes, state, method)
    fingerprint = _fingerprint(mark if len(cells) < 13 else (*mark, cells[12]))
    values = (volunteer_id, project_id, organization_id, team_id, day, start, clock, minutes, state, method,
              entered_at)  # fmt: skip
    return _Row(row, external_id or f"#{fingerprint:x}", fingerprint, values, flags)


class _Load:
    """One file on its way into the database: what was read so far and where the ledger stands."""

    def __init__(self, desk: Desk, source: Source) -> None:
        self.desk, self.source, self.refusals = desk, source, Refusals()
        self.execute: Execute = driver(desk.connection)
        self.batch_id = next_batch_id(desk)
        self.read = self.new = self.updated = self.transfers = self.unchanged = self.credited = 0
        self.skipped: Counter[str] = Counter()
        self.earlier_batches: set[int] = set()
        self.balances: dict[int, list[int]] = {}
        self.ids: dict[str, int] = {}
        self.marks: set[int] = set()
        self.at = microseconds(desk.now)
        self.unmoved = GENESIS  # hash over the records that move no minutes, so have no transfer's
        self.held: tuple[int, int, bytes] | None = None
        table = service_record
        first = sa.select(table.c.id).where(table.c.source == source.name).limit(1)
        self.again = desk.connection.execute(first).first() is not None
        self.closed = closed_days(desk)
        self.any_before = desk.connection.execute(sa.select(table.c.id).limit(1)).first() is not None

    def refuse(self, row: int, field: str, cells: Sequence[str], reason: str) -> None:
        """Put a row into quarantine under a header of the file: without record ids the volunteer's."""
        if field == "record_id" and field not in self.source.titles:
            field = "volunteer_id"
        position = self.source.fields.index(field)
        value = cells[position] if position < len(cells) else ""
        self.refusals.add(row, field, self.source.header(field), value, reason)

    def add(self, row: _Row, cells: Sequence[str]) -> _Row | None:
        """Return the row unless this file already had its id."""
        if row.external_id not in self.ids:
            self.ids[row.external_id] = row.fingerprint
            return row
        same = self.ids[row.external_id] == row.fingerprint
        self.refuse(row.row, "record_id", cells, "exact_duplicate" if same else "record_id_repeated")
        return None

    def write(self, rows: list[tuple[_Row, Sequence[str]]]) -> None:
        """Write a chunk: leave out what is stored already, number and chain the rest."""
        fresh, decided = self._fresh(rows)
        if not fresh and not decided:
            return
        if self.held is None:
            last_id, last_seq, last_hash = self.execute(_HOLD, ()).fetchone()
            self.held = (last_id, last_seq, bytes(last_hash))
        record_id, seq, last = self.held
        records, transfers, flags = [], [], []
        actor, at, balances = self.desk.actor.id, self.at, self.balances
        for row in fresh:
            record_id += 1
            volunteer_id, project_id, _, _, day, _, _, minutes, state, *_ = row.values
            confirmed, stored = minutes if state == "confirmed" else 0, row.values
            if "times_swapped" in row.flags:  # a night that was none takes no minutes from other records
                stored = (*stored[:5], -1, 0, *stored[7:])
            records.append((
                record_id, self.source.name, row.external_id, *stored[:8], confirmed, *stored[8:], "import",
                self.batch_id, row.fingerprint,
            ))  # fmt: skip
            flags += [(record_id, kind) for kind in row.flags]
            if state not in ("confirmed", "pending"):
                self.unmoved = chained(self.unmoved, *records[-1])
                continue
            seq += 1
            debit, credit = issuer(project_id), honour(volunteer_id)
            code = IMPORT if confirmed else RECORD
            fields = (seq, record_id, debit, credit, minutes, code, None, day, at, actor, None)
            last = chained(last, *fields, *records[-1][1:11], *records[-1][13:])
            transfers.append((*fields, last))
            for account, moved in ((debit, -minutes), (credit, minutes)):
                balance = balances.get(account)
                if balance is None:
                    balance = balances[account] = [0, 0]
                balance[0 if confirmed else 1] += moved
            self.credited += confirmed > 0
        connection = self.desk.connection
        insert_rows(connection, "vk_service_record", _RECORD_COLUMNS, records)
        insert_rows(connection, "vk_transfer", _TRANSFER_COLUMNS, transfers)
        insert_rows(connection, "vk_flag", ("record_id", "kind"), flags)
        self.new += len(records)
        self.transfers += len(transfers)
        self.held = (record_id, seq, last)
        self._decide(decided)

    def _decide(self, decided: list[tuple[int, _Row]]) -> None:
        """Confirm or reject records that were imported as pending and come decided now."""
        assert self.held is not None
        first, seq, last = self.held
        transfers, states = [], []
        for record_id, row in decided:
            volunteer_id, project_id, _, _, day, _, _, minutes, state, *_ = row.values
            confirmed = minutes if state == "confirmed" else 0
            waiting = self.execute(_WAITING, (record_id, RECORD)).fetchone()[0]
            seq += 1
            debit, credit = issuer(project_id), honour(volunteer_id)
            code = CONFIRM if confirmed else REJECT
            fields = (seq, record_id, debit, credit, minutes, code, waiting, day, self.at, self.desk.actor.id,
                      None)  # fmt: skip
            last = chained(last, *fields)
            transfers.append((*fields, last))
            states.append((state, confirmed, record_id))
            for account, sign in ((debit, -1), (credit, 1)):
                balance = self.balances.setdefault(account, [0, 0])
                balance[0] += sign * confirmed
                balance[1] -= sign * minutes
            self.credited += confirmed > 0
        run_many(self.desk.connection, _STATE, states)
        insert_rows(self.desk.connection, "vk_transfer", _TRANSFER_COLUMNS, transfers)
        self.updated += len(decided)
        self.transfers += len(transfers)
        self.held = (first, seq, last)

    def _fresh(self, rows: list[tuple[_Row, Sequence[str]]]) -> tuple[list[_Row], list[tuple[int, _Row]]]:
        """Return the rows that are new, and (record id, row) of those that were pending and are decided now."""
        stored: dict[str, tuple[Any, ...]] = {}
        if self.again and rows:
            marks = ", ".join("?" * len(rows))
            query = (
                "SELECT external_id, fingerprint, batch_id, state, id FROM vk_service_record "
                f"WHERE source = ? AND external_id IN ({marks})"
            )
            found = self.execute(query, (self.source.name, *(row.external_id for row, _ in rows)))
            stored = {external_id: rest for external_id, *rest in found}
        fresh, decided = [], []
        for row, cells in rows:
            before, state = stored.get(row.external_id), row.values[8]
            shut = state in ("confirmed", "pending") and self.closed(row.values[2], row.values[4])
            if before is None:
                if row.fingerprint in self.marks or self._repeats(row):
                    self.refuse(row.row, "record_id", cells, "exact_duplicate")
                elif shut:
                    self.refuse(row.row, "service_date", cells, "period_closed_here")
                else:
                    self.marks.add(row.fingerprint)
                    fresh.append(row)
            elif before[0] != row.fingerprint and before[0] != _as_pending(row):
                self.refuse(row.row, "record_id", cells, "record_id_conflict")
            elif before[2] == "pending" and state == "confirmed" and shut:
                self.refuse(row.row, "service_date", cells, "period_closed_here")
            elif before[2] == "pending" and state in ("confirmed", "rejected"):
                decided.append((before[3], row))
                self.earlier_batches.add(before[1])
            elif before[0] == row.fingerprint or before[2] == state:
                self.unchanged += 1
                self.credited += before[2] == "confirmed"
                self.earlier_batches.add(before[1])
            else:
                self.refuse(row.row, "record_id", cells, "record_id_conflict")
        return fresh, decided

    def _repeats(self, row: _Row) -> bool:
        if not self.any_before:
            return False
        return self.execute(_REPEAT, (row.values[0], row.values[4], row.fingerprint)).fetchone() is not None

    def finish(self) -> FileReport:
        """Write balances, flags and the batch, unless this run changed nothing; return the counts."""
        connection, source = self.desk.connection, self.source
        if self.new or self.updated or not same_as_before(self.desk, source, self.refusals):
            self._balances()
            self._tell_planner()
            for statement in (_OVERLAPS, _LONG_DAYS) if self.new else ():
                self.execute(statement, (self.batch_id,))
            finish_batch(
                self.desk, self.batch_id, source, self.read, self.new, self.refusals, self.new, self.transfers,
                self.held[2] if self.held else None, self.unmoved,
            )  # fmt: skip
            self.earlier_batches.add(self.batch_id)
        joined = flag.join(service_record, service_record.c.id == flag.c.record_id)
        batches = service_record.c.batch_id.in_(self.earlier_batches)
        kinds = (
            sa.select(flag.c.kind, sa.func.count()).select_from(joined).where(batches).group_by(flag.c.kind)
        )
        flagged = {kind: count for kind, count in connection.execute(kinds)} if self.earlier_batches else {}
        return FileReport(
            source.file, "service_records", self.read, self.new, self.updated, self.unchanged, self.credited,
            dict(sorted(self.skipped.items())), self.refusals.counts(), dict(sorted(flagged.items())),
        )  # fmt: skip

    def _tell_planner(self) -> None:
        """PostgreSQL plans badly, by hours, over big tables that it has not looked at since they were filled."""
        if self.new >= _MANY and self.desk.connection.dialect.name == "postgresql":
            self.execute("ANALYZE vk_service_record, vk_transfer, vk_flag, vk_account", ())

    def _balances(self) -> None:
        lift(self.desk, self.execute, self.balances)
        changes = [(posted, pending, account) for account, (posted, pending) in sorted(self.balances.items())]
        run_many(self.desk.connection, _BALANCE, changes)


def load_records(desk: Desk, source: Source, as_of: dt.date, progress: Callable[[int], None]) -> FileReport:
    """Load a file of service records into the desk's transaction and return the counts."""
    hold_head(desk)  # of two imports at once the second sees what the first one brought
    reader, load = _Reader.at(desk, as_of, source.header("hours")), _Load(desk, source)
    chunk: list[tuple[_Row, Sequence[str]]] = []
    rows: Iterable[tuple[int, Any]] = source.rows()
    for row_number, cells in rows:
        load.read += 1
        if isinstance(cells, Cell):
            if cells.skipped:
                load.skipped[cells.reason] += 1
            else:
                load.refusals.add(row_number, cells.field, cells.column, cells.shown, cells.reason)
            continue
        try:
            read = load.add(_read_row(reader, row_number, cells), cells)
        except Cell as problem:
            load.refuse(row_number, problem.field, cells, problem.reason)
            continue
        if read is not None:
            chunk.append((read, cells))
            if len(chunk) >= _CHUNK:
                load.write(chunk)
                chunk = []
                progress(load.read)
    load.write(chunk)
    progress(load.read)
    return load.finish()
