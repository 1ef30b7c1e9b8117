"""What differs between two versions, in words: thresholds raised and lowered, conditions and parts come and gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from volunteerkit.messages import LANGUAGES, language
from volunteerkit.rules.expression import All, Apply, Expression
from volunteerkit.rules.rulebook import Version
from volunteerkit.rules.telling import Line, lines_of
from volunteerkit.rules.wording import Words, fold

__all__ = ["Change", "differences"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Change:
    """One difference: the ``path`` of the part, what kind of change it is, and sentences by language.

    ``kind`` is ``raised``, ``lowered``, ``condition_added``, ``condition_removed``, ``line_added``,
    ``line_removed`` or ``line_changed``; ``by`` is by how much a number changed. ``text`` tells that it changes
    no ruling.
    """

    path: str
    kind: str
    texts: tuple[tuple[str, str], ...]
    by: int = 0
    text: bool = False

    def message(self, in_: str | None = None) -> str:
        """Return it as a sentence, in language ``in_`` or the one in force."""
        return dict(self.texts)[in_ or language()]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "path": self.path,
            "kind": self.kind,
            "by": self.by,
            "text": self.text,
            "texts": dict(self.texts),
        }


def differences(old: Version, new: Version) -> tuple[Change, ...]:
    """Return what differs from ``old`` to ``new``, in the order of the new one; blanks and comments never do.

    >>> from volunteerkit.rules import Rulebook
    >>> text = '''
    ... id = "example.star"
    ... decides = "star"
    ... [[version]]
    ... effective_from = 2012-10-23
    ... citation = "an example"
    ... step = [{ award = 1, when = "credited_minutes >= 100 * 60" }]
    ... '''
    >>> one, other = (Rulebook.loads(each).versions[0] for each in (text, text.replace("100", "120")))
    >>> [change.message("en") for change in differences(one, other)]
    ['grade 1: credited minutes: raised from 100 h to 120 h, by 20 h.']
    """
    by_language = {
        each: list(_compared(old, new, each)) for each in LANGUAGES
    }  # the same changes, in each language
    return tuple(
        attrs.evolve(changes[0], texts=tuple(text for change in changes for text in change.texts))
        for changes in zip(*by_language.values(), strict=True)
    )


def _compared(old: Version, new: Version, language: str) -> Iterator[Change]:
    words = Words({**old.facts, **new.facts}, language)
    before, after = ({line.path: line for line in lines_of(each, language)} for each in (old, new))
    for path, line in before.items():
        if path not in after and line.depth >= 0 and path != "digest":
            yield _change(words, line, "line_removed", text=line.said)
    for path, line in after.items():
        there = before.get(path)
        if path == "digest" or (there is None and line.depth < 0):
            continue
        if there is None:
            yield _change(words, line, "line_added", text=line.said)
        elif there.raw != line.raw:
            if line.rule is not None and there.rule is not None:
                yield from _conditions(words, there, line)
            else:
                yield _change(words, line, "line_changed", old=there.said, new=line.said)


def _change(words: Words, line: Line, kind: str, moved: int = 0, **values: Any) -> Change:
    return Change(line.path, kind, ((words.language, words.say(kind, **values)),), moved, line.text)


def _conditions(words: Words, old: Line, new: Line) -> Iterator[Change]:
    """Compare the conditions that all must hold one by one: a number that moved, those gone, those new."""
    assert old.rule is not None
    assert new.rule is not None
    before, after = _split(old.rule), _split(new.rule)
    gone = [each for each in before if each not in after]
    added = [each for each in after if each not in before]
    lead = new.lead or words.say("made_fact", name=new.path)
    if not gone and not added:
        yield _change(words, new, "line_changed", old=old.said, new=new.said)
    for rule in list(added):
        twin = next((each for each in gone if _threshold(each, rule) is not None), None)
        if twin is None:
            continue
        gone.remove(twin)
        added.remove(rule)
        yield from _moved(words, new, lead, twin, rule)
    for rule in gone:
        yield _change(words, new, "condition_removed", where=lead, rule=words.rule(rule))
    for rule in added:
        yield _change(words, new, "condition_added", where=lead, rule=words.rule(rule))


def _split(rule: Expression) -> tuple[Expression, ...]:
    return rule.items if isinstance(rule, All) else (rule,)


def _threshold(old: Expression, new: Expression) -> tuple[int, int] | None:
    """Return the two numbers of one comparison that differs by its number alone."""
    match old, new:
        case Apply(symbol, left, low), Apply(other, right, high) if symbol == other and left == right:
            one, two = fold(low), fold(high)
            if one is not None and two is not None:
                return one, two
    return None


def _moved(words: Words, line: Line, lead: str, old: Expression, new: Expression) -> Iterator[Change]:
    """Yield by how much a number moved; one that is only written otherwise did not."""
    numbers = _threshold(old, new)
    assert numbers is not None
    assert isinstance(new, Apply)
    one, two = numbers
    unit = words.unit(new.left)
    said = words.rule(new.left, unit)
    what = f"{lead}：{said}" if words.language == "zh-CN" else f"{lead}: {said}"
    values = {
        "old": words.number(one, unit),
        "new": words.number(two, unit),
        "by": words.number(abs(two - one), unit),
    }
    if one != two:
        yield _change(words, line, "raised" if two > one else "lowered", two - one, what=what, **values)
