"""Who may have a place in a shift: reading the shift and the person, and everything that speaks against it.

Joining is one of the most frequent commands, so what it always reads is read in a few statements on the
driver itself; what only some positions and persons need is asked for there alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import attrs
import sqlalchemy as sa

from volunteerkit.access import Grant, Place
from volunteerkit.calling import review
from volunteerkit.clock import age_on
from volunteerkit.errors import Finding, NotFound
from volunteerkit.organizations.reading import below
from volunteerkit.organizations.tables import organization, team
from volunteerkit.projects.conflicts import MINUTE, OVERRIDABLE, minor_findings, time_findings
from volunteerkit.projects.participating import Commitment, Opening
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.grants import resolved_number, unsuspended
from volunteerkit.store.posting import driver
from volunteerkit.store.registering import possible_id
from volunteerkit.store.vault import closed, open_subject
from volunteerkit.units import day_number, day_of, instant_of, storable
from volunteerkit.volunteers.model import ADULT_YEARS, EARNING_YEARS
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import during, find, owner_on, status_of
from volunteerkit.volunteers.tables import membership

__all__ = [
    "AWAY",
    "LASTING",
    "Person",
    "Shift",
    "away_on",
    "marks",
    "person_of",
    "personal_findings",
    "shift_findings",
    "shift_of",
    "suspended",
    "visible",
]

AWAY = ("suspended", "on_leave", "blacklisted")
"""Periods on which nobody serves, and which cancel what was accepted before."""

LASTING = ("approved", "pending", "merged")
"""Statuses that end nothing by themselves: a merged volunteer's commitments are the kept one's."""

_PUBLIC = ("published", "closing", "closed", "cancelled", "archived")

_SHIFT = (
    "SELECT s.id, s.starts_at, s.ends_at, s.capacity, s.taken, s.cancelled_at, p.id, p.number, p.status, "
    "p.apply_from, p.apply_until, p.acceptance, p.waiting_list, p.guests_at_most, p.visible_below_id, p.area, "
    "o.number, t.number, n.name, n.age_from, n.age_to, n.qualification, n.skill, n.sex, "
    "(SELECT count(*) FROM vk_participation w WHERE w.shift_id = s.id AND w.state = 'waiting') "
    "FROM vk_shift s JOIN vk_project p ON p.id = s.project_id JOIN vk_organization o ON o.id = p.organization_id "
    "LEFT JOIN vk_team t ON t.id = p.team_id LEFT JOIN vk_position n ON n.id = s.position_id WHERE s.id = ?"
)
_PERSON = (
    "SELECT v.id, v.number, v.status, v.adult_on, "
    "EXISTS (SELECT 1 FROM vk_merge m WHERE m.kept_id = v.id AND m.ended_seq IS NULL) FROM vk_volunteer v WHERE v.{} = ?"
)
_BY_NUMBER, _BY_ID = _PERSON.format("number"), _PERSON.format("id")
_MISSED = (
    "SELECT count(*) FROM vk_participation m JOIN vk_shift s ON s.id = m.shift_id "
    "WHERE m.volunteer_id IN ({}) AND m.state = 'missed' AND s.starts_at >= ?"
)
_PERIODS = (
    "SELECT kind, since, until FROM vk_volunteer_period WHERE volunteer_id = ? AND kind <> 'provisional'"
)
_COMMITMENTS = (
    "SELECT s.id, p.number, o.number, s.starts_at, s.ends_at FROM vk_participation a "
    "JOIN vk_shift s ON s.id = a.shift_id JOIN vk_project p ON p.id = s.project_id "
    "JOIN vk_organization o ON o.id = p.organization_id "
    "WHERE a.volunteer_id IN ({}) AND a.state IN ('accepted', 'completed', 'discharged') AND s.id <> ? "
    "AND s.cancelled_at IS NULL AND s.ends_at >= ? AND s.starts_at <= ? ORDER BY s.starts_at, s.id"
)
_QUALIFIED = "SELECT obtained_on, valid_until FROM vk_qualification WHERE volunteer_id = ? AND kind = ?"
_SKILLED = "SELECT 1 FROM vk_volunteer_tag WHERE volunteer_id = ? AND kind = 'skill' AND value = ?"
_CONSENTED = "SELECT 1 FROM vk_acknowledgement WHERE volunteer_id = ? AND document = ?"
_DAY = 1440 * MINUTE


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Shift:
    """A row of a shift with its project and position; instants in microseconds, days as numbers."""

    id: int
    starts_at: int
    ends_at: int
    capacity: int | None
    taken: int
    cancelled_at: int | None
    project_id: int
    project: str
    status: str
    apply_from: int | None
    apply_until: int | None
    acceptance: str
    waiting_list: int
    guests_at_most: int
    visible_below_id: int | None
    area: str
    organization: str
    team: str | None
    position: str | None
    age_from: int | None
    age_to: int | None
    qualification: str | None
    skill: str | None
    sex: str | None
    waiting: int

    @property
    def place(self) -> Place:
        """Where it belongs, for those who organize it."""
        teams = () if self.team is None else (self.team,)
        return Place(None, teams, (self.organization,), (self.area,) if self.area else ())

    @property
    def span(self) -> Commitment:
        """When it is and whose, as something that somebody may be committed to."""
        return Commitment(self.id, self.project, self.organization, self.starts_at, self.ends_at)

    def day(self, desk: Desk) -> dt.date:
        """Return the city's day on which it begins."""
        return instant_of(self.starts_at).astimezone(desk.zone).date()

    def opening(self, desk: Desk) -> Opening:
        """Return it as plugins see it."""
        begin, end = (instant_of(each).astimezone(desk.zone) for each in (self.starts_at, self.ends_at))
        return Opening(self.id, self.project, self.organization, self.team, self.position, self.skill, begin, end,
                       self.capacity, self.taken)  # fmt: skip


