"""What ``rule try`` prints: who would rise and fall, counted and one by one."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from volunteerkit.cli.common import City, both, print_json, word
from volunteerkit.cli.tables import print_table
from volunteerkit.plugins import contributed
from volunteerkit.rules.explain import grade_name

if TYPE_CHECKING:
    from volunteerkit.rating import Count, Trial
    from volunteerkit.rules import Rulebook, Version

__all__ = ["read_rule", "run_try"]


def __dir__() -> list[str]:
    return __all__


def read_rule(city: City, file: Path) -> Rulebook:
    """Read a rulebook with the facts and functions of the city's plugins; raises RulebookError with all problems."""
    from volunteerkit.rules import FACTS, Rulebook

    facts = FACTS | {fact.name: fact for _, fact in contributed(city.kit.hooks, "vk_facts")}
    return Rulebook.read(file, functions=city.kit.functions, facts=facts)


def run_try(file: Path, city: City, rulebook: str, as_of: dt.date | None, limit: int, json: bool) -> None:
    """Try the rule on the city and print what would change."""
    from volunteerkit import rating

    tried = read_rule(city, file)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        trial = rating.try_rule(desk, tried, as_of=as_of, crediting=rulebook)
    if json:
        print_json(trial.as_dict(limit))
        return
    compared = (
        both(f"与现行 {trial.in_force} 比较", f"against {trial.in_force}")
        if trial.in_force
        else both("现在没有回答这个问题的规则", "with no rule for this question in force")
    )
    print(both(f"试行 {trial.rulebook} [{trial.digest[:12]}]，{compared}，截至 {trial.as_of}。没有写入任何内容。",
               f"Trial of {trial.rulebook} [{trial.digest[:12]}] {compared}, as of {trial.as_of}. Nothing was written."))  # fmt: skip
    if trial.same:
        print(both("两份规则相同，什么都不会变。", "Both are the same rule: nothing changes."))
        return
    everybody = sum(each.volunteers for each in trial.counts)
    print(both(f"{everybody:,} 名志愿者中，{trial.rising:,} 人上升，{trial.falling:,} 人下降。",
               f"Of {everybody:,} volunteers {trial.rising:,} would rise and {trial.falling:,} would fall."))  # fmt: skip
    if left_open := sum(each.volunteers for each in trial.counts if each.after is None):
        print(both(f"其中 {left_open:,} 人试行后缺少事实，无法裁定，也算作下降。",
                   f"Of these {left_open:,} would lack facts and be undetermined; they count as falling."))  # fmt: skip
    if trial.moves:
        _print_counts(trial, limit)
        _print_moves(trial, limit)


def _print_counts(trial: Trial, limit: int) -> None:
    number, before, after = both("人数", "volunteers"), both("现在", "now"), both("试行后", "then")
    moved = Counter({(each.before, each.after): 0 for each in trial.counts})
    for each in trial.counts:
        moved[each.before, each.after] += each.volunteers
    print_table(
        (before, after, number),
        ((_grade(old, trial.version_before), _grade(new, trial.version), f"{count:,}")
         for (old, new), count in moved.items()),
        right=(2,),
    )  # fmt: skip
    heads = (both("上升", "rise"), both("下降", "fall"), both("不变", "stay"))
    for title, name in ((both("年龄段", "age"), _age), (both("组织", "organization"), _organization)):
        rows: dict[str, list[int]] = {}
        for each in trial.counts:
            place = 2 if each.before == each.after else 0 if _rank(each.after) > _rank(each.before) else 1
            rows.setdefault(name(each), [0, 0, 0])[place] += each.volunteers
        shown = (
            (key, *(f"{count:,}" for count in row))
            for key, row in islice(_sorted(rows), limit if name is _organization else None)
        )
        print_table((title, *heads), shown, right=(1, 2, 3))
        if name is _organization and len(rows) > limit:
            print(both(f"另有 {len(rows) - limit:,} 个组织，用 --limit 多列，或 --json。",
                       f"{len(rows) - limit:,} more organizations: list them with --limit, or with --json."))  # fmt: skip


def _sorted(rows: Mapping[str, list[int]]) -> Iterable[tuple[str, list[int]]]:
    return sorted(rows.items(), key=lambda row: (-row[1][0] - row[1][1], row[0]))


def _rank(grade: int | None) -> int:
    return -1 if grade is None else grade


def _age(each: Count) -> str:
    return word("age", each.age)


def _organization(each: Count) -> str:
    return each.organization or both("无", "none")


def _grade(grade: int | None, version: Version | None) -> str:
    if grade is None:
        return both("无法裁定", "undetermined")
    if not grade:
        return both("无", "none")
    return grade_name(version.steps if version else (), grade)


def _print_moves(trial: Trial, limit: int) -> None:
    heads = (both("志愿者", "volunteer"), both("现在", "now"), both("试行后", "then"), both("原因", "why"))
    print_table(
        heads,
        ((each.volunteer, _grade(each.before, trial.version_before), _grade(each.after, trial.version), "; ".join(each.reasons()))
         for each in trial.moves[:limit]),
    )  # fmt: skip
    if len(trial.moves) > limit:
        print(both(f"另有 {len(trial.moves) - limit:,} 人，用 --limit 多列，或 --json。",
                   f"{len(trial.moves) - limit:,} more: list them with --limit, or with --json."))  # fmt: skip
