"""Tables of volunteers. Names, birth dates, identity numbers and phones are not here but in the vault."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import append_only, id_column, integer, table

__all__ = [
    "acknowledgement", "doubt", "entry", "link", "membership", "merge", "merge_change", "period", "qualification",
    "tag", "volunteer",
]  # fmt: skip

volunteer = table(
    "volunteer",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("district", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("registered_on", integer, nullable=False),
    sa.Column("adult_on", integer),
    sa.Column("row_digest", sa.LargeBinary),
    owner=("number",),
)
"""``number`` is the public volunteer number; ``adult_on`` the day of the 18th birthday, None if unknown.

``organization_id`` is the organization that registered the volunteer; who manages them on a day stands in
``vk_membership``.
"""


def _volunteer_id(primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False, primary_key=primary_key,
        autoincrement=False,
    )  # fmt: skip


membership = table(
    "membership",
    id_column(),
    _volunteer_id(),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("team_id", integer, sa.ForeignKey("vk_team.id")),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.Column("until", integer),
    sa.Column("linked_id", integer),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint("role IN ('managing', 'member', 'deputy', 'leader')", name="role"),
    sa.CheckConstraint("role <> 'managing' OR team_id IS NULL", name="managing"),
    sa.CheckConstraint("(organization_id IS NULL) = (team_id IS NOT NULL)", name="one"),
    owner=("volunteer_id",),
)
"""Who belongs where from and until which day, inclusive; nothing is ever deleted.

One row of role ``managing`` names the organization that manages the volunteer on a day; teams have
members, deputies and leaders, whose rows name the team alone: which organization it belongs to, if any, is
the team's own matter. ``linked_id`` is the row that a transfer put this one in the place of, and
``why`` the code of what ended it.
"""

_lasting = membership.c.until.is_(None)
_managing = sa.and_(_lasting, membership.c.role == sa.literal_column("'managing'"))
_in_team = sa.and_(_lasting, membership.c.team_id.is_not(None))
sa.Index("uq_vk_membership_managing", membership.c.volunteer_id, unique=True, sqlite_where=_managing,
         postgresql_where=_managing)  # fmt: skip
sa.Index("uq_vk_membership_team", membership.c.volunteer_id, membership.c.team_id, unique=True,
         sqlite_where=_in_team, postgresql_where=_in_team)  # fmt: skip
sa.Index("ix_vk_membership_volunteer", membership.c.volunteer_id, membership.c.since)
sa.Index("ix_vk_membership_team", membership.c.team_id)
sa.Index("ix_vk_membership_organization", membership.c.organization_id)

period = table(
    "volunteer_period",
    id_column(),
    _volunteer_id(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.Column("until", integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("put_by", sa.Text, nullable=False),
    sa.Column("ended_by", sa.Text),
    sa.Column("case_id", integer),
    sa.CheckConstraint("kind IN ('provisional', 'suspended', 'on_leave', 'blacklisted')", name="kind"),
    sa.CheckConstraint("until IS NULL OR until >= since - 1", name="days"),
    owner=("volunteer_id",),
)
"""Days on which a volunteer is provisional, suspended, on leave or blacklisted; ended by their ``until``."""

sa.Index("ix_vk_volunteer_period_volunteer", period.c.volunteer_id)

qualification = table(
    "qualification",
    id_column(),
    _volunteer_id(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("obtained_on", integer, nullable=False),
    sa.Column("valid_until", integer),
    sa.Column("issuer", sa.Text, nullable=False, server_default=""),
    sa.Column("checked_by", sa.Text),
    sa.UniqueConstraint("volunteer_id", "kind", "obtained_on"),
    owner=("volunteer_id",),
)
"""What a volunteer is qualified for, from and until which day; ``checked_by`` saw the proof.

In plain, as skills are (`privacy.fields`): the rows go with an erasure, and no event tells what they say.
"""

tag = table(
    "volunteer_tag",
    _volunteer_id(primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.CheckConstraint("kind IN ('skill', 'language', 'service_field', 'availability')", name="kind"),
    owner=("volunteer_id",),
)
"""Skills, languages, service fields and times of availability, as words of the city's own lists."""

sa.Index("ix_vk_volunteer_tag_value", tag.c.kind, tag.c.value)

acknowledgement = table(
    "acknowledgement",
    _volunteer_id(primary_key=True),
    sa.Column("document", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("acknowledged_on", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    owner=("volunteer_id",),
)
"""Which version of which document (rights and duties, use of data, a guardian's consent) was agreed to."""

entry = table(
    "record_entry",
    id_column(),
    _volunteer_id(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("happened_on", integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("minutes", integer),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("granted_by", sa.Text, nullable=False, server_default=""),
    sa.Column("score", integer),
    sa.Column("entered_by", sa.Text, nullable=False),
    sa.Column("entered_at", integer, nullable=False),
    sa.CheckConstraint("kind IN ('training', 'commendation', 'evaluation')", name="kind"),
    sa.CheckConstraint("minutes IS NULL OR minutes > 0", name="minutes"),
    owner=("volunteer_id",),
)
"""Trainings, commendations and evaluations of a volunteer, beside the service records (Order 67, 8 to 10)."""

append_only(entry)
sa.Index("ix_vk_record_entry_volunteer", entry.c.volunteer_id, entry.c.happened_on)

link = table(
    "volunteer_link",
    sa.Column("actor_id", sa.Text, primary_key=True),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("linked_on", integer, nullable=False),
    owner=("volunteer_id",),
)
"""Which of a portal's actors is which volunteer: from a registration of one's own or a granted claim."""

doubt = table(
    "doubt",
    _volunteer_id(primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    owner=("volunteer_id",),
)
"""Doubts about a volunteer's identity, by kind, for a clerk to look into."""


merge = table(
    "merge",
    id_column(),
    _volunteer_id(),
    sa.Column("kept_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("case_id", integer),
    sa.Column("merged_on", integer, nullable=False),
    sa.Column("merged_seq", integer, nullable=False),
    sa.Column("ended_on", integer),
    sa.Column("ended_seq", integer),
    sa.CheckConstraint("volunteer_id <> kept_id", name="two"),
    sa.CheckConstraint("(ended_on IS NULL) = (ended_seq IS NULL)", name="ended"),
    owner=("volunteer_id", "kept_id"),
)
"""The volunteer who is one person with the kept one, until it is ended.

``merged_seq`` and ``ended_seq`` are the ledger's last seq at that moment: what was known up to it knew of
no merge, or still of it.
"""

_merged_now = merge.c.ended_seq.is_(None)
sa.Index("uq_vk_merge_volunteer", merge.c.volunteer_id, unique=True, sqlite_where=_merged_now,
         postgresql_where=_merged_now)  # fmt: skip
sa.Index("ix_vk_merge_kept", merge.c.kept_id)

merge_change = table(
    "merge_change",
    id_column(),
    sa.Column("merge_id", integer, sa.ForeignKey("vk_merge.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    owner=("merge_id",),
)
"""What a merge changed in which table: JSON of columns, to take it back. Opaque ids, codes and days only."""

sa.Index("ix_vk_merge_change_merge", merge_change.c.merge_id)


def __dir__() -> list[str]:
    return __all__