@attrs.frozen
class Person:
    """A volunteer who joins: how often they were missed lately, and the days on which they are away.

    ``ids`` are those of everybody who was merged into them too: what these accepted binds the person.
    """

    id: int
    number: str
    status: str
    adult_on: int | None
    missed: int
    periods: tuple[tuple[str, int, int | None], ...]
    ids: tuple[int, ...]

    @property
    def subject(self) -> str:
        """The opaque text under which the vault and the events know them."""
        return f"volunteer:{self.id}"


def shift_of(desk: Desk, shift_id: int) -> Shift:
    """Return the shift with that id, whoever asks; raises NotFound."""
    row = driver(desk.connection)(_SHIFT, (shift_id,)).fetchone() if possible_id(shift_id) else None
    if row is None:
        raise NotFound(kind="shift", id=shift_id)
    return Shift(*row)


def person_of(desk: Desk, who: str | int) -> Person | None:
    """Return the volunteer with a number (also a merged one's) or an id, None for an unknown one."""
    if type(who) is str and not storable(who):
        return None
    execute = driver(desk.connection)
    row = execute(_BY_NUMBER if type(who) is str else _BY_ID, (who,)).fetchone()
    if row is None or row[2] == "merged":
        number = who if row is None else row[1]
        number = resolved_number(desk.connection, number) if type(number) is str else ""
        row = execute(_BY_NUMBER, (number,)).fetchone()
    if row is None:
        return None
    id_, number, status, adult_on, merged = row
    ids = together(desk.connection, id_) if merged else (id_,)
    since = microseconds(desk.now) - desk.policy.no_show_days * _DAY
    (missed,) = execute(_MISSED.format(marks(ids)), (*ids, since)).fetchone()
    periods = tuple(map(tuple, execute(_PERIODS, (id_,))))
    return Person(id_, number, status, adult_on, missed, periods, ids)


