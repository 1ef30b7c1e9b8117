"""The parts a version of a way of crediting is made of, in the order in which they are applied.

``select`` → ``once`` → transforms → windows → coefficient → limits → routes → ``day_percent`` → convert.
Every part sees what the one before it left. ``reason`` is the author's word for what a part takes or adds,
``because`` the author's sentence in each language; a line's findings carry both.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from volunteerkit.rules.expression import Expression, FactType, Mention

__all__ = [
    "PERIODS",
    "Answer",
    "Coefficient",
    "Cohort",
    "Convert",
    "Limit",
    "Lookup",
    "LookupRow",
    "Measure",
    "Period",
    "Route",
    "Scheme",
    "Step",
    "Transform",
    "Window",
]  # fmt: skip

Period: TypeAlias = Literal["day", "week", "month", "quarter", "half_year", "year", "life"]

PERIODS: Final = ("day", "week", "month", "quarter", "half_year", "year", "month_back", "year_back")
"""What may stand in a measure's ``per`` beside the words of a record: periods, which follow one another."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class _Part:
    """What every part has: a condition (None for always), and how its author calls and explains it."""

    when: Expression | None = attrs.field(default=None, kw_only=True)
    reason: str = attrs.field(default="", kw_only=True)
    because: tuple[tuple[str, str], ...] = attrs.field(default=(), kw_only=True)


@attrs.frozen
class Transform(_Part):
    """Other ``minutes`` for a record: a rule over its facts and the fact ``minutes``, what it counts so far."""

    minutes: Expression


@attrs.frozen
class Window(_Part):
    """``percent`` for the minutes of a clock between two minutes of the day, perhaps over midnight.

    A record is cut at midnight; ``served_on`` is the piece's own day. The first window that holds counts.
    """

    from_minute: int
    to_minute: int
    percent: int

    def holds_at(self, minute: int) -> bool:
        """Tell whether this minute of the day (0 … 1439) lies in the window."""
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


@attrs.frozen
class Coefficient:
    """A percentage for every word of the fact ``by``, ``otherwise`` for all other words."""

    by: str
    percent: tuple[tuple[str, int], ...]
    otherwise: int = 100


@attrs.frozen
class Limit(_Part):
    """The most minutes (or records that count anything) of a period, for every word of the facts ``by``.

    What lies beyond is cut off, or the whole record is refused. Records without a say in it (``when``) are
    neither counted nor cut. Years, half years and quarters begin with ``year_begins_month``.
    """

    per: Period
    at_most: Expression
    by: tuple[str, ...] = ()
    count: Literal["minutes", "records"] = "minutes"
    beyond: Literal["cut", "refuse"] = "cut"
    year_begins_month: int = 1


@attrs.frozen
class Route(_Part):
    """Days whose minutes wait for the office ``to``; the first route that holds counts.

    Its condition is over ``day_minutes``, ``served_on`` and the person. A day all of whose counting records
    are ``accepted`` waits for nobody.
    """

    to: str


@attrs.frozen
class Convert:
    """What a total is worth elsewhere: ``gives`` of ``unit`` for every full ``every_minutes``."""

    unit: str
    every_minutes: int
    gives: int = 1


@attrs.frozen
class Answer:
    """A named answer: a rule over facts and the type it ``gives``; or the ``words`` whose conditions hold."""

    name: str
    rule: Expression | None
    gives: FactType
    words: tuple[tuple[str, Expression], ...] = ()

    @property
    def rules(self) -> tuple[Expression, ...]:
        """Every rule in it."""
        return (self.rule,) if self.rule is not None else tuple(rule for _, rule in self.words)


@attrs.frozen
class Measure:
    """One figure over a subject's records.

    ``how`` says what becomes of the records: their ``of`` (a rule over the record) is added up, or its most,
    least, first or last value is taken; ``count`` counts records, days or the different words of ``distinct``.
    ``first_day`` and ``last_day`` are inclusive unless ``after`` or ``before`` say otherwise. With ``per``
    every group has a ``value``, or what ``counts`` makes of it; those without ``having`` are left out, of the rest
    perhaps the ``best`` so many kept, and ``take`` puts them together:
    ``run`` is the longest chain of periods that follow one another, ``last_run`` the one that reaches today.
    ``gap_days`` lets ``first`` find the first day of the service that has gone on since without a longer gap.
    A ``balance`` adds ``of`` and takes away what a record ``spends``, the oldest first; what was added runs out
    after ``expires_months``. What is spent beyond it is owed.
    Of the records that are let in perhaps only the ``latest`` so many are looked at. ``otherwise`` is its value
    where no record is left, a rule for it too; without one it is absent.
    """

    name: str
    how: Literal["sum", "count", "most", "least", "first", "last", "balance"]
    of: Expression | None = None
    distinct: str = ""
    where: Expression | None = None
    first_day: Expression | None = None
    last_day: Expression | None = None
    after: bool = False
    before: bool = False
    per: str = ""
    year_begins_month: int = 1
    counts: Expression | None = None
    having: Expression | None = None
    best: int | None = None
    take: Literal["sum", "count", "most", "least", "run", "last_run"] = "sum"
    gap_days: int | None = None
    spends: Expression | None = None
    expires_months: int | None = None
    otherwise: int | Expression | None = None
    gives: FactType = "int"
    latest: int | None = None

    @property
    def rules(self) -> tuple[Expression, ...]:
        """Every rule in it."""
        found = (self.of, self.where, self.first_day, self.last_day, self.counts, self.having, self.spends)
        fallback = () if isinstance(self.otherwise, int | None) else (self.otherwise,)
        return (*(rule for rule in found if rule is not None), *fallback)


