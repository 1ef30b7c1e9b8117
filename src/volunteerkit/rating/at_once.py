"""A ladder that looks at records, run over the whole city at once on columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from volunteerkit.errors import InvalidValue
from volunteerkit.hours.crediting import person_facts
from volunteerkit.rating.model import Standing
from volunteerkit.rating.stream import Run
from volunteerkit.rules import FACTS, Record
from volunteerkit.rules.columns import Granted, Known, decide_columns, why_not
from volunteerkit.rules.deciding import UNCREDITED
from volunteerkit.rules.expression import CALENDAR

__all__ = ["rated_at_once"]

_ALWAYS: Final = ("served_on", "start_minute", "clock_minutes", "claimed_minutes", "kind")


def __dir__() -> list[str]:
    return __all__


def rated_at_once(
    run: Run, people: Sequence[Any], question: str, totals: Sequence[str]
) -> tuple[list[Standing], dict[str, list[int]]] | None:
    """Return everybody's standing and totals as `Run.decide` gives them one by one; None where columns cannot.

    ``people`` are rows (id, number, registered_on, adult_on).
    """
    others = [record for its in run.streams.others.values() for record in its]
    if why_not(run.version) or CALENDAR in run.asked:
        return None
    if run.version.credit is None and any(record.kind not in UNCREDITED for record in others):
        return None
    own = [_records(run, person[0]) for person in people]
    words: dict[str, int] = {}
    columns = _columns(run, own, words)
    if columns is None:
        return None
    asked = {*run.asked, "registered_on"}
    given = [person_facts(person[2], person[3]) for person in people]
    facts = {
        name: Known(
            np.array([each.get(name, 0) for each in given], np.int64),
            np.array([name in each for each in given], bool),
        )
        for name in asked & {name for each in given for name in each}
    }
    try:
        found = decide_columns(run.rulebook, run.day, len(people), records=columns, facts=facts, words=tuple(words),
                               crediting=run.crediting)  # fmt: skip
    except InvalidValue as error:
        if error.code != "fact_missing":
            raise
        return None  # what counts is not known of somebody: one by one everybody else is still decided about
    listed = {name: found.facts[name].values.tolist() for name in totals}
    return _standings(found.grantings[question]), listed


def _records(run: Run, id_: int) -> list[Record]:
    granted = [record for each in run.awards for record in each.get(id_, [])]
    return [*run.streams.service.get(id_, []), *run.streams.others.get(id_, []), *granted]


def _columns(run: Run, own: Sequence[Sequence[Record]], words: dict[str, int]) -> dict[str, Any] | None:
    """Put the records in columns, words as places in ``words``; None where some lack a fact that rules ask for."""
    every = [record for its in own for record in its]
    columns: dict[str, list[Any]] = {
        name: [getattr(record, name) for record in every]
        for name in Record._fields
        if name in _ALWAYS or (name in run.asked and name not in ("facts", "record_id"))
    }
    beside = {name for record in every for name in record.facts if name in run.asked} | {"scheme", "grade"}
    for name in beside:
        fact = run.version.facts.get(name) or FACTS.get(name)
        default = fact.default if fact is not None else None
        columns[name] = [record.facts.get(name, default) for record in every]
        if any(value is None or isinstance(value, tuple) for value in columns[name]):
            return None
    made: dict[str, Any] = {"volunteer": np.repeat(np.arange(len(own)), [len(its) for its in own])}
    for name, values in columns.items():
        if values and isinstance(values[0], str):
            values = [words.setdefault(value, len(words)) for value in values]
        made[name] = np.array(values, bool if values and isinstance(values[0], bool) else np.int64)
    return made


def _standings(found: Granted) -> list[Standing]:
    """Return what `model.standing` says of each subject."""
    kept = found.highest(found.valid & found.conceivable)
    if found.scheme.take == "highest":  # who may have a higher grade may have a lower one
        kept = np.minimum(found.highest(found.valid), found.highest(found.conceivable))
    grantable = found.grantable & ~found.valid if found.scheme.take == "all" else found.grantable
    numbers = [step.award for step in found.scheme.steps]
    rows = zip(found.undetermined.tolist(), kept.tolist(), found.award.tolist(), found.highest(found.valid).tolist(),
               grantable.tolist(), strict=True)  # fmt: skip
    return [
        Standing(None if undetermined and not stays else max(stays, award), held,
                 tuple(number for number, may in zip(numbers, row, strict=True) if may))
        for undetermined, stays, award, held, row in rows
    ]  # fmt: skip
