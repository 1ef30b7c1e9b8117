"""Tables of hours: service records, the accounts and transfers of the honour ledger, flags."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.hours.model import KINDS, STATES
from volunteerkit.ledger import IMPORT, POSTING_CODES, RECORD, REJECT
from volunteerkit.store.schema import append_only, id_column, integer, one_of, sealed, table

__all__ = ["FIXED", "covered", "flag", "group_entry", "period", "service_record", "transfer"]

service_record = table(
    "service_record",
    id_column(),
    sa.Column("source", sa.Text),
    sa.Column("external_id", sa.Text),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("project_id", integer, sa.ForeignKey("vk_project.id"), nullable=False),
    sa.Column("organization_id", integer, nullable=False),
    sa.Column("team_id", integer),
    sa.Column("served_on", integer, nullable=False),
    sa.Column("start_minute", integer, nullable=False),
    sa.Column("clock_minutes", integer, nullable=False),
    sa.Column("claimed_minutes", integer, nullable=False),
    sa.Column("confirmed_minutes", integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("entered_at", integer),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Column("batch_id", integer),
    sa.Column("fingerprint", integer),
    sa.Column("kind", sa.Text, nullable=False, server_default="service"),
    sa.Column("held", sa.Text),
    sa.Column("evidence", sa.Text),
    sa.CheckConstraint("claimed_minutes BETWEEN 1 AND 1440", name="claimed"),
    sa.CheckConstraint("confirmed_minutes BETWEEN 0 AND 1440", name="confirmed"),
    sa.CheckConstraint("start_minute BETWEEN -1 AND 1439", name="start"),
    sa.CheckConstraint("clock_minutes BETWEEN 0 AND 1440", name="clock"),
    sa.CheckConstraint(one_of("state", *STATES), name="state"),
    sa.CheckConstraint(one_of("kind", *KINDS), name="kind"),
    owner=("volunteer_id",),
)
"""One claim and where it stands. ``start_minute`` is the minute of the day, -1 when no clock was kept.

``held`` are the codes, joined by commas, of what asks for a reason when it is confirmed; ``evidence`` is the
address of a sealed text. More than was claimed is confirmed by an adjustment only.
"""

FIXED: Final = tuple(
    column.name
    for column in service_record.columns
    if column.name not in ("id", "confirmed_minutes", "state")
)
"""What of a record never changes; the hash of the record's first transfer covers it, in this order."""

_LATER: Final = (KINDS[0], None, None)


def covered(fixed: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return those of a record's `FIXED` columns that its hash covers.

    The last three came later: where they say nothing they are left out, so that the hashes of older records
    stay what they are.
    """
    return fixed[: -len(_LATER)] if fixed[-len(_LATER) :] == _LATER else fixed


# Partial: a record that was not imported has no such id, and its posting then need not write here.
_imported = service_record.c.external_id.is_not(None)
sa.Index("uq_vk_record_external", service_record.c.source, service_record.c.external_id, unique=True,
         sqlite_where=_imported, postgresql_where=_imported)  # fmt: skip
# Covers everything the whole city is rated from, in the order it is read.
sa.Index(
    "ix_vk_record_cluster",
    service_record.c.volunteer_id,
    service_record.c.served_on,
    service_record.c.start_minute,
    service_record.c.clock_minutes,
    service_record.c.confirmed_minutes,
    service_record.c.project_id,
    service_record.c.state,
)

transfer = table(
    "transfer",
    id_column("seq"),
    sa.Column("record_id", integer, sa.ForeignKey("vk_service_record.id"), nullable=False),
    sa.Column("debit_id", integer, nullable=False),
    sa.Column("credit_id", integer, nullable=False),
    sa.Column("minutes", integer, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("refers_to", integer),
    sa.Column("effective_on", integer, nullable=False),
    sa.Column("recorded_at", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("journal", integer),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("minutes BETWEEN 1 AND 1440", name="minutes"),
    sa.CheckConstraint("debit_id <> credit_id", name="two_accounts"),
    sa.CheckConstraint(one_of("code", RECORD, REJECT, *POSTING_CODES), name="code"),
    sa.CheckConstraint(f"(refers_to IS NULL) = {one_of('code', RECORD, IMPORT)}", name="refers"),
    owner=("record_id",),
)
"""The honour ledger: append-only, double entry, one row a movement; ``journal`` joins what moved as one."""

sa.Index("ix_vk_transfer_record", transfer.c.record_id)
_resolves = transfer.c.refers_to.is_not(None)
# Whatever follows on a transfer names it: each is followed once (L3, L8), so two corrections never undo each other.
sa.Index("uq_vk_transfer_refers", transfer.c.refers_to, unique=True, sqlite_where=_resolves,
         postgresql_where=_resolves)  # fmt: skip

flag = table(
    "flag",
    sa.Column(
        "record_id", integer, sa.ForeignKey("vk_service_record.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("kind", sa.Text, primary_key=True),
    owner=("record_id",),
)
"""What is suspicious about a record that stands nevertheless, for somebody to look into."""

append_only(transfer)

period = table(
    "period",
    id_column(),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("first_on", integer, nullable=False),
    sa.Column("last_on", integer, nullable=False),
    sa.Column("refers_to", integer, sa.ForeignKey("vk_period.id")),
    sa.Column("recloses_at", integer),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("recorded_at", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.CheckConstraint("first_on <= last_on", name="range"),
    sa.CheckConstraint("(refers_to IS NULL) = (recloses_at IS NULL)", name="reopening"),
    sa.CheckConstraint("(refers_to IS NULL) = (case_id IS NULL)", name="second_person"),
)
"""Days that were closed to posting, of one organization or (None) the whole city; never changed.

A row with ``refers_to`` reopens some days of that closing until the instant ``recloses_at``, as its case decided.
"""

sa.Index("ix_vk_period_refers", period.c.refers_to)
append_only(period)

group_entry = table(
    "group_entry",
    id_column(),
    sa.Column("team_id", integer, sa.ForeignKey("vk_team.id"), nullable=False),
    sa.Column("project_id", integer, sa.ForeignKey("vk_project.id"), nullable=False),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("served_on", integer, nullable=False),
    sa.Column("minutes", integer, nullable=False),
    sa.Column("persons", integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Column("recorded_volunteer", sa.Text),
    sa.Column("recorded_at", integer, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", integer),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint("minutes BETWEEN 1 AND 1440", name="minutes"),
    sa.CheckConstraint("persons BETWEEN 1 AND 10000", name="persons"),
    sa.CheckConstraint(one_of("state", "pending", "confirmed", "rejected"), name="state"),
    sa.CheckConstraint("(state = 'pending') = (decided_by IS NULL)", name="decided"),
)
"""Service of unnamed persons for a team, ``minutes`` each; no account moves by it."""

sealed(group_entry)
sa.Index("ix_vk_group_entry_team", group_entry.c.team_id, group_entry.c.served_on)


def __dir__() -> list[str]:
    return __all__
