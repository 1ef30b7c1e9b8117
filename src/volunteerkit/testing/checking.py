"""``check_plugin``: every law tried on one plugin, with examples at the edges of its rules.

One set of examples, made from a seed, serves all laws; what breaks one is shrunk to a small counter-example.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Literal

import attrs

from volunteerkit.clock import Calendar
from volunteerkit.errors import InvalidValue, PluginError
from volunteerkit.hooks import hookimpl
from volunteerkit.kit import Kit
from volunteerkit.messages import text
from volunteerkit.rules.cases import read_cases, run_cases
from volunteerkit.rules.expression import CALENDAR
from volunteerkit.rules.plan import Record
from volunteerkit.rules.rulebook import Rulebook, Version, builtin_rulebooks
from volunteerkit.testing import laws
from volunteerkit.testing.laws import STEPS_MAX, Broken
from volunteerkit.testing.samples import wrong_answers
from volunteerkit.testing.strategies import (  # says what to install where hypothesis is not
    Subject,
    on_days,
    subjects,
)
from volunteerkit.testing.targets import Target, targets_of

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings  # isort: skip
from hypothesis import strategies as st  # isort: skip

__all__ = ["LawResult", "PluginReport", "check_plugin", "check_target"]

EXAMPLES_MAX: Final = 10_000
_ELSEWHERE: Final = 20
_SEEDS: Final = (1, 2)
_TIMEOUT_SECONDS: Final = 120.0
_Try = tuple[Subject, int, int]
_Law = Callable[[Rulebook, _Try], Broken | None]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class LawResult:
    """How one law came out: it ``holds`` on ``tried`` examples, is ``broken``, or was ``idle`` (see ``note``)."""

    law: str
    state: Literal["holds", "broken", "idle"]
    tried: int = 0
    broken: Broken | None = None
    note: str = ""
    values: Mapping[str, Any] = attrs.field(factory=dict)

    def lines(self, in_: str | None = None) -> tuple[str, ...]:
        """Return one line, and the counter-example below it where there is one."""
        sign = {"holds": "✓", "broken": "✗", "idle": "–"}[self.state]
        beside = text(self.note, in_, **self.values) if self.note else ""
        if not beside and self.tried:
            beside = text("law_tried", in_, count=self.tried)
        first = f"{sign} {text(f'law_{self.law}', in_)}{beside}"
        below = self.broken.lines(in_) if self.broken else ()
        return (first, *(f"    {line}" for line in below))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        told: dict[str, Any] = {"law": self.law, "state": self.state, "tried": self.tried, **self.values}
        return {**told, "broken": self.broken.as_dict()} if self.broken else told


@attrs.frozen
class PluginReport:
    """What became of every law; ``str()`` is for people."""

    plugin: str
    seed: int
    examples: int
    results: tuple[LawResult, ...]

    @property
    def holds(self) -> bool:
        """Whether no law is broken."""
        return all(each.state != "broken" for each in self.results)

    def lines(self, in_: str | None = None) -> tuple[str, ...]:
        """Return a summary, then a line for each law with its counter-example, if any."""
        count = [sum(each.state == state for each in self.results) for state in ("holds", "broken")]
        first = text("law_summary", in_, plugin=self.plugin, holds=count[0], broken=count[1],
                     seed=self.seed, examples=self.examples)  # fmt: skip
        return (first, *(line for each in self.results for line in each.lines(in_)))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        told = {"plugin": self.plugin, "seed": self.seed, "examples": self.examples, "holds": self.holds}
        return {**told, "laws": [each.as_dict() for each in self.results]}


def check_plugin(
    plugin: str | Path | ModuleType | object,
    *,
    examples: int = 100,
    seed: int = 0,
    steps: int = STEPS_MAX,
    cases: Path | None = None,
) -> PluginReport:
    """Try every law on a plugin and return how each came out.

    ``plugin`` is an installed one's name, a ``.py`` or ``.toml`` file, a folder with one plugin, a module or an
    object. ``examples`` a version are made from ``seed``: the same seed makes the same ones. ``steps`` is the most that
    deciding about somebody with a thousand records may cost (see `laws.cost_of`); ``cases`` is a folder of cases in
    place of the plugin's own ``cases``. Raises PluginError, RulebookError and InvalidValue where it cannot be loaded.

    """
    found = targets_of(plugin)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise PluginError("plugin_several", plugin=str(plugin), known=names)
    return check_target(found[0], examples=examples, seed=seed, steps=steps, cases=cases)


def check_target(
    target: Target, *, examples: int = 100, seed: int = 0, steps: int = STEPS_MAX, cases: Path | None = None
) -> PluginReport:
    """Try every law on one plugin; works as `check_plugin`."""
    for name, value, least, most in (("examples", examples, 1, EXAMPLES_MAX), ("seed", seed, 0, 2**31)):
        if type(value) is not int or not least <= value <= most:
            raise InvalidValue(name=name, value=str(value)[:40], allowed=f"{least} … {most}")
    kit = Kit.load(target.asked)
    shipped = {book.id for book in builtin_rulebooks()}
    books = [book for book in kit.rulebooks.values() if book.id not in shipped]
    tries = [
        (book, version, _made(book, version, examples, seed)) for book in books for version in book.versions
    ]
    results = (
        _of_books("text", books, laws.text_round_trip),
        _of_books("cited", books, laws.every_version_is_cited),
        _searched("decided", tries, lambda book, one: laws.always_decided(book, one[0]), seed, examples),
        _many(tries, seed, examples),
        _order(target, kit, tries, seed, examples),
        _elsewhere(target, tries),
        _monotone(tries, seed, examples),
        _searched("replay", tries, lambda book, one: laws.replay_equals_record(book, one[0]), seed, examples),
        _cost(books, steps),
        _cases(target, books, cases),
        _hooks(target, kit),
    )
    return PluginReport(target.name, seed, examples, results)


Tries = Sequence[tuple[Rulebook, Version, Sequence[_Try]]]


def _strategy(book: Rulebook, version: Version) -> st.SearchStrategy[_Try]:
    return st.tuples(subjects(book, version), st.integers(0, 20), st.sampled_from((1, 60, 1440)))


def _run(
    strategy: st.SearchStrategy[_Try], test: Callable[[_Try], None], seed_: int, examples: int, shrink: bool
) -> None:
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @settings(max_examples=examples, database=None, deadline=None, phases=phases, verbosity=Verbosity.quiet,
              suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False)  # fmt: skip
    @seed(seed_)
    @given(strategy)
    def run(example: _Try) -> None:
        test(example)

    run()


def _made(book: Rulebook, version: Version, examples: int, seed_: int) -> list[_Try]:
    """Return the examples of one version: the same ones for every law."""
    found: list[_Try] = []
    _run(_strategy(book, version), found.append, seed_, examples, shrink=False)
    return found + [(each, 0, 60) for each in on_days(book, version)]


class _CounterExample(Exception):
    pass


def _smallest(
    book: Rulebook, version: Version, law: _Law, seed_: int, examples: int, first: Broken
) -> Broken:
    """Return a counter-example that is as small as it comes."""
    last = first

    def test(example: _Try) -> None:
        nonlocal last
        found = law(book, example)
        if found is not None:
            last = found
            raise _CounterExample

    try:
        _run(_strategy(book, version), test, seed_, examples, shrink=True)
    except _CounterExample:
        pass
    except Exception:  # what breaks a law only now and then cannot be shrunk; the last one found stands
        return last
    return last


def _searched(name: str, tries: Tries, law: _Law, seed_: int, examples: int) -> LawResult:
    count = 0
    for book, version, its in tries:
        for example in its:
            count += 1
            if (found := law(book, example)) is not None:
                return LawResult(name, "broken", count, _smallest(book, version, law, seed_, examples, found))
    if not count:
        return LawResult(name, "idle", note="law_idle_nothing")
    return LawResult(name, "holds", count)


def _of_books(name: str, books: Iterable[Rulebook], law: Callable[[Rulebook], Broken | None]) -> LawResult:
    listed = list(books)
    broken = next((found for book in listed if (found := law(book))), None)
    if not listed:
        return LawResult(name, "idle", note="law_idle_nothing")
    return LawResult(
        name, "broken" if broken else "holds", sum(len(each.versions) for each in listed), broken
    )


def _many(tries: Tries, seed_: int, examples: int) -> LawResult:
    """One by one gives what the city's run gives: each alone, and all of one day together."""
    if find_spec("numpy") is None:
        return LawResult("many", "idle", note="law_idle_numpy")
    found = _searched("many", tries, lambda book, one: laws.one_equals_many(book, [one[0]]), seed_, examples)
    if found.state != "holds":
        return found
    for book, _, its in tries:
        for _, day in groupby(
            sorted((one[0] for one in its), key=lambda each: each.on), lambda each: each.on
        ):
            if broken := laws.one_equals_many(book, list(day)):
                return LawResult("many", "broken", found.tried, broken)
    return found