def marks(values: Sequence[object]) -> str:
    """Return as many ``?`` marks as there are values, for SQL."""
    return ", ".join("?" * len(values))


def away_on(person: Person, day: int) -> str | None:
    """Return the kind of period that keeps the person away on a day number, None for none."""
    return next(
        (kind for kind, since, until in person.periods if since <= day and (until is None or day <= until)),
        None,
    )


def visible(desk: Desk, shift: Shift, volunteer_id: int | None, scopes: Collection[str] = ()) -> bool:
    """Tell whether a shift shows to a volunteer, or to who acts for one of the organizations in ``scopes``.

    One that was never published shows to nobody; one that is open to a sub-tree of organizations to its
    members alone.
    """
    if shift.status not in _PUBLIC:
        return False
    if shift.visible_below_id is None:
        return True
    inside, day = below(desk, organization, shift.visible_below_id), day_number(desk.today)
    theirs = (
        sa.select(membership.c.id)
        .outerjoin(team, team.c.id == membership.c.team_id)
        .where(membership.c.volunteer_id == volunteer_id, during(day), owner_on(day).in_(inside))
    )
    named = sa.select(organization.c.id).where(
        organization.c.number.in_(scopes), organization.c.id.in_(inside)
    )
    return any(desk.connection.execute(each.limit(1)).first() is not None for each in (theirs, named))


def shift_findings(desk: Desk, shift: Shift, *, by_oneself: bool) -> list[Finding]:
    """Return why nobody joins the shift now; who was invited or waits needs no open application window."""
    found, now, today = list[Finding](), microseconds(desk.now), day_number(desk.today)
    if shift.cancelled_at is not None:
        found.append(Finding("shift_cancelled", {"shift": shift.id}))
    if shift.status != "published":
        found.append(Finding("project_not_open", {"project": shift.project, "status": shift.status}))
    found += suspended(desk, shift.place)
    if now >= shift.ends_at:
        end = instant_of(shift.ends_at).astimezone(desk.zone)
        found.append(Finding("shift_over", {"shift": shift.id, "end": end}))
    elif now >= shift.starts_at and not desk.policy.join_while_running:
        begin = instant_of(shift.starts_at).astimezone(desk.zone)
        found.append(Finding("shift_running", {"shift": shift.id, "begin": begin}))
    if by_oneself and shift.apply_from is not None and today < shift.apply_from:
        found.append(Finding("application_not_open", {"day": day_of(shift.apply_from)}))
    if by_oneself and shift.apply_until is not None and today > shift.apply_until:
        found.append(Finding("application_closed", {"day": day_of(shift.apply_until)}))
    return found


def suspended(desk: Desk, place: Place) -> tuple[Finding, ...]:
    """Return which organization or team of a place is suspended today, so that nothing new begins there."""
    offices = [Grant("organization_admin", each) for each in place.organizations]
    offices += [Grant("team_leader", each) for each in place.teams]
    left = unsuspended(desk.connection, offices, desk.today)
    stopped = [each.scope for each in offices if each not in left]
    return tuple(Finding("organizer_suspended", {"number": number}) for number in stopped[:1])


def personal_findings(desk: Desk, shift: Shift, person: Person, *, overridden: bool = False) -> list[Finding]:
    """Return what speaks against this person in this shift: standing, requirements, the law, their other shifts.

    With ``overridden`` what a manager may override warns instead of blocking.
    """
    found = _standing(desk, shift, person)
    if shift.qualification is not None:
        found += _qualification(desk, shift, person)
    if shift.skill is not None and not driver(desk.connection)(_SKILLED, (person.id, shift.skill)).fetchone():
        found.append(Finding("skill_missing", {"skill": shift.skill}))
    if shift.sex is not None and _sex(desk, person) != shift.sex:
        found.append(Finding("sex_required", {"sex": shift.sex}))
    others = _commitments(desk, shift, person)
    found += _age(desk, shift, person, others)
    found += time_findings(shift.span, others, desk.policy, desk.zone)
    if overridden:
        found = [attrs.evolve(each, severity="warn") if each.code in OVERRIDABLE else each for each in found]
    if desk.hooks.get("vk_review_participation"):
        found += review(desk, "vk_review_participation", volunteer=person.number, shift=shift.opening(desk))
    return found


