"""Deciding about one subject from its records: what counts, what it adds up to, and which grades follow.

A ruling goes in the order of a version's parts: credit, measures, tables, answers and schemes. Everything is
reckoned for one day from what was on record; the same version and records give the same ruling again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import attrs

from volunteerkit.rules.crediting import Credited, credit_each
from volunteerkit.rules.explain import explained_decision
from volunteerkit.rules.expression import CALENDAR, Expression, mentioned
from volunteerkit.rules.ladder import Assessment, assess_version, holds_in
from volunteerkit.rules.measures import Rules, Stream, looked_up, measured
from volunteerkit.rules.parts import Answer, Lookup, Measure, Scheme
from volunteerkit.rules.plan import Record
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.rules.schemes import Granting, awards_of, granting
from volunteerkit.units import day_number, day_of

__all__ = ["UNCREDITED", "Decision", "credited_stream", "decide", "way_of"]

UNCREDITED: Final = frozenset({"award", "revocation", "absence", "points", "misconduct", "redemption"})
"""Kinds of records that no way of crediting sees: they are no service, whatever it selects."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Decision:
    """What a rulebook says of one subject on one day.

    ``facts`` are all it knew or reckoned, dates as day numbers; ``grantings`` what each scheme says, by its
    name, the rulebook's main question first; ``answers`` its answers; ``missing`` the absent facts that leave
    something open. ``credited`` is None where the caller brought no records.
    """

    rulebook: str
    version: Version
    on: dt.date
    facts: Mapping[str, Any] = attrs.field(repr=False)
    credited: Credited | None = attrs.field(repr=False)
    grantings: Mapping[str, Granting]
    answers: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    untold: frozenset[str] = attrs.field(default=frozenset({CALENDAR}), repr=False)

    @property
    def assessment(self) -> Assessment | None:
        """The main question's conditions one by one, None where the rulebook has answers only."""
        if self.version.scheme is None:
            return None
        return assess_version(self.rulebook, self.version, self.facts)

    def explain(self, in_: str | None = None) -> str:
        """Return what each scheme and answer says, in language ``in_`` or the one in force."""
        return explained_decision(self, in_)

    def as_dict(self) -> dict[str, Any]:
        """Return the decision as JSON: with the same version and facts it can be replayed.

        The facts ``untold`` are left out: from a city's database those that say when somebody was born.
        """
        facts = {name: value for name, value in self.facts.items() if name not in self.untold}
        return {
            "rulebook": self.rulebook,
            "digest": self.version.digest,
            "citation": self.version.citation,
            "on": str(self.on),
            "facts": {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()},
            "schemes": {
                name: {
                    "eligible": None if each.eligible is None else list(each.eligible),
                    "held": each.held,
                    "grantable": list(each.grantable),
                }
                for name, each in self.grantings.items()
            },
            "answers": {
                name: str(value) if isinstance(value, dt.date) else list(value) if isinstance(value, tuple) else value
                for name, value in self.answers.items()
            },
            "missing": list(self.missing),
        }  # fmt: skip


def decide(
    rulebook: Rulebook,
    on: dt.date,
    *,
    records: Iterable[Record] | None = None,
    facts: Mapping[str, Any] | None = None,
    crediting: Version | None = None,
) -> Decision:
    """Decide about one subject as of day ``on`` under the version of ``rulebook`` in force then.

    ``records`` is its stream, later days left out; ``facts`` are those of the person and the rulebook's own,
    dates as day numbers. Minutes are credited by the version's own way, else by ``crediting``, else every
    record of the kind ``service`` counts as it is. Facts of totals (``credited_minutes`` …) come from the records unless they are
    given. Without records a measure has the value that ``facts`` give it, so that a kept decision's facts give it
    again. Raises InvalidValue when no version is in force yet, or crediting lacks a fact.

    >>> book = Rulebook.loads('''
    ... id = "example.medal"
    ... decides = "medal"
    ... [[version]]
    ... effective_from = 2020-01-01
    ... citation = "an example"
    ... measure.year_minutes = { sum = "minutes", from = "year_start(today, 1)" }
    ... step = [{ award = 1, when = "year_minutes >= 50 * 60" }]
    ... ''')
    >>> day = day_number(dt.date(2026, 3, 1))
    >>> decide(book, dt.date(2026, 11, 23), records=[Record(1, day, -1, 0, 3000)]).grantings["medal"].award
    1
    """
    version = rulebook.version_on(on)
    today = day_number(on)
    given = dict(facts or {})
    suspended = version.suspended_from is not None and on >= version.suspended_from
    known: dict[str, Any] = {
        name: fact.default for name, fact in version.facts.items() if fact.default is not None
    }
    known |= {**given, "today": today, "suspended": suspended}
    credited, stream = None, None
    if records is not None:
        listed = [record for record in records if record.served_on <= today]
        credited, stream = credited_stream(version, crediting, listed, given)
        known = {**_totals(credited, given, today), **known}
    made = _Making(version, stream, known)
    made.run()
    answers = {answer.name: made.answers[answer.name] for answer in version.answers}
    first = {version.scheme.name: made.grantings[version.scheme.name]} if version.scheme else {}
    missing = tuple(sorted(made.missing))
    return Decision(rulebook.id, version, on, made.known, credited, first | made.grantings, answers, missing)


