"""Counter-examples as people read them: a small table of records, the facts, what was expected and found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from volunteerkit.messages import text
from volunteerkit.rules.expression import CALENDAR
from volunteerkit.rules.facts import FACTS
from volunteerkit.rules.plan import Record
from volunteerkit.testing.strategies import Subject
from volunteerkit.units import day_of, hours_text

__all__ = ["Broken"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Broken:
    """A counter-example: the rulebook's version, somebody it went wrong with, what was expected and found."""

    rulebook: str
    effective_from: dt.date | None
    expected: Any
    found: Any
    subject: Subject | None = None
    note: str = ""
    values: Mapping[str, Any] = attrs.field(factory=dict)

    def lines(self, in_: str | None = None) -> tuple[str, ...]:
        """Return it as people read it, in language ``in_`` or the one in force."""
        since = f" · {self.effective_from}" if self.effective_from else ""
        told = [f"{self.rulebook}{since}"]
        if self.note:
            told += [text(self.note, in_, **self.values)]
        if self.subject is not None:
            told += [text("law_as_of", in_, day=self.subject.on)]
            told += _table(self.subject.records, in_)
            told += [text("law_facts", in_, facts=facts)] if (facts := _facts(self.subject.facts)) else []
        told += [text("law_expected", in_, value=self.expected), text("law_found", in_, value=self.found)]
        return tuple(told)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        told: dict[str, Any] = {"rulebook": self.rulebook, "expected": self.expected, "found": self.found}
        if self.effective_from:
            told["effective_from"] = str(self.effective_from)
        if self.note:
            told["note"] = text(self.note, "en", **self.values)
        if self.subject is not None:
            told |= {
                "on": str(self.subject.on),
                "records": [_plain(each) for each in self.subject.records],
                "facts": {name: each for name, each in self.subject.facts.items() if name != CALENDAR},
            }
        return told


def _plain(record: Record) -> dict[str, Any]:
    found = {**record._asdict(), **record.facts, "served_on": str(day_of(record.served_on))}
    return {
        name: value for name, value in found.items() if name not in ("record_id", "facts") and value != ""
    }


def _table(records: Sequence[Record], in_: str | None) -> Iterator[str]:
    """Yield a small table, alike records of days one after the other in one line."""
    if not records:
        yield text("law_no_records", in_)
        return
    groups: list[list[Record]] = []
    for record in sorted(records, key=lambda each: (-each.served_on, each.start_minute)):
        last = groups[-1][-1] if groups else None
        same = last is not None and last._replace(record_id=0, served_on=0) == record._replace(
            record_id=0, served_on=0
        )
        if same and last is not None and last.served_on == record.served_on + 1:
            groups[-1].append(record)
        else:
            groups.append([record])
    for group in groups:
        first, last = group[-1], group[0]
        days = (
            str(day_of(first.served_on))
            if first is last
            else f"{day_of(first.served_on)} … {day_of(last.served_on)}"
        )
        times = f" × {len(group)}" if len(group) > 1 else ""
        clock = (
            f"{first.start_minute // 60:02}:{first.start_minute % 60:02}"
            if first.start_minute >= 0
            else "--:--"
        )
        words = (first.kind, first.category, first.project, first.organization, first.method,
                 *(f"{name}={value}" for name, value in first.facts.items()))  # fmt: skip
        told = " ".join(each for each in words if each)
        yield f"  {days}  {clock}  {hours_text(first.claimed_minutes, in_)}{times}  {told}"


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_said(name, value)}" for name, value in facts.items() if name != CALENDAR)


def _said(name: str, value: Any) -> str:
    fact = FACTS.get(name)
    if fact is not None and fact.type == "date" and type(value) is int:
        return str(day_of(value))
    return str(value)
