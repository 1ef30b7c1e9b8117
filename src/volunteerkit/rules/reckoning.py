"""A version's parts reckoned for all subjects at once, on NumPy columns; see `columns`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from volunteerkit.errors import InvalidValue
from volunteerkit.rules.binding import BoundRule, bind
from volunteerkit.rules.deciding import UNCREDITED, credited_stream, way_of
from volunteerkit.rules.expression import (
    All,
    Among,
    Apply,
    Call,
    Expression,
    Literal,
    Member,
    Mention,
    Not,
    Some,
    mentioned,
)
from volunteerkit.rules.facts import FACTS, PERSON_FACTS
from volunteerkit.rules.granted import NEVER, Granted, granted
from volunteerkit.rules.grouping import Known, changes, order_of, over_groups
from volunteerkit.rules.kernel import Column, Columns, record_values
from volunteerkit.rules.parts import PERIODS, Answer, Lookup, Measure, Scheme
from volunteerkit.rules.plan import Record, by_days
from volunteerkit.rules.rulebook import Version
from volunteerkit.rules.schemes import AWARD, REVOCATION
from volunteerkit.rules.unpacking import records_of, said
from volunteerkit.units import day_number

__all__ = ["Run", "needs_one"]

# A rule that may refuse a number must not see those its ``choose`` leaves out.
_MAY_REFUSE: Final = frozenset({"months_after", "year_start", "new_year"})


def __dir__() -> list[str]:
    return __all__


def needs_one(rule: Expression, version: Version) -> bool:
    """Tell whether a rule cannot be reckoned for all subjects at once."""
    return any(_stops(node, version) for node in _nodes(rule))


def _stops(node: Expression, version: Version) -> bool:
    match node:
        case Among() | Call("working_days_after"):
            return True
        case Call("choose", (_, *branches)):
            inside = [each for branch in branches for each in _nodes(branch)]
            return any(
                (isinstance(each, Call) and (each.name in _MAY_REFUSE or each.name in version.functions))
                or (isinstance(each, Literal) and isinstance(each.value, str))
                for each in inside
            )  # fmt: skip
        case Call(name):
            return name in version.functions and version.functions[name].many is None
    return False


def _nodes(rule: Expression) -> Iterator[Expression]:
    yield rule
    for part in _parts(rule):
        yield from _nodes(part)


def _parts(rule: Expression) -> tuple[Expression, ...]:
    match rule:
        case Apply(_, left, right) | Among(left, right):
            return left, right
        case All(items) | Some(items) | Call(_, items):
            return items
        case Not(item) | Member(item):
            return (item,)
    return ()


class Run:
    """Reckons a version's parts one after the other for all subjects; ``known`` grows with every one."""

    def __init__(
        self,
        version: Version,
        crediting: Version | None,
        on: dt.date,
        count: int,
        records: Columns | None,
        given: dict[str, Known],
        words: tuple[str, ...],
    ) -> None:
        self.version, self.on, self.count, self.today = version, on, count, day_number(on)
        self.way, self.crediting, self.given = way_of(version, crediting), crediting, given
        of_file = {fact.name: fact for fact in version.declared}
        declared = {**FACTS, **of_file, **version.facts, **self.way.facts}
        self.word_facts = {name for name, fact in declared.items() if fact.type == "word"}
        self.word_facts |= {
            part.name for part in version.made if isinstance(part, Answer) and part.gives == "word"
        }
        defaults = [fact.default for fact in declared.values() if isinstance(fact.default, str)]
        of_schemes = [
            word for part in version.made if isinstance(part, Scheme)
            for word in (part.name, *(step.grade or str(step.award) for step in part.steps))
        ]  # fmt: skip
        used = (*words, "", "service", *sorted(UNCREDITED), *defaults, *of_schemes)
        self.words = tuple(dict.fromkeys(used))
        self.codes = {word: code for code, word in enumerate(self.words)}
        self.records = records
        self.rules: dict[Expression, BoundRule] = {}
        self.known = self._begin()
        self.grantings: dict[str, Granted] = {}
        self.answers: dict[str, Known | Mapping[str, Column]] = {}

    def _begin(self) -> dict[str, Known]:
        """Return what is known before anything is reckoned."""
        version, known = self.version, dict[str, Known]()
        for name, fact in version.facts.items():
            if fact.default is not None and not isinstance(fact.default, tuple):
                known[name] = self._all(fact.default)
        known |= {name: each.over(known.get(name)) for name, each in self.given.items()}
        suspended = version.suspended_from is not None and self.on >= version.suspended_from
        return known | {"today": self._all(self.today), "suspended": self._all(suspended)}

    def _all(self, value: Any) -> Known:
        code = self.codes[value] if isinstance(value, str) else value
        return Known(np.full(self.count, code), np.ones(self.count, bool))

    # Records and what they count

    def credit(self) -> None:
        """Order the records up to the day asked for, and give each the minutes it counts."""
        self.columns: dict[str, Column] = {}
        self.who = self.values = np.zeros(0, np.int64)
        self.scale, empty = 1, np.zeros(0, np.int64)
        if self.records is None:
            self.columns = {"served_on": empty, "claimed_minutes": empty}
            return
        wide = {name: each.astype(np.int64, copy=False) if each.dtype.kind in "iu" else each
                for name, each in self.records.items()}  # fmt: skip
        if (late := wide["served_on"] > self.today).any():
            wide = {name: each[~late] for name, each in wide.items()}
        plain = [self.codes[word] for word in UNCREDITED]
        service = ~np.isin(wide["kind"], plain) if "kind" in wide else np.ones(len(wide["served_on"]), bool)
        begins = np.where(service, wide.get("start_minute", -1), -1)
        # stable: of records that begin together the first one given counts
        order = order_of(wide["volunteer"], wide["served_on"], begins)
        self.columns = {name: each[order] for name, each in wide.items()}
        self.who, service = self.columns.pop("volunteer"), service[order]
        if len(self.who) and not (self.who[0] >= 0 and self.who[-1] < self.count):
            raise InvalidValue("columns_volunteer", volunteers=self.count)
        totals = self._credit_columns(service)
        if totals is None:
            totals = self._credit_each()
        registered = self.given.get("registered_on")
        if registered is not None:
            totals["registered_days"] = Known(self.today - registered.values, registered.there)
        for name, total in totals.items():
            self.known[name] = self.known[name].over(total) if name in self.known else total

    def _credit_columns(self, service: Column) -> dict[str, Known] | None:
        """Credit all records at once; None where that needs them one by one."""
        way, rows = self.way, np.flatnonzero(service)
        people = {name: each for name, fact in way.facts.items() if (each := self._of_person(name, fact.default)) is not None}  # fmt: skip
        names = {*way.mentions, "served_on", "claimed_minutes", "start_minute", "clock_minutes"}
        ready = all(name in people or self._column(name) is not None for name in way.mentions)
        if not by_days(way) or not ready or any(needs_one(rule, way) for rule in way.rules):
            return None
        part = {name: each[rows] for name in names if name not in PERSON_FACTS and (each := self._column(name)) is not None}  # fmt: skip
        part["volunteer"] = self.who[rows]
        self.values = np.zeros(len(self.who), np.int64)
        counted = service
        if len(rows):
            vocabulary = dict.fromkeys(sorted(self.word_facts), self.words)
            plan, keep, value = record_values(way, part, people, self.count, vocabulary)
            self.scale = plan.scale
            self.values[rows] = _of_days(plan, part, people, value)
            if keep is not None:
                counted = service.copy()
                counted[rows] = keep
        days = changes(self.who, self.columns["served_on"])
        starts = np.flatnonzero(days)
        served = np.logical_or.reduceat(self.values > 0, starts) if len(starts) else np.zeros(0, bool)
        return {
            "credited_minutes": self._total(self.values, self.scale),
            "claimed_minutes": self._total(np.where(service, self.columns["claimed_minutes"], 0)),
            "service_days": self._counted(self.who[starts][served]),
            "service_records": self._counted(self.who[counted]),
        }

    def _of_person(self, name: str, default: Any) -> Column | None:
        """Return a fact of all persons as a way of crediting sees it, None where it is not known of all."""
        found = self.given.get(name)
        if default is not None and not isinstance(default, tuple):
            found = self._all(default) if found is None else found.over(self._all(default))
        return found.values if found is not None and found.there.all() else None

    def _credit_each(self) -> dict[str, Known]:
        """Credit subject by subject, by what `deciding.decide` does."""
        self.values = np.zeros(len(self.who), np.int64)
        totals = np.zeros((4, self.count), np.int64)
        for i, own in enumerate(self._records({"volunteer": self.who, **self.columns})):
            credited, stream = credited_stream(self.version, self.crediting, own, self.given_of(i))
            self.scale = stream.scale if own else self.scale
            self.values[[record.record_id for record in stream.records]] = stream.values
            totals[:, i] = (credited.credited_minutes, credited.claimed_minutes, credited.service_days,
                            credited.service_records)  # fmt: skip
        names = ("credited_minutes", "claimed_minutes", "service_days", "service_records")
        return {
            name: Known(total, np.ones(self.count, bool)) for name, total in zip(names, totals, strict=True)
        }

    def _records(self, columns: Columns) -> list[list[Record]]:
        vocabulary = {name: self.words for name in columns if name in self.word_facts}
        listed = {name: column.tolist() for name, column in columns.items()}
        return records_of(listed, self.count, None, vocabulary)

    def records_of_each(self) -> list[list[Record]]:
        """Return every subject's records in the order given."""
        return self._records(self.records or {})

    def gathered(self, values: list[Any]) -> Known:
        """Return what single decisions say as a column; None is absent."""
        plain = [day_number(value) if isinstance(value, dt.date) else self.codes.get(value, -1)
                 if isinstance(value, str) else value for value in values]  # fmt: skip
        kind = bool if any(isinstance(value, bool) for value in plain) else np.int64
        return Known(
            np.array([value or 0 for value in plain], kind), np.array([v is not None for v in plain])
        )

    def given_of(self, i: int) -> dict[str, Any]:
        """Return the facts a subject was given, words as words."""
        found = {name: each.values[i].item() for name, each in self.given.items() if each.there[i]}
        return {
            name: said([value], self.words if name in self.word_facts else None)[0]
            for name, value in found.items()
        }

    def _total(self, values: Column, scale: int = 1) -> Known:
        starts = np.flatnonzero(changes(self.who))
        found = np.zeros(self.count, np.int64)
        if len(starts):
            found[self.who[starts]] = np.add.reduceat(values, starts)
        return Known(found // scale, np.ones(self.count, bool))

    def _counted(self, who: Column) -> Known:
        return Known(np.bincount(who, minlength=self.count), np.ones(self.count, bool))

    def _column(self, name: str) -> Column | None:
        """Return a column of the records, a field's own default where the caller left it out."""
        found = self.columns.get(name)
        if found is None and (name in Record._field_defaults or name in ("start_minute", "clock_minutes")):
            default: Any = {"start_minute": -1, "clock_minutes": 0, **Record._field_defaults}[name]
            if name != "facts":
                found = np.full(len(self.who), self.codes[default] if isinstance(default, str) else default)
        return found

    # Rules

    def _value(self, rule: Expression, count: int, fact: Callable[[str], Known]) -> Known:
        """Return a rule's values, and where all facts are there that it needs."""
        facts = {name: fact(name) for name in mentioned(rule)}
        there = self._there(rule, facts, count)
        return self._on(rule, facts, there)

    def _on(self, rule: Expression, facts: Mapping[str, Known], there: Column) -> Known:
        if rule not in self.rules:
            vocabulary = dict.fromkeys(self.word_facts, self.words)
            self.rules[rule] = bind(rule, self.version.functions, "numpy", vocabulary)
        bound, some = self.rules[rule], not there.all()
        found = np.asarray(bound.on({name: facts[name].values[there] if some else facts[name].values
                                     for name in bound.names}))  # fmt: skip
        values = np.zeros(len(there), bool if found.dtype == bool else np.int64)
        values[there if some else slice(None)] = found
        return Known(values, there)

    def _there(self, rule: Expression, facts: Mapping[str, Known], count: int) -> Column:
        """Tell where a rule can be reckoned: a ``choose`` needs only what it chooses."""
        absent = [name for name in mentioned(rule) if not facts[name].there.all()]
        if not absent:
            return np.ones(count, bool)
        if isinstance(rule, Mention):
            return facts[rule.name].there
        parts = [self._there(part, facts, count) for part in _parts(rule)]
        if isinstance(rule, Call) and rule.name == "choose":
            holds = self._on(rule.arguments[0], facts, parts[0]).values.astype(bool)
            chosen: Column = parts[0] & np.where(holds, parts[1], parts[2])
            return chosen
        together: Column = np.logical_and.reduce(parts)
        return together

    def _holds(self, rule: Expression) -> Known:
        """Return whether a condition holds, and where that is settled, as `ladder.holds_in` does."""
        match rule:
            case All(items) | Some(items):
                parts, settled = [self._holds(item) for item in items], isinstance(rule, Some)
                one = np.logical_or.reduce([part.there & (part.values == settled) for part in parts])
                return Known(one == settled, one | np.logical_and.reduce([part.there for part in parts]))
            case Not(item):
                part = self._holds(item)
                return Known(~part.values, part.there)
        facts = {name: self._fact(name) for name in mentioned(rule)}
        there = np.logical_and.reduce([each.there for each in facts.values()])
        found = self._on(rule, facts, there)
        return Known(found.values.astype(bool), there)

    def _true(self, rule: Expression) -> Column:
        found = self._holds(rule)
        true: Column = found.values & found.there
        return true

    def _fact(self, name: str, who: Column | None = None) -> Known:
        found = self.known.get(name)
        if found is None:
            size = self.count if who is None else len(who)
            return Known(np.zeros(size, np.int64), np.zeros(size, bool))
        return found if who is None else Known(found.values[who], found.there[who])

    def _of_subjects(self, rule: Expression, who: Column | None = None, value: Column | None = None) -> Known:
        """Return a rule's values for subjects, perhaps with the ``value`` of a group of theirs."""
        size = self.count if who is None else len(who)

        def fact(name: str) -> Known:
            if name == "value" and value is not None:
                return Known(value, np.ones(size, bool))
            return self._fact(name, who)

        return self._value(rule, size, fact)

    def _of_records(self, rule: Expression, rows: Column) -> Known:
        def fact(name: str) -> Known:
            if name == "minutes":
                return Known(self.values[rows] // self.scale, np.ones(len(rows), bool))
            column = self._column(name) if name not in PERSON_FACTS else None
            return (
                self._fact(name, self.who[rows])
                if column is None
                else Known(column[rows], np.ones(len(rows), bool))
            )

        return self._value(rule, len(rows), fact)

    # The parts

    def make(self) -> None:
        """Reckon every part in its order."""
        for part in self.version.made:
            match part:
                case Measure():
                    self._keep(part.name, self._measure(part))
                case Lookup():
                    self._lookup(part)
                case Answer():
                    self._answer(part)
                case Scheme():
                    self._scheme(part)

    def _keep(self, name: str, found: Known) -> None:
        self.known[name] = found.over(self.known.get(name))

    def _measure(self, part: Measure) -> Known:
        """Choose the records between a measure's days and put them together group by group."""
        failed, rows, days = np.zeros(self.count, bool), np.arange(len(self.who)), self.columns["served_on"]
        last = np.full(self.count, self.today)
        if part.first_day is not None:
            first = self._of_subjects(part.first_day)
            failed |= ~first.there
            rows = rows[days[rows] >= (first.values + part.after)[self.who[rows]]]
        if part.last_day is not None:
            until = self._of_subjects(part.last_day)
            failed |= ~until.there
            last = np.where(until.there, np.minimum(until.values - part.before, last), last)
            rows = rows[days[rows] <= last[self.who[rows]]]
        rows = rows[~failed[self.who[rows]]] if failed.any() else rows
        if part.where is not None:
            holds = self._of_records(part.where, rows)
            failed[self.who[rows[~holds.there]]] = True
            rows = rows[holds.there & holds.values.astype(bool)]
        rules: dict[str, Expression] = {} if part.of is None else {"of": part.of}
        rules |= {
            name: Mention(name) for name in (part.per, part.distinct) if name not in ("", "days", *PERIODS)
        }
        found_of = {name: self._of_records(rule, rows) for name, rule in rules.items()}
        for each in found_of.values():
            failed[self.who[rows[~each.there]]] = True
        good = ~failed[self.who[rows]]
        rows, columns = rows[good], {name: each.values[good] for name, each in found_of.items()}
        if part.how == "sum" and part.of is None:
            columns["of"] = self.values[rows]
        found = over_groups(
            part, self.who[rows], days[rows], columns, self.scale, last, failed, self._of_subjects
        )
        if part.otherwise is not None:
            found = found.over(self._all(part.otherwise))
        return Known(found.values, found.there & ~failed)

    def _lookup(self, part: Lookup) -> None:
        key, row = self._fact(part.by), np.full(self.count, -1)
        for i, each in enumerate(part.rows):
            if each.is_:
                listed = [self.codes.get(one, -2) if isinstance(one, str) else one for one in each.is_]
                fits = np.isin(key.values, listed)
            else:
                fits = key.values >= each.from_ if each.from_ is not None else row < 0
            row[fits & key.there] = i
        values = np.zeros((len(part.columns), self.count), np.int64)
        there = np.zeros(self.count, bool)
        for i, each in enumerate(part.rows):
            who = np.flatnonzero(row == i)
            if len(who):
                found = [self._of_subjects(rule, who) for rule in each.values]
                values[:, who] = [one.values for one in found]
                there[who] = np.logical_and.reduce([one.there for one in found])
        for name, column in zip(part.columns, values, strict=True):
            self._keep(name, Known(column, there))

    def _answer(self, part: Answer) -> None:
        if part.rule is None:
            self.answers[part.name] = {word: self._true(rule) for word, rule in part.words}
            return
        found = self._holds(part.rule) if part.gives == "bool" else self._of_subjects(part.rule)
        self.answers[part.name] = found
        self._keep(part.name, found)

    def _scheme(self, part: Scheme) -> None:
        holding = [self._holds(step.when) for step in part.steps]
        given = [self._granted_on(part, step.grade or str(step.award)) for step in part.steps]
        free = self.known["suspended"].values == False  # noqa: E712
        if part.grant_when is not None:
            free &= self._true(part.grant_when)
        found = granted(part, holding, given, self.today, free)
        self.grantings[part.name] = found
        value = found.eligible.sum(axis=1) if part.take == "all" else found.award
        self._keep(part.name, Known(value, ~found.undetermined))

    def _granted_on(self, part: Scheme, grade: str) -> Column:
        """Return the day a grade was last granted for good, long ago where it was not."""
        kinds, schemes, grades = (self.columns.get(name) for name in ("kind", "scheme", "grade"))
        if kinds is None or schemes is None or grades is None:
            return np.full(self.count, NEVER)
        mine = (schemes == self.codes[part.name]) & (grades == self.codes[grade])
        granted_in, revoked_in = (
            self._last_row(mine & (kinds == self.codes[kind])) for kind in (AWARD, REVOCATION)
        )
        live = granted_in >= 0 if part.loss == "never" else granted_in > revoked_in
        days = self.columns["served_on"]
        return np.where(live, days[granted_in], NEVER) if len(days) else np.full(self.count, NEVER)

    def _last_row(self, which: Column) -> Column:
        """Return each subject's last such record, -1 for none; records are in order of day."""
        found, rows = np.full(self.count, -1), np.flatnonzero(which)
        found[self.who[rows]] = rows
        return found


def _of_days(plan: Any, part: Columns, people: Columns, value: Column) -> Column:
    """Hold each day's minutes under its limit, which its last records lose, and give it its percentage."""
    who, day = part["volunteer"], part["served_on"]

    def on(rule: Any) -> Any:
        return rule.on({name: day if name == "served_on" else people[name][who] for name in rule.rule.names})

    if plan.at_most is not None:
        starts = np.flatnonzero(changes(who, day))
        before = np.cumsum(value) - value
        before -= np.repeat(before[starts], np.diff(starts, append=len(value)))
        value = np.clip(on(plan.at_most) * plan.record_scale - before, 0, value)
    return value if plan.percent is None else value * on(plan.percent)