def _order(target: Target, kit: Kit, tries: Tries, seed_: int, examples: int) -> LawResult:
    digests = {book.id: [each.digest for each in book.versions] for book in kit.rulebooks.values()}
    for name in ("aaa", "zzz"):
        other = _companion(name)
        for asked in ((target.asked, other), (other, target.asked)):
            beside = Kit.load(*asked).rulebooks.values()
            found = {book.id: [each.digest for each in book.versions] for book in beside}
            if found != digests:
                broken = Broken(target.name, None, digests, found, note="law_other_plugins")
                return LawResult("order", "broken", 1, broken)
    found_ = _searched(
        "order", tries, lambda book, one: laws.order_does_not_matter(book, one[0]), seed_, examples
    )
    return LawResult("order", "holds", 4) if found_.state == "idle" else found_


def _companion(name: str) -> Any:
    """Return another plugin, which has nothing to say."""

    def vk_review_hours(claim: object) -> Iterable[Any]:
        return ()

    return SimpleNamespace(__name__=name, vk_review_hours=hookimpl(vk_review_hours))


def _monotone(tries: Tries, seed_: int, examples: int) -> LawResult:
    bound = [each for each in tries if each[1].monotone and (each[1].credit or each[1]).monotone]
    if tries and not bound:
        return LawResult("monotone", "idle", note="law_idle_declared")
    return _searched("monotone", bound, _lowered, seed_, examples)


