"""The words of a ruling: an indented tree with ✓ and ✗, made only when somebody reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from volunteerkit import messages
from volunteerkit.rules.expression import CALENDAR, Fact
from volunteerkit.rules.facts import PRIVATE
from volunteerkit.units import day_of, hours_text

if TYPE_CHECKING:
    from volunteerkit.rules.deciding import Decision
    from volunteerkit.rules.ladder import Assessment, Clause
    from volunteerkit.rules.parts import Step

__all__ = ["amount", "explained", "explained_decision", "grade_name", "lack_text"]

_MARKS = {True: "✓", False: "✗", None: "?"}


def __dir__() -> list[str]:
    return __all__


def explained(assessment: Assessment, in_: str | None = None) -> str:
    """Return the reasons of a ruling as text in language ``in_`` or the one in force."""
    return "\n".join(_Writer(assessment, in_ or messages.language()).lines())


def amount(number: int, unit: str, language: str) -> str:
    """Return a number with its unit: minutes as hours, days and times as such."""
    if unit == "minutes":
        return hours_text(number, language)
    return (
        messages.text(f"explain_{unit}", language, number=number)
        if unit in ("days", "times")
        else str(number)
    )


def lack_text(clause: Clause, declared: Mapping[str, Fact], language: str) -> str:
    """Return what a condition without parts lacks: how much is short where that is a number."""
    if not clause.lacking:
        return messages.text("explain_lacking_condition", language, text=clause.text)
    short = amount(clause.lacking, clause.unit, language)
    return messages.text(
        "explain_lacking", language, amount=short, fact=_label(declared[clause.values[0][0]], language)
    )


def grade_name(steps: Iterable[Step], award: int, in_: str | None = None) -> str:
    """Return what a grade is called: its name in language ``in_`` or the one in force, else its word, else its number."""
    language = in_ or messages.language()
    named = next((dict(step.names).get(language) or step.grade for step in steps if step.award == award), "")
    return named or messages.text("explain_grade_number", language, grade=award)


def _label(fact: Fact, language: str) -> str:
    return f"{fact.zh if language == 'zh-CN' else fact.en} ({fact.name})"


def explained_decision(decision: Decision, in_: str | None = None) -> str:
    """Return what each scheme and answer of a decision says, as text in language ``in_`` or the one in force."""
    language = in_ or messages.language()

    def say(code: str, **values: Any) -> str:
        return messages.text(code, language, **values)

    comma, nothing = ("、" if language == "zh-CN" else ", "), say("explain_none")
    lines = [say("explain_schemes")]
    for name, each in decision.grantings.items():
        steps = each.scheme.steps
        eligible = say("explain_absent") if each.eligible is None else comma.join(
            grade_name(steps, award, language) for award in each.eligible)  # fmt: skip
        granted = comma.join(grade_name(steps, award, language) for award in each.grantable)
        held = grade_name(steps, each.held, language) if each.held else nothing
        lines.append("  " + say("explain_granting", name=name, eligible=eligible or nothing, held=held,
                                grantable=granted or nothing))  # fmt: skip
    if decision.answers:
        lines.append(say("explain_answers"))
    for name, value in decision.answers.items():
        if isinstance(value, bool):
            said = say("explain_yes" if value else "explain_no")
        elif isinstance(value, tuple):
            said = comma.join(value) or nothing
        else:
            said = say("explain_absent") if value is None else str(value)
        lines.append(f"  {name} = {said}")
    return "\n".join(lines)


class _Writer:
    def __init__(self, assessment: Assessment, language: str) -> None:
        self.assessment, self.language = assessment, language

    def say(self, code: str, **values: Any) -> str:
        return messages.text(code, self.language, **values)

    def grade(self, award: int) -> str:
        return grade_name(self.assessment.version.steps, award, self.language)

    def lines(self) -> Iterator[str]:
        ruling = self.assessment
        version = ruling.version
        if ruling.grade is None:
            yield self.say("explain_undetermined", missing=self.join(map(self.label, ruling.missing)))
        elif ruling.grade == 0:
            yield self.say("explain_no_grade")
        else:
            yield self.say("explain_grade", grade=self.grade(ruling.grade))
        yield self.say(
            "explain_rule", rulebook=ruling.rulebook, digest=version.digest[:12], day=version.effective_from
        )
        yield self.say("explain_citation", citation=version.citation)
        yield self.say("explain_facts")
        for name, value in ruling.facts:
            if name == CALENDAR or name in PRIVATE:
                continue
            yield f"  {self.label(name)} = {self.value(name, value)}"
        yield self.say("explain_conditions")
        for step, clause in ruling.clauses:
            yield from self.clause(
                clause, 1, self.say("explain_step", grade=self.grade(step.award), text=clause.text)
            )
        following = ruling.next_step
        if following is not None:
            yield self.say("explain_next", grade=self.grade(following.award))
            for leaf in dict(ruling.clauses)[following].open_parts:
                yield "  " + lack_text(leaf, ruling.declared, self.language)

    def clause(self, clause: Clause, depth: int, text: str) -> Iterator[str]:
        listed = ", ".join(f"{name} = {self.plain(name, value)}" for name, value in clause.values)
        values = "" if clause.parts else f"  [{listed}]"
        yield f"{'  ' * depth}{_MARKS[clause.holds]} {text}{values}"
        for part in clause.parts:
            yield from self.clause(part, depth + 1, part.text)

    def fact(self, name: str) -> Fact:
        return self.assessment.declared[name]

    def label(self, name: str) -> str:
        return _label(self.fact(name), self.language)

    def plain(self, name: str, value: Any) -> str:
        return str(value) if type(value) is int and self.fact(name).type == "int" else self.value(name, value)

    def value(self, name: str, value: Any) -> str:
        fact = self.fact(name)
        if value is None:
            return self.say("explain_absent")
        if fact.type == "date":
            return str(day_of(value))
        if fact.type == "bool":
            return self.say("explain_yes" if value else "explain_no")
        if fact.type != "int":
            return str(value)
        if fact.unit == "minutes":
            return self.say("explain_minutes", minutes=value, hours=hours_text(value, self.language))
        return amount(value, fact.unit, self.language)

    def join(self, items: Iterator[str] | map[str]) -> str:
        return ("、" if self.language == "zh-CN" else ", ").join(items)
