"""Calling plugins: every implementation is checked when it is bound, and every call goes through one guard.

The guard hands over what the plugin asked for, holds the answer to its shape, turns a failure into an error
that names the plugin, and tells the logger ``volunteerkit.plugins``: each call at level DEBUG (who answered
what, and how long it took), each failure and each slow call at level WARNING. No personal datum stands there.

What a plugin raises counts as its failure, `SystemExit` too. What stops the program from outside, such as
KeyboardInterrupt or a cancelled task, passes through; the transaction is then rolled back.
"""

from __future__ import annotations

import datetime as dt
import inspect
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from volunteerkit import hooks, messages
from volunteerkit.errors import (
    Finding,
    InvalidValue,
    PluginConflict,
    PluginError,
    VolunteerkitError,
    did_you_mean,
    place_of_failure,
)
from volunteerkit.hooks import Bound
from volunteerkit.units import plain_text

if TYPE_CHECKING:
    from volunteerkit.hours.model import Claim, Overlap
    from volunteerkit.store.desk import Desk
    from volunteerkit.volunteers.model import Application

__all__ = [
    "ANSWERS_MAX", "FAILURES", "SLOW_SECONDS", "added_in", "answers", "arguments", "choose", "choose_text", "example",
    "implementations", "review", "review_hours", "review_registration", "review_transfer", "signature", "unless_answering", "worded",
]  # fmt: skip

FAILURES: Final = (Exception, SystemExit, GeneratorExit)
"""What counts as a plugin's failure when it raises it."""

SLOW_SECONDS: Final = 1.0
"""How long one answer may take before it is told as slow: others wait, for a transaction is open.

It is not cut short, and its answer counts: a ruling may not depend on how busy a machine is.
"""

ANSWERS_MAX: Final = 10_000
"""How many values one answer may hold; a plugin that yields without an end is stopped there."""

RECORDS_MAX: Final = 10_000_000
"""How many records of a whole city one answer may hold."""

_log = logging.getLogger("volunteerkit.plugins")
_TELLABLE = str | int | float | dt.date | dt.time | dt.timedelta | messages.Phrase
_CODE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_answering: ContextVar[tuple[str, str] | None] = ContextVar("volunteerkit_answering", default=None)


def __dir__() -> list[str]:
    return __all__


def unless_answering() -> None:
    """Raise PluginError when a plugin is answering here: it gets values, and may not open the database.

    A plugin that reacts may: no transaction is open then.
    """
    if (who := _answering.get()) is not None:
        raise PluginError("plugin_reentered", plugin=who[0], hook=who[1])


def implementations(plugin: str, body: Any) -> dict[str, Callable[..., Any]]:
    """Return what ``body`` implements, hook name -> guarded function.

    Raises PluginError for a misspelt hook or argument (with the nearest name), a missing `hookimpl`, a wrapper
    or a wish to be first or last, a function that is no plain one, a class instead of an object, and for a
    body without any hook. All of that would otherwise be noticed only when a city's rule is not applied.
    """
    found = {}
    try:
        members = inspect.getmembers(body, callable)
    except FAILURES as error:
        raise PluginError("plugin_import", plugin=plugin, problem=place_of_failure(error)) from error
    for name, member in members:
        mark = getattr(member, "volunteerkit_impl", None)
        if isinstance(mark, dict):
            if inspect.isclass(body):
                raise PluginError("plugin_class", plugin=plugin)
            found[name] = _checked(plugin, name, member, mark)
        elif name.startswith("vk_") and not isinstance(member, ModuleType):
            raise PluginError("plugin_mark_missing", plugin=plugin, hook=name)
    if not found:
        raise PluginError("plugin_empty", plugin=plugin)
    return found


def _checked(
    plugin: str, hook: str, function: Callable[..., Any], mark: dict[str, Any]
) -> Callable[..., Any]:
    if hook not in hooks.KINDS:
        raise PluginError("plugin_hook_unknown", plugin=plugin, hook=hook, known=", ".join(hooks.KINDS),
                          near=did_you_mean(hook, hooks.KINDS))  # fmt: skip
    if any(mark.get(option) for option in ("wrapper", "hookwrapper", "tryfirst", "trylast")):
        raise PluginError("plugin_order", plugin=plugin, hook=hook)
    lazy = inspect.isgeneratorfunction(function) and hooks.KINDS[hook] in ("choose", "react")
    if lazy or inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError("plugin_not_plain", plugin=plugin, hook=hook)
    known, wanted = arguments(hook), inspect.signature(function).parameters
    for name, parameter in wanted.items():
        if name not in known or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise PluginError("plugin_arguments", plugin=plugin, hook=hook, argument=name,
                              known=", ".join(known) or "-", near=did_you_mean(name, known))  # fmt: skip
    return _guarded(plugin, hook, function, tuple(wanted))