def _lowered(book: Rulebook, one: _Try) -> Broken | None:
    """Try the law on a few records of an example, with a minute and with more."""
    subject, place, minutes = one
    tries = ((at, more) for at in dict.fromkeys((place, 0, -1)) for more in dict.fromkeys((minutes, 1)))
    return next(
        (found for at, more in tries if (found := laws.more_minutes_never_lower(book, subject, at, more))),
        None,
    )


def _cost(books: Sequence[Rulebook], steps: int) -> LawResult:
    found = _of_books("cost", books, partial(laws.cost_within, steps=steps))
    if not books or found.broken:
        return found
    costs = [(laws.cost_of(version).steps, book, version) for book in books for version in book.versions]
    cost, book, version = max(costs, key=lambda each: each[0])
    day = (version.effective_from.toordinal() - dt.date(1970, 1, 1).toordinal()) + 1000
    records = [Record(n, day - n, 540, 60, 60) for n in range(1000)]
    on = min(dt.date(1970, 1, 1) + dt.timedelta(day), dt.date.max)
    began = time.perf_counter()
    laws.outcome(book, Subject(max(on, version.effective_from), (), {}), records)
    took = round((time.perf_counter() - began) * 1000)
    return attrs.evolve(found, note="law_steps", values={"steps": cost, "milliseconds": took})


def _cases(target: Target, books: Sequence[Rulebook], folder: Path | None) -> LawResult:
    files = attrs.evolve(target, folders=(folder,)).cases if folder is not None else target.cases
    if folder is not None and not files:
        raise InvalidValue("cases_none", place=folder.name)
    ids = {book.id for book in books}
    count = 0
    for file in files:
        cases = read_cases(file)
        if folder is None and not any(
            each == cases.regime or each.startswith(f"{cases.regime}.") for each in ids
        ):
            continue  # of another rulebook in the same folder
        result = run_cases(cases, books)
        count += len(cases.cases)
        for failure in result.failed:
            expected: Any = {name: each for name, each, _ in failure.differences}
            found: Any = {name: each for name, _, each in failure.differences}
            if failure.error is not None:
                expected, found = "-", str(failure.error)
            told = Broken(cases.regime, None, expected, found, note="law_case", values={"why": failure.why})
            return LawResult("cases", "broken", count, told)
    return LawResult("cases", "holds" if count else "idle", count, note="" if count else "law_idle_nothing")


