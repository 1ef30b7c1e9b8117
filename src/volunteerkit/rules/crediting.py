"""Crediting for one person: from recorded minutes to minutes that count, with a reason for each difference.

The parts are those of a credit rulebook's version, in its order; see `parts`. Totals are exact whole numbers
of ``1 / scale`` minutes; whole minutes are taken once, at the end, downwards. `kernel` does the same for a
whole city on columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import attrs

from volunteerkit.errors import Finding, InvalidValue
from volunteerkit.messages import catalogue
from volunteerkit.rules.parts import Convert
from volunteerkit.rules.plan import Plan, Record, plan_of
from volunteerkit.rules.rulebook import Version
from volunteerkit.rules.walk import Pending, Walked, Why, walk
from volunteerkit.units import whole_minutes

__all__ = ["CreditLine", "Credited", "Record", "credit", "credit_each"]


def __dir__() -> list[str]:
    return __all__


class CreditLine(NamedTuple):
    """What became of one record; credited minutes are rounded down. ``why`` is `reasons`, unworded."""

    record_id: int
    served_on: int
    claimed_minutes: int
    credited_minutes: int
    why: tuple[Why, ...] = ()

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Findings whose texts say why credited and claimed minutes differ; empty when they do not."""
        return tuple(_finding(code, values) for code, values in self.why)


def _finding(code: str, values: Mapping[str, Any]) -> Finding:
    """Return a part's reason; the sentences of the rule's author follow the library's own."""
    told = {name: value for name, value in values.items() if name != "because"}
    texts = {
        language: f"{catalogue()[code][language]} {because}"
        for language, because in _quoted(values.get("because", ()))
    }
    return Finding(code, told, "warn", texts=texts)


def _quoted(because: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return [(language, text.replace("{", "{{").replace("}", "}}")) for language, text in because]


@attrs.frozen
class Credited:
    """One person's credited time: totals, and ``lines`` with reasons, made when they are read.

    ``scaled / scale`` is the exact total in minutes, ``credited_minutes`` the same rounded down;
    ``service_days`` counts days with credited time, ``service_records`` the selected records. ``pending``
    are the days that wait for an office; nothing of them is in the totals.
    """

    claimed_minutes: int
    credited_minutes: int
    service_days: int
    service_records: int
    scaled: int
    scale: int
    _explained: Callable[[], tuple[CreditLine, ...]] = attrs.field(repr=False, eq=False)
    pending: tuple[Pending, ...] = ()
    convert: Convert | None = None

    @property
    def lines(self) -> tuple[CreditLine, ...]:
        """One line a record, in the order of service; what a day's limit cuts, its last records lose."""
        return self._explained()

    @property
    def converted(self) -> int:
        """What the total is worth in the version's other unit (``convert.unit``); 0 where it has none."""
        if self.convert is None:
            return 0
        return self.scaled // (self.convert.every_minutes * self.scale) * self.convert.gives


def credit(version: Version, records: Iterable[Record], person: Mapping[str, Any] | None = None) -> Credited:
    """Credit one person's confirmed ``records`` under ``version``.

    ``person`` holds the facts of the person, dates as day numbers (``adult_on`` …), and parameters with other
    values than the rulebook's; an absent one has its declared default. The order of ``records`` matters only among those that begin at the same minute: the
    first one counts. Raises InvalidValue naming a fact that is absent and has no default.

    >>> from volunteerkit.rules import builtin_rulebooks
    >>> import datetime as dt
    >>> union = builtin_rulebooks()[1].version_on(dt.date(2026, 1, 1))
    >>> found = credit(union, [Record(1, 20000, 480, 120, 120), Record(2, 20000, 540, 120, 120)])
    >>> found.claimed_minutes, found.credited_minutes
    (240, 180)
    """
    plan, given = plan_of(version), list(records)
    with _naming_absent(version):
        facts = _known(plan, person)
        return (
            _walked(version, plan, given, facts)[0]
            if plan.run is None
            else _summed(version, plan, given, facts)
        )


def credit_each(
    version: Version, records: Iterable[Record], person: Mapping[str, Any] | None = None
) -> tuple[Credited, Walked]:
    """Credit as `credit` does, and return what became of every record beside."""
    with _naming_absent(version):
        plan = plan_of(version)
        return _walked(version, plan, list(records), _known(plan, person))


def _known(plan: Plan, person: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {**plan.defaults, **person} if person else plan.defaults


@contextmanager
def _naming_absent(version: Version) -> Iterator[None]:
    try:
        yield
    except KeyError as missing:
        if missing.args[0] not in version.mentions:  # a function's own mistake
            raise
        raise InvalidValue("fact_missing", name=missing.args[0]) from None


def _summed(version: Version, plan: Plan, given: Sequence[Record], facts: Mapping[str, Any]) -> Credited:
    """Sum by days; go through the records only when somebody asks why."""
    assert plan.run is not None
    counted, scaled, service_days = plan.run(given, facts)
    return Credited(
        sum([each[4] for each in given]),
        whole_minutes(scaled, plan.scale),
        service_days,
        counted,
        scaled,
        plan.scale,
        lambda: _lines(walk(version, given, facts), plan.scale),
        convert=version.convert,
    )


def _walked(
    version: Version, plan: Plan, given: Sequence[Record], facts: Mapping[str, Any]
) -> tuple[Credited, Walked]:
    done = walk(version, given, facts)
    credited = Credited(
        sum([each[4] for each in given]),
        whole_minutes(done.scaled, plan.scale),
        len({step.day for step in done.steps if step.value}),
        sum(step.selected for step in done.steps),
        done.scaled,
        plan.scale,
        partial(_lines, done, plan.scale),
        done.pending,
        version.convert,
    )
    return credited, done


def _lines(done: Walked, scale: int) -> tuple[CreditLine, ...]:
    lines = []
    for step in done.steps:
        record_id, served_on, _, _, claimed = step.record[:5]
        minutes = whole_minutes(step.value, scale)
        lines.append(CreditLine(record_id, served_on, claimed, minutes, tuple(step.why)))
    return tuple(lines)
