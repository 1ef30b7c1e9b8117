"""What every file's load shares: refused rows, the batch header, the report."""

from __future__ import annotations

import hashlib
from collections import Counter

import attrs
import sqlalchemy as sa

from volunteerkit.exchange.reading import LeftOut, Source
from volunteerkit.exchange.showing import shown
from volunteerkit.exchange.tables import batch
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import driver, insert_rows, take_numbers, write_event
from volunteerkit.store.registering import next_id

__all__ = [
    "FileReport",
    "ImportReport",
    "QuarantinedRow",
    "Refusals",
    "finish_batch",
    "next_batch_id",
    "same_as_before",
]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class QuarantinedRow:
    """A refused row: ``row`` as a spreadsheet counts, ``value`` as far as it may be kept, ``reason`` a code.

    ``detail`` says in which column's terms, for people; it holds no personal datum.
    """

    row: int
    column: str
    value: str
    reason: str
    detail: str = ""


class Refusals:
    """Refused rows of one file, kept in the order they came."""

    def __init__(self) -> None:
        self.rows: list[QuarantinedRow] = []

    def add(self, row: int, field: str, column: str, value: str, reason: str, detail: str = "") -> None:
        """Note one refused row; of ``value`` only what may be `shown` of a cell of ``field`` is kept."""
        self.rows.append(QuarantinedRow(row, column, shown(field, value), reason, detail))

    def counts(self) -> dict[str, int]:
        """Return how many rows were refused by reason code."""
        return dict(sorted(Counter(row.reason for row in self.rows).items()))

    def digest(self) -> bytes:
        """Return a digest of all refusals, to see whether a second run found the same."""
        found = hashlib.blake2b(digest_size=16)
        for row in self.rows:
            found.update(
                f"{row.row}\x1f{row.column}\x1f{row.value}\x1f{row.reason}\x1e".encode(
                    "utf-8", "surrogatepass"
                )
            )
        return found.digest()


@attrs.frozen
class FileReport:
    """What one file's load found: counts of rows, refusals by reason code, flags by kind.

    ``credited`` counts the rows whose minutes stand as confirmed, whether they came now (``new``) or in an
    earlier run (``unchanged``); it is None for files other than service records.
    """

    file: str
    entity: str
    read: int
    new: int
    updated: int
    unchanged: int
    credited: int | None
    skipped: dict[str, int]
    refused: dict[str, int]
    flagged: dict[str, int]


@attrs.frozen
class ImportReport:
    """The reports of all files of a directory, in the order they were loaded, and what was left out."""

    source: str
    files: tuple[FileReport, ...]
    left_out: tuple[LeftOut, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return the counts as JSON: those of the service records on top, every file's below.

        The rows ``read`` are those ``credited``, those ``not_credited`` (kept as pending, rejected, cancelled
        or reversed), and those ``skipped`` and ``refused``.
        """
        records = [file for file in self.files if file.entity == "service_records"]
        total: Counter[str] = Counter()
        skipped: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        flagged: Counter[str] = Counter()
        for file in records:
            total.update(
                read=file.read,
                credited=file.credited or 0,
                new=file.new,
                updated=file.updated,
                unchanged=file.unchanged,
            )
            skipped.update(file.skipped)
            refused.update(file.refused)
            flagged.update(file.flagged)
        for file in self.files:
            if file.entity != "service_records":
                flagged.update(file.flagged)
        return {
            "source": self.source,
            "read": total["read"],
            "credited": total["credited"],
            "not_credited": total["new"] + total["updated"] + total["unchanged"] - total["credited"],
            "new": total["new"],
            "updated": total["updated"],
            "unchanged": total["unchanged"],
            "skipped": dict(sorted(skipped.items())),
            "refused": dict(sorted(refused.items())),
            "flagged": dict(sorted(flagged.items())),
            "files": [attrs.asdict(file) for file in self.files],
            "left_out": [{"file": each.file, "why": str(each.why)} for each in self.left_out],
        }


def next_batch_id(desk: Desk) -> int:
    """Return the id that this file's batch will have if it changes anything."""
    return next_id(desk, batch)


def same_as_before(desk: Desk, source: Source, refusals: Refusals) -> bool:
    """Tell whether the last run over this table of a file of this name refused exactly the same rows."""
    same_table = sa.and_(batch.c.source == source.name, batch.c.entity == source.entity)
    found = desk.connection.execute(
        sa.select(batch.c.refused_digest)
        # that a file which was refused as a whole can be read now is a change
        .where(batch.c.file == source.file, sa.or_(same_table, batch.c.entity == ""))
        .order_by(batch.c.id.desc())
        .limit(1)
    ).scalar()
    return found is not None and bytes(found) == refusals.digest()


def finish_batch(
    desk: Desk, batch_id: int, source: Source, read: int, new: int, refusals: Refusals,
    records: int = 0, transfers: int = 0, transfer_hash: bytes | None = None, unmoved: bytes | None = None,
) -> None:  # fmt: skip
    """Write the batch header, the quarantine and the event; older batches stay as they were.

    ``records`` and ``transfers`` were numbered by the load under the head it holds; ``transfer_hash`` is
    the hash of the last of those transfers, ``unmoved`` one over the records without any.
    """
    connection = desk.connection
    connection.execute(
        sa.insert(batch).values(
            id=batch_id,
            source=source.name,
            file=source.file,
            entity=source.entity,
            rows_read=read,
            rows_new=new,
            refused_digest=refusals.digest(),
            loaded_at=microseconds(desk.now),
            actor_id=desk.actor.id,
        )  # fmt: skip
    )
    rows = ((batch_id, row.row, row.column, row.value, row.reason, row.detail) for row in refusals.rows)
    insert_rows(connection, "vk_quarantine", ("batch_id", "row", "column", "value", "reason", "detail"), rows)
    execute = driver(connection)
    numbers = take_numbers(execute, records, transfers)
    payload = {
        "batch": batch_id,
        "entity": source.entity,
        "read": read,
        "new": new,
        "refused": refusals.counts(),
        "unmoved": unmoved.hex() if unmoved else "",
    }
    last = bytes(numbers.transfer_hash) if transfer_hash is None else transfer_hash
    write_event(execute, desk, numbers, last, "import.loaded", f"batch:{batch_id}", payload)
