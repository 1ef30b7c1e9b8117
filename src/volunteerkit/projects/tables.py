"""Tables of brands, projects, positions, shifts, participations and attendance.

Instants are microseconds since 1970 UTC, days numbers of days; a shift's day is the city's.
"""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.projects.model import PARTICIPATION_STATES
from volunteerkit.store.schema import id_column, integer, one_of, table

__all__ = [
    "attendance",
    "brand",
    "device",
    "participation",
    "position",
    "project",
    "project_change",
    "scan",
    "series",
    "shift",
]


def __dir__() -> list[str]:
    return __all__


brand = table(
    "brand",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False, server_default=""),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("area", sa.Text, nullable=False, server_default=""),
    sa.Column("founded_on", integer),
    sa.Column("ended_on", integer),
)
"""A lasting programme under which projects run; ``organization_id`` maintains it, the centre when None."""

project = table(
    "project",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("brand_id", integer, sa.ForeignKey("vk_brand.id")),
    sa.Column("category", sa.Text, nullable=False, server_default=""),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("team_id", integer, sa.ForeignKey("vk_team.id")),
    sa.Column("area", sa.Text, nullable=False, server_default=""),
    sa.Column("starts_on", integer),
    sa.Column("ends_on", integer),
    sa.Column("recruit_target", integer),
    sa.Column("apply_from", integer),
    sa.Column("apply_until", integer),
    sa.Column("acceptance", sa.Text, nullable=False, server_default="auto"),
    sa.Column("waiting_list", integer, nullable=False, server_default="1"),
    sa.Column("guests_at_most", integer, nullable=False, server_default="0"),
    sa.Column("visible_below_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("back_entry", integer, nullable=False, server_default="0"),
    sa.Column("evidence", sa.Text, nullable=False, server_default=""),
    sa.Column("template", integer, nullable=False, server_default="0"),
    sa.Column("statements", sa.Text, nullable=False, server_default="{}"),
    sa.Column("copied_from_id", integer, sa.ForeignKey("vk_project.id")),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("brought_by", sa.Text, nullable=False, server_default=""),
    sa.Column("brought_volunteer", sa.Text),
    sa.Column("published_at", integer),
    sa.Column("ended_at", integer),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("served_persons", integer),
    sa.Column("served_minutes", integer),
    sa.Column("result", sa.Text, nullable=False, server_default=""),
    sa.Column("row_digest", sa.LargeBinary),
    sa.CheckConstraint(one_of("acceptance", "auto", "reviewed"), name="acceptance"),
    sa.CheckConstraint("guests_at_most >= 0", name="guests"),
)
"""One project: what was applied for (``statements`` as JSON, see `model.STATEMENTS`) and where it stands.

``status`` is one of `model.PROJECT_STATES` (an imported one has the word of its file). ``apply_from`` and
``apply_until`` are days, inclusive; ``visible_below_id`` the organization to whose sub-tree alone it shows.
``back_entry`` marks one that was applied for after it took place, on the ``evidence``. ``reason`` is why it was
cancelled, ``served_persons``, ``served_minutes`` and ``result`` what was reported when it was over; evidence, reason
and result are sealed. ``ended_at`` is when it was closed, cancelled or deleted.
"""

sa.Index("ix_vk_project_organization", project.c.organization_id)
sa.Index("ix_vk_project_brand", project.c.brand_id)

project_change = table(
    "project_change",
    id_column(),
    sa.Column("project_id", integer, sa.ForeignKey("vk_project.id"), nullable=False),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("changed_at", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.CheckConstraint(one_of("state", "proposed", "in_force", "refused", "withdrawn"), name="state"),
)
"""What was asked to be changed of a project, and what it was before: columns with their values, as JSON."""

sa.Index("ix_vk_project_change_project", project_change.c.project_id)

position = table(
    "position",
    id_column(),
    sa.Column("project_id", integer, sa.ForeignKey("vk_project.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False, server_default=""),
    sa.Column("age_from", integer),
    sa.Column("age_to", integer),
    sa.Column("qualification", sa.Text),
    sa.Column("skill", sa.Text),
    sa.Column("sex", sa.Text),
    sa.Column("sex_ground", sa.Text),
    sa.UniqueConstraint("project_id", "name"),
    sa.CheckConstraint("(sex IS NULL) = (sex_ground IS NULL)", name="lawful"),
)
"""What there is to do in a project and what it asks of a person; ages inclusive, in completed years.

``sex_ground`` names the law that allows to ask for a sex, which nothing else may.
"""

series = table(
    "series",
    id_column(),
    sa.Column("project_id", integer, sa.ForeignKey("vk_project.id"), nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("first_on", integer, nullable=False),
    sa.Column("start_minute", integer, nullable=False),
    sa.Column("minutes", integer, nullable=False),
)
"""Shifts by an RFC 5545 rule, at one time of the city's clock whatever the season."""

shift = table(
    "shift",
    id_column(),
    sa.Column("project_id", integer, sa.ForeignKey("vk_project.id"), nullable=False),
    sa.Column("position_id", integer, sa.ForeignKey("vk_position.id")),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("starts_at", integer, nullable=False),
    sa.Column("ends_at", integer, nullable=False),
    sa.Column("capacity", integer),
    sa.Column("taken", integer, nullable=False, server_default="0"),
    sa.Column("series_id", integer, sa.ForeignKey("vk_series.id")),
    sa.Column("edited", integer, nullable=False, server_default="0"),
    sa.Column("cancelled_at", integer),
    sa.Column("latitude_e6", integer),
    sa.Column("longitude_e6", integer),
    sa.CheckConstraint("starts_at < ends_at", name="length"),
    sa.CheckConstraint("capacity IS NULL OR capacity >= 0", name="capacity"),
    sa.CheckConstraint("taken >= 0", name="taken"),
)
"""A dated span of a project. ``capacity`` None is unlimited, 0 closed; ``taken`` counts accepted persons
and their guests, changed only by a guarded UPDATE that asks for a free place. The coordinates are in
millionths of a degree."""

sa.Index("ix_vk_shift_project", shift.c.project_id, shift.c.starts_at)
sa.Index("ix_vk_shift_starts_at", shift.c.starts_at)

participation = table(
    "participation",
    id_column(),
    sa.Column("shift_id", integer, sa.ForeignKey("vk_shift.id"), nullable=False),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("guests", integer, nullable=False, server_default="0"),
    sa.Column("children", integer, nullable=False, server_default="0"),
    sa.Column("party", sa.Text),
    sa.Column("rank", integer, nullable=False),
    sa.Column("applied_at", integer, nullable=False),
    sa.Column("changed_at", integer, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("override", sa.Text),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("served_until", integer),
    sa.UniqueConstraint("shift_id", "volunteer_id"),
    sa.CheckConstraint(one_of("state", *PARTICIPATION_STATES), name="state"),
    sa.CheckConstraint("guests >= 0", name="guests"),
    owner=("volunteer_id",),
)
"""One person and one shift: applied, waiting, accepted … (`model.PARTICIPATION_STATES`); one row, whatever happens.

``rank`` orders the waiting list and is kept by who was skipped. ``guests`` take places, accompanying ``children``
none. ``party`` is the code of those who apply together. ``served_until`` is the instant at which somebody was
discharged early. ``override`` is why somebody accepted it
against a conflict, ``reason`` why it was refused or ended; both sealed.
"""

sa.Index("ix_vk_participation_volunteer", participation.c.volunteer_id, participation.c.state)
sa.Index("ix_vk_participation_queue", participation.c.shift_id, participation.c.state, participation.c.rank)

attendance = table(
    "attendance",
    id_column(),
    sa.Column("participation_id", integer, sa.ForeignKey("vk_participation.id"), nullable=False),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("shift_id", integer, sa.ForeignKey("vk_shift.id"), nullable=False),
    sa.Column("served_on", integer, nullable=False),
    sa.Column("in_at", integer, nullable=False),
    sa.Column("out_at", integer),
    sa.Column("in_method", sa.Text, nullable=False),
    sa.Column("out_method", sa.Text),
    sa.Column("in_received_at", integer, nullable=False),
    sa.Column("out_received_at", integer),
    sa.Column("in_by", sa.Text, nullable=False),
    sa.Column("out_by", sa.Text),
    sa.Column("distance_ok", integer),
    sa.Column("flags", sa.Text, nullable=False, server_default=""),
    sa.Column("in_evidence", sa.Text, nullable=False, server_default=""),
    sa.Column("out_evidence", sa.Text, nullable=False, server_default=""),
    sa.Column("review", sa.Text, nullable=False, server_default=""),
    sa.Column("beyond", sa.Text, nullable=False, server_default=""),
    sa.Column("record_id", integer),
    sa.CheckConstraint("out_at IS NULL OR out_at >= in_at", name="length"),
    owner=("volunteer_id",),
)
"""One pair of check-in and check-out. ``in_at`` is when it happened, ``in_received_at`` when the server heard of it.

``flags`` are codes joined by commas; what somebody said for it, why a review let it count or not, and
why time outside of the shift counts, are addresses of sealed texts. ``record_id`` is the service record that came of it, one at most.
"""

_open = attendance.c.out_at.is_(None)
sa.Index("uq_vk_attendance_open", attendance.c.participation_id, unique=True, sqlite_where=_open,
         postgresql_where=_open)  # fmt: skip
_recorded = attendance.c.record_id.is_not(None)
sa.Index("uq_vk_attendance_record", attendance.c.record_id, unique=True, sqlite_where=_recorded,
         postgresql_where=_recorded)  # fmt: skip
sa.Index("ix_vk_attendance_person", attendance.c.volunteer_id, attendance.c.served_on)
sa.Index("ix_vk_attendance_shift", attendance.c.shift_id)

scan = table(
    "scan",
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("scan_id", sa.Text, primary_key=True),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("attendance_id", integer, sa.ForeignKey("vk_attendance.id"), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("received_at", integer, nullable=False),
    owner=("attendance_id",),
)
"""What a device has uploaded and was taken: once, however often it comes again.

``answer`` is what was told of it: ``taken`` or ``repeated``.
"""

device = table(
    "device",
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("revoked_at", integer, nullable=False),
    sa.Column("revoked_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
"""The devices that were revoked: from that instant on nothing is taken of them. ``reason`` is sealed.

Others need no row: their keys follow from the city's.
"""
