"""A desk: one actor, at one moment, on one open transaction. Every verb takes it first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from volunteerkit.access import (
    Actor,
    Cell,
    Grant,
    Person,
    Place,
    Reach,
    authorize,
    covering,
    reach,
    reading_actions,
    same_person,
)
from volunteerkit.clock import Calendar
from volunteerkit.errors import Finding, KeyProblem, NotFound, NotPermitted, Refused, VolunteerkitError
from volunteerkit.policy import Policy
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.grants import (
    all_numbers,
    can_be_suspended,
    inherited,
    lenders_numbers,
    linked_numbers,
    resolved_number,
    stored_grants,
    unsuspended,
)
from volunteerkit.store.schema import event

__all__ = ["Desk", "microseconds"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_READING = "organization.view"  # any action that only reads: every grant counts for it


def __dir__() -> list[str]:
    return __all__


def microseconds(instant: dt.datetime) -> int:
    """Return an aware instant as microseconds since 1970 UTC, the form the tables hold.

    >>> microseconds(dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC))
    1000000
    """
    return (instant - _EPOCH) // _MICROSECOND


@attrs.frozen
class Desk:
    """One actor, at one moment (``now``, an aware instant), on one open transaction (``connection``).

    ``hooks``, ``rulebooks``, ``functions``, ``workflows`` and ``calendar`` are what the kit's plugins
    contributed when it was loaded: hook name -> ((plugin, function), …), and values by their ids.
    """

    connection: sa.Connection
    actor: Actor
    now: dt.datetime
    zone: ZoneInfo
    hooks: Mapping[str, tuple[tuple[str, Callable[..., Any]], ...]] = attrs.field(factory=dict, repr=False)
    rulebooks: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    functions: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    cipher: Cipher | None = None
    workflows: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    calendar: Calendar = attrs.field(factory=Calendar, repr=False)
    grant_rest_days: int = attrs.field(default=1, repr=False)
    policy: Policy = attrs.field(factory=Policy, repr=False)
    today: dt.date = attrs.field(init=False, repr=False)
    """The day that ``now`` is in the city's zone."""
    _looked_up: dict[str, Any] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    @today.default
    def _today(self) -> dt.date:
        return self.now.astimezone(self.zone).date()

    @property
    def stored_grants(self) -> tuple[Grant, ...]:
        """The actor's grants that are kept in the database, read once on this transaction."""
        if "grants" not in self._looked_up:
            self._looked_up["grants"] = stored_grants(self.connection, self.actor.id)
        found: tuple[Grant, ...] = self._looked_up["grants"]
        return found

    def holder(self, action: str) -> Actor:
        """Return the actor with every grant, handed in or stored, that counts for ``action`` today.

        Who administers an organization holds the same for those whose records it answers for. While an
        organization or a team is suspended, its offices count for what only reads.
        """
        reads = action in reading_actions()
        key = "reader" if reads else "holder"
        if key not in self._looked_up:
            held = (*self.actor.grants, *self.stored_grants)
            if not reads:
                held = unsuspended(self.connection, held, self.today)
            self._looked_up[key] = attrs.evolve(self.acting, grants=held + inherited(self.connection, held))
        found: Actor = self._looked_up[key]
        return found

    def _at_hand(self, action: str) -> Actor:
        """Return the actor with the grants handed in that count for ``action``: at most one look-up."""
        if action in reading_actions() or not can_be_suspended(self.actor.grants):
            return self.actor
        if "at_hand" not in self._looked_up:
            held = unsuspended(self.connection, self.actor.grants, self.today)
            self._looked_up["at_hand"] = (
                self.actor if held == self.actor.grants else attrs.evolve(self.actor, grants=held)
            )
        found: Actor = self._looked_up["at_hand"]
        return found

    def look_again(self) -> None:
        """Forget what was looked up about the actor: another transaction may have changed it."""
        self._looked_up.clear()

    @property
    def acting(self) -> Actor:
        """The actor, as the volunteer that a merged number stands for today."""
        if "actor" not in self._looked_up:
            number = self.actor.volunteer
            now = resolved_number(self.connection, number) if number else None
            self._looked_up["actor"] = (
                self.actor if now == number else attrs.evolve(self.actor, volunteer=now)
            )
        found: Actor = self._looked_up["actor"]
        return found

    def permit(
        self,
        action: str,
        place: Place | None = None,
        *,
        organization: str | None = None,
        volunteer: str | None = None,
    ) -> Cell:
        """Return the cell that lets the actor do ``action`` there today; raise NotPermitted otherwise.

        A place is given whole, or by one organization and volunteer. The grants handed in go first: the
        database is asked only when they do not suffice. A plugin's hook may still veto.
        """
        if place is None:
            place = Place(volunteer, (), () if organization is None else (organization,))
        cell = covering(self._at_hand(action), action, self.today, place)
        if cell is None:
            cell = covering(self.holder(action), action, self.today, place)
        if cell is None:
            self._unless_suspended(action, place)
            cell = authorize(self.holder(action), action, self.today, place)
        self._veto(action, place)
        return cell

    def may(self, action: str, place: Place) -> bool:
        """Tell whether `permit` would let the actor do ``action`` at ``place``, for the rows of a list."""
        try:
            self.permit(action, place)
        except NotPermitted:
            return False
        return True

    def permit_on(self, action: str, kind: str, id: object, place: Place | None) -> Cell:
        """Permit ``action`` on the object with that ``id``, which is at ``place``, None for an unknown id.

        A foreign id behaves as an unknown one: both raise NotFound. Who may never do ``action`` gets
        NotPermitted before anything is looked up.
        """
        cell = None if place is None else covering(self._at_hand(action), action, self.today, place)
        if place is None or cell is None:
            reached = self.reach(action)
            if reached.nothing:
                self._unless_suspended(action)
                raise NotPermitted(actor=self.actor.id, action=action)
            if place is None or not reached.covers(place):
                if place is not None:
                    self._unless_suspended(action, place)
                raise NotFound(kind=kind, id=id)
            return self.permit(action, place)
        self._veto(action, place)
        return cell

    def _unless_suspended(self, action: str, place: Place | None = None) -> None:
        """Raise NotPermitted office_suspended if nothing but a suspension denies ``action`` (at ``place``)."""
        held = reach(self.holder(_READING), action, self.today)
        if held.covers(place) if place is not None else not held.nothing:
            raise NotPermitted("office_suspended", actor=self.actor.id, action=action)

    def reach(self, action: str) -> Reach:
        """Return all that ``action`` reaches for the actor today, for filtering a list."""
        return reach(self.holder(action), action, self.today)

    def lender(self, action: str, place: Place) -> str | None:
        """Return who lent the grant by which the actor may do ``action`` at ``place``; None for their own."""
        holder = self.holder(action)
        by = [
            each.delegated_by or ""
            for each in holder.grants
            if covering(attrs.evolve(holder, grants=(each,)), action, self.today, place)
        ]
        return min(by, default="") or None

    def rested(self, action: str, place: Place, *subjects: str) -> None:
        """Refuse whoever may do ``action`` at ``place`` by new grants only and had to do with a subject before.

        A grant is new for ``grant_rest_days`` from the day it began: nobody gets an office in order to decide
        about what they have handled under another one (separation of duties, rule 12).
        """
        newest = self.today - dt.timedelta(self.grant_rest_days)
        holder = self.holder(action)
        old = tuple(each for each in holder.grants if each.since is None or each.since <= newest)
        if old == holder.grants or covering(attrs.evolve(holder, grants=old), action, self.today, place):
            return
        ids = (self.actor.id, self.actor.on_behalf_of or self.actor.id)
        handled = (
            sa.select(event.c.seq).where(event.c.actor_id.in_(ids), event.c.subject.in_(subjects)).limit(1)
        )
        if self.connection.execute(handled).first() is not None:
            raise Refused(Finding("grant_too_new", {"days": self.grant_rest_days}))

    def is_one_of(self, *others: Person, lender: str | None = None) -> bool:
        """Tell whether the actor, or whom they act for, is one of ``others``, followed through merges.

        Of others who are known by the id of an actor alone it is looked up which volunteer they are.
        """
        lenders = [each for each in (self.actor.on_behalf_of, lender) if each]
        selves = [each for who in (None, *lenders) for each in self._known_as(who)]
        if any(same_person(mine, other) for mine in selves for other in others):
            return True
        numbers = {each.volunteer for each in selves if each.volunteer}
        actors = sorted({each.actor_id for each in others if each.actor_id}) if numbers else []
        return any(each.volunteer in numbers for actor in actors for each in self._known_as(actor))

    def _known_as(self, lender: str | None) -> tuple[Person, ...]:
        """Return the actor, or another one such as the ``lender`` of a grant, under every number that stands for them.

        Whatever the portal says of them: who registered or claimed under their id is that volunteer, as is
        whoever was merged into the same one.
        """
        key = f"known_as:{lender or ''}"
        if key not in self._looked_up:
            mine, who = self.acting.volunteer, lender or self.actor.id
            now = lenders_numbers(self.connection, lender) if lender else (mine,) if mine else ()
            now += linked_numbers(self.connection, who)
            numbers = {each for one in now for each in all_numbers(self.connection, one)}
            self._looked_up[key] = (Person(who), *(Person(who, each) for each in sorted(numbers)))
        found: tuple[Person, ...] = self._looked_up[key]
        return found

    def separate(self, cell: Cell, code: str, *others: Person, lender: str | None = None) -> None:
        """Raise Refused with the finding ``code`` when ``cell`` asks for it and the actor is one of ``others``.

        ``lender`` is who lent the grant that the actor uses.
        """
        if cell.separate and self.is_one_of(*others, lender=lender):
            raise Refused(Finding(code, {}))

    def _veto(self, action: str, place: Place) -> None:
        """Ask the plugins; one finding that blocks refuses, and so does a plugin that fails."""
        for plugin, veto in self.hooks.get("vk_review_access", ()):
            try:
                found = veto(actor=self.actor, action=action, place=place)
                blocked = any(each.severity == "block" for each in found)
            except VolunteerkitError:  # it failed: the answer is no
                blocked = True
            if blocked:
                raise NotPermitted("vetoed", actor=self.actor.id, action=action, plugin=plugin)

    def needed_cipher(self) -> Cipher:
        """Return the cipher; raises KeyProblem when none was handed in."""
        if self.cipher is None:
            raise KeyProblem()
        return self.cipher