@attrs.frozen
class LookupRow:
    """One row of a table: from which number on, or for which words or numbers, and its values by column."""

    values: tuple[Expression, ...]
    from_: int | None = None
    is_: tuple[int | str, ...] = ()


@attrs.frozen
class Lookup:
    """A table that gives the facts of its ``columns`` by another fact: by bands of a number, or by words.

    The last row whose ``from`` is reached counts; a row with neither ``from`` nor ``is`` is for all the rest.
    Where no row fits, its columns are absent.
    """

    by: str
    columns: tuple[str, ...]
    rows: tuple[LookupRow, ...]

    @property
    def rules(self) -> tuple[Expression, ...]:
        """Every rule in it, the fact it goes by among them."""
        return (Mention(self.by), *(rule for row in self.rows for rule in row.values))


@attrs.frozen
class Step:
    """A grade (``award``, from 1) and the condition it needs; ``names`` are its names by language.

    ``grade`` is its word for programs and records. ``after`` names the grade that must have been granted
    before, ``wait_months`` months ago or more. A grade with ``valid_months`` runs out. ``certifier`` is the
    body that decides about it.
    """

    award: int
    when: Expression
    names: tuple[tuple[str, str], ...] = ()
    grade: str = ""
    after: str = ""
    wait_months: int = 0
    valid_months: int = 0
    certifier: str = ""


@attrs.frozen
class Scheme:
    """Grades for one question. ``take`` gives the highest grade, or all whose conditions hold.

    ``repeat`` says whether a grade that was granted may be granted again: ``always``, ``yearly`` (once a
    calendar year) or ``never``; of an ordered scheme the lower grades then are not given either. ``loss``
    says how a grade is lost: on an ``event`` (a revocation), ``recomputed`` with the conditions, or ``never``.
    ``procedure`` says who begins: nobody (``automatic``), the subject, or somebody who nominates it. ``grant_when``
    must hold beside before anything is granted: the round is open, the notice is over, the panel agreed.
    """

    name: str
    steps: tuple[Step, ...]
    take: Literal["highest", "all"] = "highest"
    repeat: Literal["always", "yearly", "never"] = "always"
    loss: Literal["event", "recomputed", "never"] = "event"
    procedure: Literal["automatic", "application", "nomination"] = "automatic"
    grant_when: Expression | None = None

    @property
    def rules(self) -> tuple[Expression, ...]:
        """Every condition in it."""
        beside = () if self.grant_when is None else (self.grant_when,)
        return (*(step.when for step in self.steps), *beside)

    def step_of(self, award: int) -> Step | None:
        """Return the step of a grade's number, None for 0."""
        return next((step for step in self.steps if step.award == award), None)


@attrs.frozen
class Cohort:
    """Who of many gets a place: those with a grade of ``among``, the highest by ``rank_by`` first.

    There are so many ``places``, or a ``percent`` of all who were looked at (rounded down), but ``at_least`` so many; by the word
    ``within`` each of its groups has its own. Who meets ``exempt`` gets a place beside them. ``grades`` give other places for
    single grades, ``groups`` for single words of ``within``.
    """

    among: str
    rank_by: tuple[str, ...]
    places: int | None = None
    percent: int | None = None
    at_least: int = 0
    within: str = ""
    exempt: Expression | None = None
    grades: tuple[tuple[str, int], ...] = ()
    groups: tuple[tuple[str, int], ...] = ()

    @property
    def rules(self) -> tuple[Expression, ...]:
        """Every rule in it, the facts it goes by among them."""
        names = (*self.rank_by, *([self.within] if self.within else []))
        return (*map(Mention, names), *([self.exempt] if self.exempt is not None else []))