def _totals(credited: Credited, given: Mapping[str, Any], today: int) -> dict[str, Any]:
    found = {
        "credited_minutes": credited.credited_minutes,
        "claimed_minutes": credited.claimed_minutes,
        "service_days": credited.service_days,
        "service_records": credited.service_records,
    }
    if "registered_on" in given:
        found["registered_days"] = today - given["registered_on"]
    return found


@cache
def _service_only() -> Version:
    text = """
        id = "service"
        decides = "credit"
        [[version]]
        effective_from = 0001-01-01
        citation = "every record of service counts as it is"
        select = "kind == 'service'"
    """
    return Rulebook.loads(text).versions[0]


def way_of(version: Version, crediting: Version | None) -> Version:
    """Return how minutes are credited: the version's own way, the caller's, or every service as it is."""
    return version.credit or crediting or _service_only()


def credited_stream(
    version: Version, crediting: Version | None, records: Sequence[Record], given: Mapping[str, Any]
) -> tuple[Credited, Stream]:
    """Credit the records that can be credited; the stream has all of them, each with its exact minutes."""
    way = way_of(version, crediting)
    eligible = [record for record in records if record.kind not in UNCREDITED]
    credited, done = credit_each(way, eligible, given)
    others = [record for record in records if record.kind in UNCREDITED]
    every = [step.record for step in done.steps] + others
    return credited, Stream(every, [step.value for step in done.steps] + [0] * len(others), credited.scale)


class _Making:
    """Reckons a version's parts one after the other; ``known`` grows with every one."""

    def __init__(self, version: Version, stream: Stream | None, known: dict[str, Any]) -> None:
        self.version, self.known = version, known
        self.stream, self.replayed = stream or Stream((), (), 1), stream is None
        rules: Rules | None = version.compiled.get("rules")
        self.rules = rules or version.compiled.setdefault("rules", Rules(version.functions))
        self.answers: dict[str, Any] = {}
        self.grantings: dict[str, Granting] = {}
        self.missing: set[str] = set()

    def run(self) -> None:
        for part in self.version.made:
            match part:
                case Measure() if self.replayed and part.name in self.known:
                    pass
                case Measure():
                    self._keep(
                        part.name,
                        self._try(lambda part=part: measured(part, self.stream, self.known, self.rules)),
                    )
                case Lookup():
                    for name, value in (
                        self._try(lambda part=part: looked_up(part, self.known, self.rules)) or {}
                    ).items():
                        self._keep(name, value)
                case Answer():
                    self._answer(part)
                case Scheme():
                    self.grantings[part.name] = found = self.granted(part)
                    if found.eligible is not None:
                        many = part.take == "all"
                        self._keep(part.name, len(found.eligible) if many else found.award)

    def _try(self, reckon: Any) -> Any:
        try:
            return reckon()
        except KeyError as absent:
            self._absent(absent.args[0])
            return None

    def _absent(self, name: str) -> None:
        """Note what is missing: not what was to be reckoned from it, but what nobody gave."""
        if name == CALENDAR or (name in self.version.facts and name not in self.version.makes):
            self.missing.add(name)

    def _keep(self, name: str, value: Any) -> None:
        if value is not None:
            self.known[name] = value

    def _holds(self, rule: Expression) -> bool | None:
        holds = holds_in(self.version, rule, self.known)
        if holds is None:
            for name in mentioned(rule):
                if name not in self.known:
                    self._absent(name)
        return holds

    def _answer(self, part: Answer) -> None:
        value: Any
        if part.rule is None:
            value = tuple(word for word, rule in part.words if self._holds(rule))
        elif part.gives == "bool":
            value = self._holds(part.rule)
        else:
            value = self._try(lambda: self.rules.of_subject(part.rule)(self.known))
        self._keep(part.name, value)
        self.answers[part.name] = day_of(value) if part.gives == "date" and value is not None else value

    def granted(self, scheme: Scheme) -> Granting:
        """Return what a scheme says with everything reckoned so far."""
        holding = {step.award: self._holds(step.when) for step in scheme.steps}
        awards = awards_of(scheme, self.stream.records, self.known["today"])
        free = scheme.grant_when is None or self._holds(scheme.grant_when) is True
        return granting(scheme, holding, awards, self.known, may_be_granted=free)
