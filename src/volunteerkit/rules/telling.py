"""A rulebook in sentences: every part of a version, in the order in which it is applied, for officials to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from volunteerkit import messages
from volunteerkit.rules.expression import Call, Expression, Fact, Mention
from volunteerkit.rules.parts import (
    PERIODS,
    Answer,
    Coefficient,
    Cohort,
    Limit,
    Lookup,
    Measure,
    Scheme,
    Step,
)
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.rules.wording import Words, fold

__all__ = ["Line", "explained_rulebook", "lines_of"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Line:
    """One sentence about one part: ``path`` names the part alike in every version that has it.

    ``raw`` is what it means, in no language; ``rule`` the condition in it and ``lead`` the words before that, for
    what differs. ``depth`` is how far it is indented, -1 for what another line says already. A line that is ``text`` changes no ruling.
    """

    path: str
    raw: str
    said: str
    depth: int = 0
    rule: Expression | None = None
    lead: str = ""
    text: bool = False


def explained_rulebook(rulebook: Rulebook, language: str) -> str:
    """Return the whole rulebook in ``language``, its versions oldest first.

    >>> from volunteerkit.rules import builtin_rulebooks
    >>> print(explained_rulebook(builtin_rulebooks()[1], "en").splitlines()[-1].strip())
    Every minute of a person counts once.
    """
    words = Words({}, language)
    title = dict(rulebook.title).get(language, "")
    sort = rulebook.decides if rulebook.decides in ("credit", "check") else "ladder"
    out = [words.say("rulebook", id=rulebook.id, title=title).rstrip("：: "),
           words.say(f"decides_{sort}", name=rulebook.decides)]  # fmt: skip
    for version in rulebook.versions:
        out.append("")
        out += ["  " * line.depth + line.said for line in lines_of(version, language) if line.depth >= 0]
    return "\n".join(out)


def lines_of(version: Version, language: str) -> tuple[Line, ...]:
    """Return the sentences of one version."""
    facts = {**version.facts, **{fact.name: fact for fact in version.declared}}
    return tuple(_Teller(version, Words(facts, language)).lines())


@attrs.frozen
class _Teller:
    version: Version
    words: Words

    def say(self, code: str, **values: Any) -> str:
        return self.words.say(code, **values)

    def lines(self) -> Iterator[Line]:
        version = self.version
        day = version.effective_from
        yield Line(
            "version", f"{day} {version.citation}", self.say("version", day=day, citation=version.citation)
        )
        yield Line("digest", "", self.say("digest", digest=version.digest[:12]), 1, text=True)
        for name, code in (("adopted_on", "adopted"), ("suspended_from", "suspended")):
            if (on := getattr(version, name)) is not None:
                yield Line(name, str(on), self.say(code, day=on), 1)
        if not version.monotone:
            yield Line("monotone", "", self.say("not_monotone"), 1)
        if version.confidence:
            said = self.say("confidence", text=version.confidence)
            yield Line("confidence", version.confidence, said, 1, text=True)
        yield from map(self.declared, version.declared)
        if version.credit is not None:
            yield Line("credit", "", self.say("credit"), 1)
            yield from self.credit(version.credit, "credit.", 2)
        yield from self.credit(version, "", 1)
        for part in version.made:
            match part:
                case Measure():
                    yield self.measure(part)
                case Lookup():
                    yield from self.lookup(part)
                case Answer():
                    yield self.answer(part)
                case Scheme():
                    yield from self.scheme(part)
        if version.cohort is not None:
            yield self.cohort(version.cohort)

    def declared(self, fact: Fact) -> Line:
        raw = f"{fact.type} {fact.default}"
        value = "" if fact.default is None else self.words.value(fact, fact.default)
        if fact.zh == fact.name:
            return Line(f"parameter.{fact.name}", raw, self.say("parameter", name=fact.name, value=value), 1)
        default = self.say("default", value=value) if fact.default is not None else ""
        label = fact.zh if self.words.language == "zh-CN" else fact.en
        return Line(
            f"fact.{fact.name}", raw, self.say("fact", name=fact.name, label=label, default=default), 1
        )

    # A way of crediting

    def when(self, rule: Expression | None) -> str:
        return "" if rule is None else self.say("when", rule=self.words.rule(rule))

    def credit(self, way: Version, at: str, depth: int) -> Iterator[Line]:
        def line(path: str, part: Any, said: str, rule: Expression | None = None) -> Line:
            return Line(at + path, str(part), said, depth, rule)

        if way.day_begins_minute:
            time = f"{way.day_begins_minute // 60:02}:{way.day_begins_minute % 60:02}"
            yield line("day_begins", time, self.say("day_begins", time=time))
        if way.select is not None:
            yield line("select", way.select, self.say("select", rule=self.words.rule(way.select)), way.select)
        if way.once:
            yield line("once", True, self.say("once"))
        parts: tuple[tuple[str, Sequence[Any]], ...] = (
            ("transform", way.transforms), ("window", way.windows), ("coefficient", [way.coefficient] if way.coefficient else []),
            ("limit", way.limits), ("route", way.routes),
        )  # fmt: skip
        for name, several in parts:
            for i, part in enumerate(several):
                meant = part if name == "coefficient" else attrs.evolve(part, because=())
                yield line(f"{name}[{i}]", meant, getattr(self, name)(part))
                yield from self.because(part, f"{at}{name}[{i}]", depth + 1)
        if way.day_percent is not None:
            said = self.say("day_percent", rule=self.words.rule(way.day_percent))
            yield line("day_percent", way.day_percent, said)
        if way.convert is not None:
            every = self.words.number(way.convert.every_minutes, "minutes")
            unit, gives = way.convert.unit, way.convert.gives
            yield line("convert", way.convert, self.say("convert", every=every, unit=unit, gives=gives))

    def because(self, part: Any, path: str, depth: int) -> Iterator[Line]:
        if text := dict(getattr(part, "because", ())).get(self.words.language):
            yield Line(f"{path}.because", text, self.say("because", text=text), depth, text=True)

    def transform(self, part: Any) -> str:
        return self.say(
            "transform", minutes=self.words.rule(part.minutes, "minutes"), when=self.when(part.when)
        )

    def window(self, part: Any) -> str:
        begin, end = (f"{each // 60:02}:{each % 60:02}" for each in (part.from_minute, part.to_minute))
        return self.say("window", begin=begin, end=end, percent=part.percent, when=self.when(part.when))

    def coefficient(self, part: Coefficient) -> str:
        shares = (self.say("share", word=self.words.word(word), percent=each) for word, each in part.percent)
        by, listed = self.words.fact(part.by), self.words.joined(shares)
        return self.say("coefficient", by=by, list=listed, otherwise=part.otherwise)

    def limit(self, part: Limit) -> str:
        by = self.say("by", list=self.words.joined(map(self.words.fact, part.by))) if part.by else ""
        unit = "minutes" if part.count == "minutes" else ""
        return self.say(
            f"limit_{part.count}", per=self.say(f"per_{part.per}", month=part.year_begins_month), by=by and f" {by}".replace(" 每", "每"),
            at_most=self.words.rule(part.at_most, unit), when=self.when(part.when), beyond=self.say(f"beyond_{part.beyond}"),
        )  # fmt: skip

    def route(self, part: Any) -> str:
        return self.say("route", when=self.words.rule(part.when) if part.when else "", to=part.to)

    # What is reckoned

    def measure(self, part: Measure) -> Line:
        words = self.words
        where = self.say("where", rule=words.rule(part.where)) if part.where is not None else ""
        unit = (
            "minutes"
            if part.how in ("sum", "balance") and part.of is None
            else words.unit(Mention(part.name))
        )
        otherwise = ""
        if part.otherwise is not None:
            fact = Fact(part.name, part.gives, part.name, part.name, unit)
            if isinstance(part.otherwise, int):
                otherwise = self.say("otherwise", value=words.value(fact, part.otherwise))
            else:
                otherwise = self.say("otherwise", value=words.rule(part.otherwise, unit))
        if part.latest is not None:
            where += self.say("latest", count=part.latest)
        said = self.say("measure", name=part.name, what=self.what(part), span=self.span(part), where=where,
                        groups=self.groups(part, unit), otherwise=otherwise)  # fmt: skip
        return Line(f"measure.{part.name}", str(part), said, 1)

    def what(self, part: Measure) -> str:
        of = self.words.fact("minutes") if part.of is None else self.words.rule(part.of)
        if part.how == "count":
            if part.distinct in ("", "days"):
                return self.say(f"count_{part.distinct or 'records'}")
            return self.say("count_distinct", word=self.words.fact(part.distinct))
        if part.how == "balance":
            months = part.expires_months
            spends = self.words.rule(part.spends) if part.spends is not None else self.words.number(0, "")
            expires = self.say("expires", months=months) if months else ""
            return self.say("balance", of=of, spends=spends, expires=expires)
        if part.how == "sum" and part.of is None:
            return self.say("sum_minutes")
        gap = self.say("gap", days=part.gap_days) if part.gap_days is not None else ""
        return self.say(part.how, of=of) + gap

    def span(self, part: Measure) -> str:
        match part.first_day:
            case Call("months_after", (Mention("today"), back)) if (
                months := fold(back) or 0
            ) < 0 and not part.after:
                first = self.say("span_months", months=-months)
            case None:
                first = ""
            case rule:
                first = self.say("span_after" if part.after else "span_from", day=self.words.rule(rule))
        if part.last_day is None:
            return first
        code = "span_before" if part.before else "span_to"
        return first + self.say(code, day=self.words.rule(part.last_day))

    def groups(self, part: Measure, unit: str) -> str:
        if not part.per:
            return ""
        value = Words({**self.words.facts, "value": Fact("value", part.gives, "该组数值", "value", unit)},
                      self.words.language)  # fmt: skip
        named = (
            self.say(f"each_{part.per}", month=part.year_begins_month)
            if part.per in PERIODS
            else self.words.fact(part.per)
        )
        counts = (
            self.say("group_counts", rule=value.rule(part.counts, unit)) if part.counts is not None else ""
        )
        having = self.say("group_having", rule=value.rule(part.having)) if part.having is not None else ""
        best = self.say("group_best", count=part.best) if part.best is not None else ""
        return self.say(
            "group", per=named, counts=counts, having=having, best=best, take=self.say(f"put_{part.take}")
        )

    def lookup(self, part: Lookup) -> Iterator[Line]:
        path, unit = f"lookup.{'.'.join(part.columns)}", self.words.unit(Mention(part.by))
        yield Line(path, part.by, self.say("lookup", by=self.words.fact(part.by)), 1)
        for row in part.rows:
            cells = self.words.joined(
                self.say("cell", name=name, value=self.words.rule(rule, self.words.unit(Mention(name))))
                for name, rule in zip(part.columns, row.values, strict=True)
            )
            if row.is_:
                listed = self.words.joined(
                    self.words.word(each) if isinstance(each, str) else str(each) for each in row.is_
                )
                key, said = listed, self.say("row_is", list=listed, values=cells)
            elif row.from_ is not None:
                key = str(row.from_)
                said = self.say("row_from", **{"from": self.words.number(row.from_, unit)}, values=cells)
            else:
                key, said = "*", self.say("row_rest", values=cells)
            yield Line(f"{path}[{key}]", " ".join(map(str, row.values)), said, 2)

    def answer(self, part: Answer) -> Line:
        path = f"answer.{part.name}"
        if part.rule is not None:
            lead = self.say("made_fact", name=part.name)
            unit = self.words.unit(Mention(part.name))
            said = self.say("answer", name=part.name, rule=self.words.rule(part.rule, unit))
            return Line(path, str(part.rule), said, 1, part.rule, lead)
        listed = self.words.joined(
            self.say("answer_word", word=self.words.word(word), rule=self.words.rule(rule))
            for word, rule in part.words
        )
        raw = " ".join(f"{word}: {rule}" for word, rule in part.words)
        return Line(path, raw, self.say("answer_words", name=part.name, list=listed), 1)

    def scheme(self, part: Scheme) -> Iterator[Line]:
        path = f"scheme.{part.name}"
        yield Line(path, "", self.say("scheme", name=part.name), 1)
        for step in part.steps:
            yield from self.step(step, f"{path}.step[{step.award}]")
        for name in ("take", "repeat", "loss", "procedure"):
            value = getattr(part, name)
            yield Line(f"{path}.{name}", value, self.say(f"{name}_{value}"), 2)
        if part.grant_when is not None:
            said = self.say("grant_when", rule=self.words.rule(part.grant_when))
            yield Line(f"{path}.grant_when", str(part.grant_when), said, 2)

    def step(self, step: Step, path: str) -> Iterator[Line]:
        number = messages.text("explain_grade_number", self.words.language, grade=step.award)
        grade = dict(step.names).get(self.words.language) or step.grade or number
        said = self.say("step", grade=grade, rule=self.words.rule(step.when), beside=self.beside(step))
        yield Line(path, str(step.when), said, 2, step.when, grade)
        terms = (step.grade, step.after, step.wait_months, step.valid_months, step.certifier)
        yield Line(f"{path}.terms", str(terms), said, -1)
        yield Line(f"{path}.name", str(step.names), grade, -1, text=True)

    def beside(self, step: Step) -> str:
        said = self.say("step_after", grade=step.after) if step.after else ""
        said += self.say("step_wait", months=step.wait_months) if step.wait_months else ""
        said += self.say("step_valid", months=step.valid_months) if step.valid_months else ""
        return said + (self.say("step_certifier", who=step.certifier) if step.certifier else "")

    def cohort(self, part: Cohort) -> Line:
        if part.places is not None:
            places = self.say("places", count=part.places)
        else:
            places = self.say("places_percent", percent=part.percent, least=part.at_least)
        own = (*part.grades, *part.groups)
        places += "".join(self.say("places_grade", grade=grade, count=count) for grade, count in own)
        within = self.say("within", word=self.words.fact(part.within)) if part.within else ""
        exempt = self.say("exempt", rule=self.words.rule(part.exempt)) if part.exempt is not None else ""
        listed = self.words.joined(map(self.words.fact, part.rank_by))
        said = self.say("cohort", among=part.among, list=listed, places=places, within=within, exempt=exempt)
        return Line("cohort", str(part), said, 1)
