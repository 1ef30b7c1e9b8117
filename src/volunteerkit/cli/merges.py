"""Merging two registrations of one person: first what it would do, then the proposal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from volunteerkit.cli.common import City, both, print_json, word
from volunteerkit.cli.office import moved, print_findings
from volunteerkit.cli.tables import print_table
from volunteerkit.cli.typed import number_of
from volunteerkit.errors import InvalidValue

if TYPE_CHECKING:
    from volunteerkit.approvals import Case
    from volunteerkit.store.desk import Desk

__all__ = ["run_merge", "run_unmerge"]


def __dir__() -> list[str]:
    return __all__


def run_merge(keep: str, other: str, reason: str, city: City, dry_run: bool, json: bool) -> None:
    """Propose to merge two volunteers, or with ``dry_run`` say what it would do: exit code 1 when it may not be."""
    from volunteerkit import volunteers

    if not dry_run and not reason.strip():
        raise InvalidValue("option_missing_here", command="merge", name="--reason")

    kept, merged = number_of("volunteer", keep), number_of("volunteer", other)

    def work(desk: Desk) -> Case:
        return volunteers.propose_merge(desk, kept, merged, reason=reason)

    if not dry_run:
        moved(city, work, json)
        return
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        plan = volunteers.plan_merge(desk, kept, merged)
    _print_plan(plan, json)


def _print_plan(plan: Any, json: bool) -> None:
    blocks = any(each.severity == "block" for each in plan.findings)
    if json:
        print_json({
            "keep": plan.keep, "other": plan.other, "blocks": blocks, "moves": dict(plan.moves), "overlaps": plan.overlaps,
            "findings": [{"code": each.code, "severity": each.severity, "text": each.message()} for each in plan.findings],
        })  # fmt: skip
    else:
        print(both(f"保留 {plan.keep}，{plan.other} 并入它，其编号此后指向 {plan.keep}：",
                   f"{plan.keep} is kept, {plan.other} goes into it, and its number stands for {plan.keep} then:"))  # fmt: skip
        print_table(
            (both("内容", "what"), both("条数", "rows")),
            ((word("table", table), count) for table, count in plan.moves),
            right=(1,),
        )
        print_findings(plan.findings)
        print(
            both("不能合并；没有写入任何内容。", "Cannot be merged; nothing was written.")
            if blocks
            else both(
                "可以合并；没有写入任何内容。去掉 --dry-run 并写明 --reason 即提出，由另一人决定。",
                "Can be merged; nothing was written. Without --dry-run and with --reason it is proposed, for somebody else to decide.",
            )
        )
    if blocks:
        sys.exit(1)


def run_unmerge(number: str, reason: str, city: City, json: bool) -> None:
    """Propose that a merged volunteer is somebody else after all."""
    from volunteerkit import volunteers

    typed = number_of("volunteer", number)

    def work(desk: Desk) -> Case:
        return volunteers.propose_unmerge(desk, typed, reason=reason)

    moved(city, work, json)
