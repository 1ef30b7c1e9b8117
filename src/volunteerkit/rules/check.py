"""Checks: named answers to questions about one matter, such as a deadline or what a certificate must show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from volunteerkit.errors import InvalidValue, did_you_mean
from volunteerkit.rules.expression import CALENDAR, All, Expression, Mention, mentioned
from volunteerkit.rules.ladder import bound_in, holds_in
from volunteerkit.rules.parts import Answer
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.units import day_number, day_of

__all__ = ["Ruling", "check"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Ruling:
    """The answers of a check: whole numbers, truth values, words and dates; None where one is undetermined.

    ``missing`` names what keeps an answer from being given or from being yes: facts that are absent, and
    facts that a condition needs and that are not so.
    """

    rulebook: str
    version: Version
    answers: tuple[tuple[str, Any], ...]
    missing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the ruling as JSON; dates are texts such as ``"2024-03-18"``."""
        return {
            "rulebook": self.rulebook,
            "digest": self.version.digest,
            "citation": self.version.citation,
            "answers": {
                name: str(value) if isinstance(value, dt.date) else value for name, value in self.answers
            },
            "missing": list(self.missing),
        }


def check(
    rulebook: Rulebook, facts: Mapping[str, Any], on: dt.date, *, answers: Collection[str] | None = None
) -> Ruling:
    """Answer the questions of ``rulebook`` as in force on day ``on``; ``answers`` names some of them.

    ``facts`` are whole numbers, truth values, words, dates as day numbers, and for terms in working days a
    `volunteerkit.clock.Calendar` as ``calendar``. An absent one has its declared default. Raises InvalidValue
    when no version is in force yet, and for a question that the rulebook does not have.

    >>> book = Rulebook.loads('''
    ... id = "example.record"
    ... decides = "check"
    ... [[version]]
    ... effective_from = 2021-02-01
    ... citation = "an example"
    ... answer = { fits = "service_days >= 3", days_left = "greatest(30 - service_days, 0)" }
    ... ''')
    >>> check(book, {"service_days": 24}, dt.date(2026, 11, 23)).answers
    (('fits', True), ('days_left', 6))
    >>> check(book, {}, dt.date(2026, 11, 23), answers=["fits"]).missing
    ('service_days',)
    """
    version = rulebook.version_on(on)
    known = [answer.name for answer in version.answers]
    for name in answers or ():
        if name not in known:
            near = did_you_mean(name, known)
            raise InvalidValue(
                "answer_unknown", name=name, rulebook=rulebook.id, known=", ".join(known), near=near
            )
    made = set(version.makes)
    filled = {name: facts.get(name, fact.default) for name, fact in version.facts.items() if name not in made}
    filled["today"] = facts.get("today", day_number(on))
    filled = {name: value for name, value in filled.items() if value is not None}
    found: dict[str, tuple[Any, set[str]]] = {}
    for answer in (part for part in version.made if isinstance(part, Answer)):
        value, lacking = _answered(version, answer, filled)
        # what keeps an answer from being given may be another answer: then it is what keeps that one
        base = {name for each in lacking for name in (found[each][1] or {each} if each in found else {each})}
        found[answer.name] = day_of(value) if answer.gives == "date" and value is not None else value, base
        if value is not None:
            filled[answer.name] = value
    asked = [name for name in known if answers is None or name in answers]
    missing = {name for each in asked for name in found[each][1]}
    given = tuple((name, found[name][0]) for name in asked)
    return Ruling(rulebook.id, version, given, tuple(sorted(missing)))


def _answered(version: Version, answer: Answer, facts: Mapping[str, Any]) -> tuple[Any, set[str]]:
    if answer.rule is None:
        holding = [(word, holds_in(version, rule, facts)) for word, rule in answer.words]
        lacking = {name for _, rule in answer.words for name in set(mentioned(rule)) - set(facts)}
        return tuple(word for word, holds in holding if holds), lacking
    absent = set(mentioned(answer.rule)) - set(facts)
    if answer.gives == "bool":
        value: Any = holds_in(version, answer.rule, facts)
        lacking = set() if value else _lacking(version, answer.rule, facts)
        return value, lacking or ({CALENDAR} if value is None else set())
    if absent:
        return None, absent
    try:
        value = bound_in(version, answer.rule).on(facts)
    except KeyError as missing:
        if missing.args[0] != CALENDAR:
            raise
        return None, {CALENDAR}  # its years were not published so far
    return value, absent


def _lacking(version: Version, rule: Expression, facts: Mapping[str, Any]) -> set[str]:
    """Return the absent facts and the plain yes-or-no facts that keep a condition from holding."""
    if holds_in(version, rule, facts):
        return set()
    if isinstance(rule, All):
        return {name for item in rule.items for name in _lacking(version, item, facts)}
    return {rule.name} if isinstance(rule, Mention) else set(mentioned(rule)) - set(facts)
