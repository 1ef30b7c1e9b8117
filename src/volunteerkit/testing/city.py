"""A small sample city for tests: one organization, one project, volunteers, and a desk for every role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    import sqlalchemy as sa

    from volunteerkit import Desk, Kit
    from volunteerkit.rules.deciding import Decision

__all__ = ["AREA", "ORGANIZATION", "PROJECT", "SampleCity"]

AREA: Final = "新余市"
ORGANIZATION: Final = "O0001"
PROJECT: Final = "P0001"
BORN_ON: Final = dt.date(1990, 5, 1)

_SCOPES: Final[Mapping[str, str]] = {
    "organization_admin": ORGANIZATION,
    "department_officer": AREA,
}


def __dir__() -> list[str]:
    return __all__


@attrs.define
class SampleCity:
    """A fresh city on one connection; nothing is committed.

    Organization ``O0001`` runs project ``P0001``. Get one from the fixture ``vk_city``.
    """

    kit: Kit
    connection: sa.Connection = attrs.field(repr=False)
    _served: int = 0

    def desk(self, role: str = "centre", name: str = "", *, scope: str | None = None) -> Desk:
        """Return the desk of somebody with this role; ``"volunteer"`` needs their number as ``name``.

        ``scope`` is what the role reaches: by default the sample organization for its offices, the area for a
        department's. Two names are two people.
        """
        from volunteerkit.access import Actor, Grant

        if role == "volunteer":
            return self.kit.desk(self.connection, Actor(name, (Grant("volunteer"),), volunteer=name))
        reach = _SCOPES.get(role) if scope is None else scope
        return self.kit.desk(self.connection, Actor(name or f"{role}-1", (Grant(role, reach),)))

    def volunteer(
        self, name: str, *, born_on: dt.date = BORN_ON, registered_on: dt.date | None = None
    ) -> str:
        """Register a volunteer of the organization, approve it, and return its number."""
        from volunteerkit import Application, volunteers

        desk = self.desk()
        on = registered_on or desk.today
        application = Application(name, ORGANIZATION, born_on=born_on, consent_on=on)
        number = volunteers.register(desk, application)
        volunteers.approve(self.desk("centre", "centre-2"), number)
        return number

    def serve(
        self,
        volunteer: str,
        on: dt.date,
        minutes: int,
        *,
        begin: dt.time | None = None,
        project: str = PROJECT,
    ) -> int:
        """Record service and let somebody else confirm it; return the record's number.

        ``begin`` gives it a clock. Raises Refused for what a review of the plugin refuses.
        """
        from volunteerkit import Claim, hours

        end = None
        if begin is not None:
            end = (dt.datetime.combine(on, begin) + dt.timedelta(minutes=minutes)).time()
        self._served += 1
        claim = Claim(volunteer, project, on, minutes, begin, end)
        found = hours.record(self.desk(), claim, key=f"sample-{self._served}")
        hours.confirm(self.desk("centre", "centre-2"), found.record_id)
        return found.record_id

    def rated(
        self, volunteer: str, *, decides: str = "star", on: dt.date | None = None, **facts: Any
    ) -> Decision:
        """Decide about a volunteer by the plugin's rulebook for ``decides``, from the records of the city.

        ``facts`` are those of the rulebook, dates as day numbers. Raises InvalidValue where no rulebook answers.
        """
        from volunteerkit.errors import InvalidValue
        from volunteerkit.hours.crediting import credit_rulebook, person_facts, rule_records
        from volunteerkit.hours.reading import cluster_rows
        from volunteerkit.rules.deciding import decide
        from volunteerkit.rules.expression import CALENDAR
        from volunteerkit.units import day_number
        from volunteerkit.volunteers.persons import everybody, together
        from volunteerkit.volunteers.reading import reached

        desk = self.desk()
        day = on or desk.today
        book = next((book for book in desk.rulebooks.values() if book.decides == decides), None)
        if book is None:
            known = ", ".join(sorted({book.decides for book in desk.rulebooks.values()}))
            raise InvalidValue(name="decides", value=decides, allowed=known)
        person, _ = reached(desk, "rating.assess", volunteer)
        ids = together(desk.connection, person.id)
        rows = [row[1:] for row in cluster_rows(desk.connection, day_number(day), ids)]
        version = book.version_on(day)
        _, _, registered_on, adult_on = everybody(desk.connection, ids)[0]
        known_facts = {**person_facts(registered_on, adult_on), CALENDAR: desk.calendar, **facts}
        return decide(
            book,
            day,
            records=rule_records(desk, rows, version.credit or version),
            facts=known_facts,
            crediting=credit_rulebook(desk, "union").version_on(day),
        )