def _standing(desk: Desk, shift: Shift, person: Person) -> list[Finding]:
    status = person.status
    if status == "pending":  # a term may have run out meanwhile
        there = find(desk, person.number)
        status = status if there is None or status_of(desk, there) == "pending" else "approved"
    if status != "approved":
        return [Finding("volunteer_not_active", {"volunteer": person.number, "status": status})]
    for day in dict.fromkeys((desk.today, shift.day(desk))) if person.periods else ():
        kind = away_on(person, day_number(day))
        if kind is not None:
            return [Finding("volunteer_away", {"volunteer": person.number, "kind": kind, "day": day})]
    return []


def _qualification(desk: Desk, shift: Shift, person: Person) -> list[Finding]:
    """Ask for a qualification that is valid on the shift's day, whatever it is today."""
    day, values = day_number(shift.day(desk)), {"qualification": shift.qualification, "day": shift.day(desk)}
    held = driver(desk.connection)(_QUALIFIED, (person.id, shift.qualification)).fetchall()
    if any(since <= day and (until is None or day <= until) for since, until in held):
        return []
    last = max((until for _, until in held if until is not None and until < day), default=None)
    if last is None:
        return [Finding("qualification_missing", values)]
    return [Finding("qualification_expires", values | {"until": day_of(last)})]


def _sex(desk: Desk, person: Person) -> str:
    """Read it from the vault, only where a position lawfully asks; of restricted data nothing is read."""
    if closed(desk.connection, [person.subject]):
        return ""
    return str(open_subject(desk.connection, desk.needed_cipher(), person.subject).get("sex", ""))


def _commitments(desk: Desk, shift: Shift, person: Person) -> list[Commitment]:
    """Return what else the person has accepted around the shift, without what their absence cancels."""
    policy = desk.policy
    strictest = max(
        [policy.rest_minutes, 1440, policy.consecutive_minutes or 0, *policy.consecutive_minutes_at.values()]
    )
    margin = strictest * MINUTE
    bounds = (*person.ids, shift.id, shift.starts_at - margin, shift.ends_at + margin)
    query = _COMMITMENTS.format(marks(person.ids))
    found = [Commitment(*row) for row in driver(desk.connection)(query, bounds)]
    if not person.periods or policy.commitments_when_away == "kept":
        return found
    now = microseconds(desk.now)
    return [
        each for each in found
        if each.starts_at <= now
        or away_on(person, day_number(instant_of(each.starts_at).astimezone(desk.zone).date())) is None
    ]  # fmt: skip


def _age(desk: Desk, shift: Shift, person: Person, others: list[Commitment]) -> list[Finding]:
    """Ask for the age on the shift's day, from the day of the 18th birthday."""
    wanted = {"least": shift.age_from or 0, "most": "…" if shift.age_to is None else shift.age_to}
    limited = shift.age_from is not None or shift.age_to is not None
    if person.adult_on is None:
        return [Finding("age_not_known", wanted)] if limited else []
    day = shift.day(desk)
    age = ADULT_YEARS + age_on(day_of(person.adult_on), day)
    found = []
    if limited and not (shift.age_from or 0) <= age <= (999 if shift.age_to is None else shift.age_to):
        found.append(Finding("age_not_allowed", wanted | {"day": day}))
    if age >= ADULT_YEARS:
        return found
    if (
        age < EARNING_YEARS
        and not driver(desk.connection)(_CONSENTED, (person.id, "guardian_consent")).fetchone()
    ):
        found.append(Finding("minor_without_consent", {"age": EARNING_YEARS}))
    return found + minor_findings(shift.span, others, age, desk.policy, desk.zone)
