"""Deciding about many subjects at once, on NumPy columns: what `deciding.decide` gives each of them.

Every fact is a column by subject with a mask of those who have it; a word is its place in a list of words.
Records stand in order of (subject, day), so that sums go by runs. What cannot go by columns (see `why_not`) is
decided one by one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs
import numpy as np

from volunteerkit.errors import InvalidValue
from volunteerkit.rules.deciding import Decision, decide
from volunteerkit.rules.expression import (
    CALENDAR,
    Mention,
)
from volunteerkit.rules.granted import Granted
from volunteerkit.rules.grouping import Known
from volunteerkit.rules.kernel import Column, Columns
from volunteerkit.rules.ladder import holds_in
from volunteerkit.rules.parts import Answer, Measure, Scheme
from volunteerkit.rules.reckoning import Run, needs_one
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.rules.schemes import Granting

__all__ = ["Decisions", "Granted", "Known", "decide_columns", "why_not"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Decisions:
    """What a version says of every subject: the columns of `deciding.Decision`.

    ``facts`` and ``answers`` are by name; an answer of words is a column of truth for every word. Codes are
    places in ``words``. ``one_by_one`` says why columns could not do it, empty where they did. Which absent
    fact leaves something open tells `deciding.decide`.
    """

    version: Version
    on: dt.date
    facts: Mapping[str, Known] = attrs.field(repr=False)
    grantings: Mapping[str, Granted] = attrs.field(repr=False)
    answers: Mapping[str, Known | Mapping[str, Column]] = attrs.field(repr=False)
    words: tuple[str, ...] = attrs.field(repr=False)
    one_by_one: str = ""


def decide_columns(
    rulebook: Rulebook,
    on: dt.date,
    subjects: int,
    *,
    records: Columns | None = None,
    facts: Mapping[str, Known | Column] | None = None,
    words: tuple[str, ...] = (),
    crediting: Version | None = None,
) -> Decisions:
    """Decide about subjects 0 … ``subjects`` - 1 as of day ``on``; equal to `deciding.decide` for each.

    ``records`` are columns of one length: ``volunteer`` (the subject), ``served_on``, ``claimed_minutes`` and
    whatever else rules mention of a record; ``facts`` are columns by subject. Words are codes into ``words``,
    -1 for any other. Raises InvalidValue as `deciding.decide` does, for a missing column, and for sums that
    could leave 64 bits.

    >>> book = Rulebook.loads('''
    ... id = "example.medal"
    ... decides = "medal"
    ... [[version]]
    ... effective_from = 2020-01-01
    ... citation = "an example"
    ... step = [{ award = 1, when = "credited_minutes >= 60" }]
    ... ''')
    >>> served = {"volunteer": [0, 1, 1], "served_on": [20_000] * 3, "claimed_minutes": [59, 30, 30]}
    >>> decide_columns(book, dt.date(2026, 11, 23), 2, records=served).grantings["medal"].award.tolist()
    [0, 1]
    """
    version = rulebook.version_on(on)
    given = {
        name: each if isinstance(each, Known) else Known(np.asarray(each), np.ones(subjects, bool))
        for name, each in (facts or {}).items()
    }
    columns = None if records is None else {name: np.asarray(column) for name, column in records.items()}
    for name in ("volunteer", "served_on", "claimed_minutes") if columns is not None else ():
        if name not in columns:  # type: ignore[operator]
            raise InvalidValue("columns_missing", name=name)
    run = Run(version, crediting, on, subjects, columns, given, words)
    reason = why_not(version)
    if reason:
        return _one_by_one(rulebook, run, reason)
    try:
        run.credit()
        run.make()
    except InvalidValue as refused:
        if not refused.code.startswith("rule_"):  # a column that is wrong, not a rule's own value
            raise
        # one by one, an absent fact may keep a subject from what is refused here for all of them
        return _one_by_one(rulebook, run, refused.code)
    return Decisions(version, on, run.known, run.grantings, run.answers, run.words)


def why_not(version: Version) -> str:
    """Say why a version cannot go by columns, empty where it can: the rule or the part that is in the way."""
    for part in version.made:
        if isinstance(part, Measure) and part.how == "balance":
            return f"balance: {part.name}"
        if isinstance(part, Answer) and part.gives == "word" and not isinstance(part.rule, Mention):
            return str(part.rule)
        for rule in part.rules:
            if needs_one(rule, version):
                return str(rule)
    return ""


def _one_by_one(rulebook: Rulebook, run: Run, reason: str) -> Decisions:
    """Decide about one subject after the other and put the answers in columns."""
    own = run.records_of_each() if run.records is not None else [None] * run.count
    found = [
        decide(rulebook, run.on, records=records, facts=run.given_of(i), crediting=run.crediting)
        for i, records in enumerate(own)
    ]
    names = {name for each in found for name, value in each.facts.items() if not isinstance(value, tuple)}
    facts = {
        name: run.gathered([each.facts.get(name) for each in found]) for name in sorted(names - {CALENDAR})
    }
    answers: dict[str, Known | Mapping[str, Column]] = {}
    for part in run.version.answers:
        given = [each.answers[part.name] for each in found]
        if part.rule is None:
            answers[part.name] = {
                word: np.array([word in one for one in given], bool) for word, _ in part.words
            }
        else:
            answers[part.name] = run.gathered(given)
    schemes = [part for part in run.version.made if isinstance(part, Scheme)]
    grantings = {part.name: _granted_each(part, found) for part in schemes}
    return Decisions(run.version, run.on, facts, grantings, answers, run.words, reason)


def _granted_each(part: Scheme, found: list[Decision]) -> Granted:
    each, numbers = [decision.grantings[part.name] for decision in found], [step.award for step in part.steps]

    def by_step(rows: list[list[bool]]) -> Column:
        return np.array(rows, bool).reshape(len(each), len(numbers))

    def valid(grade: str, one: Granting, today: int) -> bool:
        mine = [award for award in one.awards if award.grade == grade and not award.revoked]
        return any(award.until is None or today <= award.until for award in mine)

    return Granted(
        part,
        by_step([[number in (one.eligible or ()) for number in numbers] for one in each]),
        np.array([one.eligible is None for one in each], bool),
        np.array([one.held for one in each], np.int64),
        by_step([[number in one.grantable for number in numbers] for one in each]),
        by_step([[valid(step.grade or str(step.award), one, decision.facts["today"]) for step in part.steps]
                 for one, decision in zip(each, found, strict=True)]),
        by_step([[holds_in(decision.version, step.when, decision.facts) is not False for step in part.steps]
                 for decision in found]),
    )  # fmt: skip
