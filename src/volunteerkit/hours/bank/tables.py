"""Tables of the time bank: its own append-only chain of transfers, accounts, lots and redemptions."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.hours.bank.model import (
    CANCEL,
    DEPOSIT,
    EXPIRE,
    GIFT,
    HOLD,
    REDEEM,
    REFUND,
    STATES,
    TAKE_BACK,
)
from volunteerkit.store.schema import append_only, id_column, integer, one_of, table

__all__ = ["credit_account", "credit_lot", "credit_transfer", "redemption"]


def __dir__() -> list[str]:
    return __all__


credit_account = table(
    "credit_account",
    id_column(),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id")),
    sa.Column("posted_minutes", integer, nullable=False),
    sa.Column("held_minutes", integer, nullable=False),
    sa.CheckConstraint("held_minutes >= 0", name="held"),
    owner=("volunteer_id",),
)
"""Balances as a roll-up of the transfers; ``volunteer_id`` is None for the bank's own accounts."""

credit_lot = table(
    "credit_lot",
    id_column(),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("minutes", integer, nullable=False),
    sa.Column("left_minutes", integer, nullable=False),
    sa.Column("repaid_minutes", integer, nullable=False, server_default="0"),
    sa.Column("earned_on", integer, nullable=False),
    sa.Column("expires_on", integer),
    sa.CheckConstraint("minutes > 0", name="minutes"),
    sa.CheckConstraint("left_minutes BETWEEN 0 AND minutes", name="left"),
    sa.CheckConstraint("repaid_minutes BETWEEN 0 AND minutes", name="repaid"),
    owner=("volunteer_id",),
)
"""Minutes that came in together and expire together, under the seq of the transfer that brought them.

``left_minutes`` are neither spent, held nor expired; ``repaid_minutes`` made good what was missing from an
account below zero.
"""

sa.Index("ix_vk_credit_lot_person", credit_lot.c.volunteer_id, credit_lot.c.expires_on)

redemption = table(
    "redemption",
    id_column(),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("minutes", integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("held_on", integer, nullable=False),
    sa.Column("until", integer, nullable=False),
    sa.Column("held_by", sa.Text, nullable=False),
    sa.Column("settled_by", sa.Text),
    sa.CheckConstraint("minutes > 0", name="minutes"),
    sa.CheckConstraint(one_of("state", *STATES), name="state"),
    owner=("volunteer_id",),
)
"""One redemption and where it stands; the minutes move by transfers of its journal."""

sa.Index("ix_vk_redemption_volunteer", redemption.c.volunteer_id, redemption.c.state)

credit_transfer = table(
    "credit_transfer",
    id_column("seq"),
    sa.Column("debit_id", integer, sa.ForeignKey("vk_credit_account.id"), nullable=False),
    sa.Column("credit_id", integer, sa.ForeignKey("vk_credit_account.id"), nullable=False),
    sa.Column("minutes", integer, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("refers_to", integer),
    sa.Column("lot_id", integer),
    sa.Column("record_id", integer, sa.ForeignKey("vk_service_record.id")),
    sa.Column("redemption_id", integer, sa.ForeignKey("vk_redemption.id")),
    sa.Column("effective_on", integer, nullable=False),
    sa.Column("recorded_at", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("minutes > 0", name="minutes"),
    sa.CheckConstraint("debit_id <> credit_id", name="two_accounts"),
    sa.CheckConstraint(
        one_of("code", DEPOSIT, TAKE_BACK, HOLD, REDEEM, CANCEL, REFUND, GIFT, EXPIRE), name="code"
    ),
    sa.CheckConstraint(f"(refers_to IS NOT NULL) = {one_of('code', REDEEM, CANCEL, REFUND)}", name="refers"),
    owner=("debit_id", "credit_id"),
)
"""The credit ledger: append-only, double entry. HOLD moves nothing yet: REDEEM or CANCEL ends it, once.

``lot_id`` is the lot the minutes were taken from; a DEPOSIT and the receiving end of a GIFT make a lot of
their own under their seq.
"""

_ends = credit_transfer.c.refers_to.is_not(None)
sa.Index("uq_vk_credit_transfer_refers", credit_transfer.c.refers_to, unique=True, sqlite_where=_ends,
         postgresql_where=_ends)  # fmt: skip
sa.Index("ix_vk_credit_transfer_debit", credit_transfer.c.debit_id)
sa.Index("ix_vk_credit_transfer_credit", credit_transfer.c.credit_id)
sa.Index("ix_vk_credit_transfer_record", credit_transfer.c.record_id)
sa.Index("ix_vk_credit_transfer_redemption", credit_transfer.c.redemption_id)

append_only(credit_transfer)
