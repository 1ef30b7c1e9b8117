"""What ``rule check``, ``rule explain`` and ``rule diff`` print: a rule and its changes in words."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from volunteerkit.cli.common import both, print_json
from volunteerkit.errors import InvalidValue, did_you_mean
from volunteerkit.messages import LANGUAGES, language, phrase, text

if TYPE_CHECKING:
    from volunteerkit.rules import Rulebook, Version

__all__ = ["run_check", "run_diff", "run_explain_rule"]

_DATED = re.compile(r"(.+)@([0-9]{4}-[0-9]{2}-[0-9]{2})")


def __dir__() -> list[str]:
    return __all__


def find_rule(name: str, plugin: tuple[str, ...]) -> Rulebook:
    """Read a rulebook's file, or return the one with that id of the plugins named or installed.

    Raises RulebookError with every problem of a file, InvalidValue for an id that nobody has.
    """
    from volunteerkit.cli.rule import rulebooks_of
    from volunteerkit.kit import Kit
    from volunteerkit.plugins import contributed, installed
    from volunteerkit.rules import FACTS, Rulebook, builtin_rulebooks

    if name.endswith(".toml") or Path(name).is_file():
        kit = Kit.load(*(Path(each) if each.endswith((".py", ".toml")) else each for each in plugin))
        facts = FACTS | {fact.name: fact for _, fact in contributed(kit.hooks, "vk_facts")}
        return Rulebook.read(name, functions=kit.functions, facts=facts)
    books = {book.id: book for book in builtin_rulebooks()}
    books |= {book.id: book for each in plugin or installed() for book in rulebooks_of(each)}
    if name not in books:
        near = did_you_mean(name, books)
        raise InvalidValue("rule_not_found", name=name, known=", ".join(sorted(books)), near=near)
    return books[name]


def _version(name: str, plugin: tuple[str, ...]) -> tuple[Rulebook, Version]:
    """Return the rulebook of ``NAME`` or ``NAME@DATE``, and its newest version or the one in force on that date."""
    if (dated := _DATED.fullmatch(name)) and not Path(name).is_file():
        try:
            day = dt.date.fromisoformat(dated[2])
        except ValueError:
            allowed = phrase("allowed_day")
            raise InvalidValue(name=f"{dated[1]}@", value=dated[2], allowed=allowed) from None
        book = find_rule(dated[1], plugin)
        return book, book.version_on(day)
    book = find_rule(name, plugin)
    return book, book.versions[-1]


def run_check(file: str, plugin: tuple[str, ...], json: bool) -> None:
    """Read a rulebook; raises RulebookError with every problem and its path."""
    book = find_rule(file, plugin)
    versions: list[dict[str, Any]] = [
        {
            "effective_from": str(version.effective_from),
            "digest": version.digest,
            "citation": version.citation,
            "mentions": sorted({name for name in version.facts if name not in version.makes}),
            "makes": list(version.makes),
        }
        for version in book.versions
    ]
    if json:
        print_json({"id": book.id, "decides": book.decides, "versions": versions})
        return
    print(both(f"{book.id}（{book.decides}）没有问题，共 {len(versions)} 个版本。",
               f"{book.id} ({book.decides}) is right, {len(versions)} version(s)."))  # fmt: skip
    for each in versions:
        print(f"  {each['effective_from']}  [{each['digest'][:12]}]  {each['citation']}")
        for name, head in (("mentions", both("提到", "mentions")), ("makes", both("得出", "makes"))):
            if each[name]:
                print(f"    {head}: {', '.join(each[name])}")


def run_explain_rule(file: str, plugin: tuple[str, ...], lang: str | None) -> None:
    """Print a rulebook as sentences, in one language or in both."""
    from volunteerkit.rules.telling import explained_rulebook

    book = find_rule(file, plugin)
    if lang is not None and lang not in (*LANGUAGES, "zh"):
        raise InvalidValue(name="--lang", value=lang, allowed=", ".join(LANGUAGES))
    chosen = LANGUAGES if lang is None else ("zh-CN" if lang == "zh" else lang,)
    print("\n\n".join(explained_rulebook(book, each) for each in chosen))


def run_diff(old: str, new: str, plugin: tuple[str, ...], json: bool) -> None:
    """Print what differs between two versions."""
    from volunteerkit.rules.differing import differences

    (one, before), (other, after) = (_version(each, plugin) for each in (old, new))
    found = differences(before, after)
    titles = one.title != other.title
    if json:
        print_json({
            "old": {"id": one.id, "digest": before.digest}, "new": {"id": other.id, "digest": after.digest},
            "decides": [one.decides, other.decides], "same": before.digest == after.digest, "titles_differ": titles,
            "changes": [each.as_dict() for each in found],
        })  # fmt: skip
        return
    print(f"{one.id} [{before.digest[:12]}] → {other.id} [{after.digest[:12]}]")
    if one.decides != other.decides:
        print(both(f"回答的问题由 {one.decides} 改为 {other.decides}。", f"It decides {other.decides} instead of {one.decides}."))  # fmt: skip
    meant, texts = [each for each in found if not each.text], [each for each in found if each.text]
    if not meant:
        print(text("say_no_difference", language()))
    for each in meant:
        print(f"  {each.message()}")
    if texts or titles:
        print(text("say_only_texts", language()))
        for each in texts:
            print(f"  {each.message()}")
        if titles:
            print(f"  {dict(one.title).get(language(), '—')} → {dict(other.title).get(language(), '—')}")