def _guarded(
    plugin: str, hook: str, function: Callable[..., Any], wanted: tuple[str, ...]
) -> Callable[..., Any]:
    """Return ``function`` as the library calls it: by keywords, with all the hook's arguments."""

    def answer(**values: Any) -> Any:
        with _timed(plugin, hook) as told:
            try:
                given = _shaped(plugin, hook, function(**{name: values[name] for name in wanted}))
            except VolunteerkitError as error:
                error.add_note(messages.text("plugin_note", plugin=plugin, hook=hook))
                raise
            except FAILURES as error:
                failed = PluginError(plugin=plugin, hook=hook, problem=place_of_failure(error))
            else:
                told.append(_said(given))
                return given
            # outside of the handler: the text of a foreign error may hold a person's data
            raise failed

    return answer


@contextmanager
def _timed(plugin: str, hook: str) -> Iterator[list[str]]:
    """Note who is answering, and tell the logger how it went and how long it took."""
    told: list[str] = []
    token = _answering.set((plugin, hook) if hooks.KINDS[hook] != "react" else None)
    began = time.perf_counter()
    try:
        yield told
    except VolunteerkitError as error:
        problem = error.values.get("problem", "") if isinstance(error, PluginError) else ""
        _log.warning("%s failed in %s: %s %s", plugin, hook, error.code, problem)
        raise
    finally:
        _answering.reset(token)
        seconds = time.perf_counter() - began
        _log.debug("%s %s %.1f ms: %s", plugin, hook, seconds * 1000, told[0] if told else "failed")
        if seconds > SLOW_SECONDS and hooks.KINDS[hook] != "react":
            _log.warning("%s is slow in %s: %.1f s, more than %.1f s", plugin, hook, seconds, SLOW_SECONDS)


def _shaped(plugin: str, hook: str, answer: Any) -> Any:
    """Return the answer, as a tuple where many values may come; raise PluginError for one of a wrong shape."""
    if inspect.isawaitable(answer) or inspect.isasyncgen(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise _wrong(plugin, hook, answer)
    if hooks.KINDS[hook] == "react" and inspect.isgenerator(answer):
        raise _wrong(plugin, hook, answer)  # nothing of it has run
    if hooks.KINDS[hook] not in ("contribute", "review"):
        return answer
    if answer is None:
        return ()
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        raise _wrong(plugin, hook, answer)
    limit = RECORDS_MAX if hook == "vk_records" else ANSWERS_MAX
    values = tuple(islice(answer, limit + 1))
    if len(values) > limit:
        raise PluginError("plugin_endless", plugin=plugin, hook=hook, limit=limit)
    return (
        values if hooks.KINDS[hook] == "contribute" else tuple(_found(plugin, hook, each) for each in values)
    )


def _found(plugin: str, hook: str, finding: object) -> Finding:
    """Return a finding with its plugin's name; a misspelt severity blocks. Raise PluginError for what is none."""
    if not isinstance(finding, Finding):
        raise _wrong(plugin, hook, finding)
    try:
        plain_text("code", finding.code, 100)  # some are stored
    except InvalidValue:
        raise PluginError(plugin=plugin, hook=hook, problem="Finding.code") from None
    values, texts = finding.values, finding.texts
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and name != "in_" and (each is None or isinstance(each, _TELLABLE))
        for name, each in values.items()
    ):
        raise PluginError(plugin=plugin, hook=hook, problem="Finding.values")
    if not all(isinstance(each, str) for each in (*texts, *texts.values())):
        raise PluginError(plugin=plugin, hook=hook, problem="Finding.texts")
    severity: Literal["block", "warn"] = "warn" if finding.severity == "warn" else "block"
    return attrs.evolve(finding, plugin=plugin, severity=severity)


def _wrong(plugin: str, hook: str, answer: object) -> PluginError:
    return PluginError(
        "plugin_answer", plugin=plugin, hook=hook, found=type(answer).__name__, allowed=answers(hook)
    )