def _hooks(target: Target, kit: Kit) -> LawResult:
    named = attrs.evolve(
        kit, hooks={hook: tuple((target.name, each) for _, each in its) for hook, its in kit.hooks.items()}
    )
    wrong = next(wrong_answers(named), None)
    tried = sum(bool(its) for its in kit.hooks.values())
    if wrong is None:
        return LawResult("hooks", "holds", tried)
    hook, wanted, found = wrong
    return LawResult(
        "hooks",
        "broken",
        tried,
        Broken(target.name, None, wanted, found, note="law_hook", values={"hook": hook}),
    )


# Another process: another order of words in sets, nothing remembered


def _elsewhere(target: Target, tries: Tries) -> LawResult:
    if target.spec is None:
        return LawResult("seed", "idle", note="law_idle_process")
    if not tries:
        return LawResult("seed", "idle", note="law_idle_nothing")
    sent = [(book, one[0]) for book, _, its in tries for one in its[:_ELSEWHERE]]
    asked = json.dumps({"spec": target.spec, "subjects": [[book.id, _sent(each)] for book, each in sent]})
    running = [(seed_, _begin(asked, seed_)) for seed_ in _SEEDS]
    here = json.loads(json.dumps([laws.outcome(book, _received(book, _sent(each))) for book, each in sent]))
    told = [(seed_, _end(process, asked)) for seed_, process in running]
    for seed_, there in told:
        if isinstance(there, str):
            told_of = {"seed": seed_}
            broken = Broken(
                target.name, None, text("law_any_ruling"), there, note="law_elsewhere", values=told_of
            )
            return LawResult("seed", "broken", len(sent), broken)
        for (book, each), expected, found in zip(sent, here, there, strict=True):
            if expected != found:
                broken = attrs.evolve(
                    laws.broken_by(book, each, expected, found, "law_elsewhere"), values={"seed": seed_}
                )
                return LawResult("seed", "broken", len(sent), broken)
    return LawResult("seed", "holds", len(sent))


def _begin(asked: str, seed_: int) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "PYTHONHASHSEED": str(seed_),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONUTF8": "1",
    }
    code = "from volunteerkit.testing.checking import _answer_elsewhere as run; run()"
    return subprocess.Popen([sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, encoding="utf-8")  # fmt: skip


def _end(process: subprocess.Popen[str], asked: str) -> list[Any] | str:
    """Return what the other process came to, or why it came to nothing."""
    try:
        out, _ = process.communicate(asked, timeout=_TIMEOUT_SECONDS)
        found: list[Any] = json.loads(out)
    except (subprocess.TimeoutExpired, ValueError) as error:
        process.kill()
        process.wait()
        return f"{type(error).__name__}, exit {process.returncode}"
    return found


def _answer_elsewhere() -> None:
    asked = json.load(sys.stdin)
    spec: Any = asked["spec"]
    if "::" in spec:
        from importlib import import_module

        spec = import_module(spec.partition("::")[2])
    elif Path(spec).is_file():
        spec = Path(spec)
    books = Kit.load(spec).rulebooks
    found = [laws.outcome(books[name], _received(books[name], each)) for name, each in asked["subjects"]]
    json.dump(found, sys.stdout)


def _sent(subject: Subject) -> dict[str, Any]:
    facts = {name: value for name, value in subject.facts.items() if name != CALENDAR}
    records = [[*record[:-1], dict(record.facts)] for record in subject.records]
    return {"on": str(subject.on), "records": records, "facts": facts, "calendar": CALENDAR in subject.facts}


def _received(book: Rulebook, sent: Mapping[str, Any]) -> Subject:
    facts = {
        name: tuple(value) if isinstance(value, list) else value for name, value in sent["facts"].items()
    }
    facts |= {CALENDAR: Calendar()} if sent["calendar"] else {}
    return Subject(dt.date.fromisoformat(sent["on"]), tuple(Record(*each) for each in sent["records"]), facts)