def _said(answer: Any) -> str:
    """Return an answer for the trace: types, and the codes of findings in their proper form; never a value."""
    if answer is None or answer == ():
        return "-"
    if not isinstance(answer, tuple):
        return type(answer).__name__
    shown = dict.fromkeys(
        each.code
        if isinstance(each, Finding) and isinstance(each.code, str) and _CODE.fullmatch(each.code)
        else type(each).__name__
        for each in answer
    )
    return f"{len(answer)} ({', '.join(list(shown)[:10])})"


def arguments(hook: str) -> tuple[str, ...]:
    """Return the names of a hook's arguments.

    >>> arguments("vk_choose_volunteer_number")
    ('organization', 'serial')
    """
    return tuple(inspect.signature(getattr(hooks, hook)).parameters)


def signature(hook: str) -> str:
    """Return a hook's name with its arguments and what it answers, as its specification has them.

    >>> signature("vk_facts")
    'vk_facts() -> Iterable[Fact]'
    """
    return f"{hook}{inspect.signature(getattr(hooks, hook))}".replace("'", "")


def answers(hook: str) -> str:
    """Return what a hook's answer is, as its specification says.

    >>> answers("vk_review_hours")
    'Iterable[Finding]'
    """
    return str(inspect.signature(getattr(hooks, hook)).return_annotation)


def example(hook: str) -> str:
    """Return the example in a hook's manual: a whole plugin file.

    >>> example("vk_facts").splitlines()[0]
    'from volunteerkit import Fact, hookimpl'
    """
    said = inspect.getdoc(getattr(hooks, hook)) or ""
    return inspect.cleandoc(said.partition("Example::\n")[2].partition("\nAdded in ")[0]) + "\n"


def added_in(hook: str) -> str:
    """Return the version of the library that brought a hook.

    >>> added_in("vk_facts")
    '0.1'
    """
    said = inspect.getdoc(getattr(hooks, hook)) or ""
    return said.rpartition("\nAdded in ")[2].strip().removesuffix(".")


def review(desk: Desk, hook: str, **values: Any) -> tuple[Finding, ...]:
    """Return every plugin's findings of a review hook, in the order of the plugins' names."""
    return tuple(finding for _, answer in desk.hooks.get(hook, ()) for finding in answer(**values))


def review_hours(desk: Desk, claim: Claim, overlapping: tuple[Overlap, ...]) -> tuple[Finding, ...]:
    """Return every plugin's findings about ``claim``."""
    return review(desk, "vk_review_hours", claim=claim, overlapping=overlapping)


def review_registration(desk: Desk, application: Application, on: dt.date) -> tuple[Finding, ...]:
    """Return every plugin's findings about an application to be registered."""
    return review(desk, "vk_review_registration", application=application, on=on)


def review_transfer(
    desk: Desk, volunteer: str, from_: str, to: str, effective_on: dt.date
) -> tuple[Finding, ...]:
    """Return every plugin's findings about a transfer from one managing organization to another."""
    values = {"volunteer": volunteer, "from_": from_, "to": to, "effective_on": effective_on}
    return review(desk, "vk_review_transfer", **values)


def choose(bound: Bound, hook: str, **values: Any) -> tuple[str, Any] | None:
    """Return who chose and what, None when no plugin did; raises PluginConflict for two.

    ``bound`` are the hooks of a kit or a desk.
    """
    given = ((plugin, answer(**values)) for plugin, answer in bound.get(hook, ()))
    chosen = [(plugin, answer) for plugin, answer in given if answer is not None]
    if len(chosen) > 1:
        raise PluginConflict(what=hook, first=chosen[0][0], second=chosen[1][0])
    return chosen[0] if chosen else None


def choose_text(bound: Bound, hook: str, **values: Any) -> str | None:
    """Return the one text a plugin chose, None when none did; raises PluginConflict for two."""
    chosen = choose(bound, hook, **values)
    if chosen is not None and not isinstance(chosen[1], str):
        raise _wrong(chosen[0], hook, chosen[1])
    return None if chosen is None else chosen[1]


def worded(bound: Bound, texts: Mapping[str, Mapping[str, str]]) -> Bound:
    """Return the hooks so that a finding without texts gets those that a plugin contributed for its code."""

    def with_texts(answer: Callable[..., Any]) -> Callable[..., Any]:
        def found(**values: Any) -> tuple[Finding, ...]:
            return tuple(
                attrs.evolve(each, texts=texts[each.code]) if not each.texts and each.code in texts else each
                for each in answer(**values)
            )

        return found

    return {
        hook: tuple(
            (plugin, with_texts(answer) if hooks.KINDS[hook] == "review" else answer)
            for plugin, answer in some
        )
        for hook, some in bound.items()
    }
