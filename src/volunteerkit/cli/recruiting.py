"""Joining and leaving a shift for the volunteer at the counter, and who takes part in it."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal, get_args

import attrs
from cyclopts import App, Group, Parameter

from volunteerkit.cli.clerk import Volunteer
from volunteerkit.cli.common import both, print_json, word
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Json, Seat, in_chinese, read_whole

__all__ = ["commands"]

commands = App(**groups())
_shifts = Group(both("班次", "Shifts"), sort_key=1)
State = Literal[
    "invited", "applied", "waiting", "accepted", "refused", "withdrawn", "cancelled", "completed", "discharged",
    "excused", "missed",
]  # fmt: skip

Shift = Annotated[str, Parameter(name=both("班次编号", "SHIFT"), help=both("班次编号", "the shift's number"))]


def __dir__() -> list[str]:
    return __all__


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Along:
    """Who comes along."""

    guests: Annotated[
        int,
        Parameter(
            converter=read_whole, help=both("同行的非志愿者人数", "how many come along who are no volunteers")
        ),
    ] = 0
    children: Annotated[
        int,
        Parameter(
            converter=read_whole,
            help=both("随行儿童人数，不占名额", "accompanying children, who take no place"),
        ),
    ] = 0
    party: Annotated[
        str | None,
        Parameter(
            help=both("同组代码：同组的人一起被接受", "a code: who gives the same is accepted together")
        ),
    ] = None


@commands.command(group=_shifts, help=in_chinese("替柜台前的志愿者报名一个班次；--check 只检查，不写入。"))
def join(
    shift: Shift,
    volunteer: Volunteer,
    /,
    *,
    seat: Seat,
    along: Along = Along(),
    check: Annotated[
        bool, Parameter(negative=(), help=both("只检查，不写入", "check only, write nothing"))
    ] = False,
    json: Json = False,
) -> None:
    """Join a shift for the volunteer at the counter; --check only checks and writes nothing."""
    from volunteerkit.cli.office import print_findings
    from volunteerkit.cli.typed import id_of, number_of
    from volunteerkit.projects import recruiting

    city = seat.themselves(volunteer)
    given = (id_of("shift", shift), number_of("volunteer", volunteer), along.guests, along.party)
    if check:
        with city.kit.open(city.engine, city.actor, read_only=True) as desk:
            found = recruiting.check_join(desk, *given, children=along.children)
        _print_checked(found, json)
        return
    joined = city.kit.run(
        city.engine, city.actor, lambda desk: recruiting.join(desk, *given, children=along.children)
    )
    if json:
        told = {"participation": joined.participation_id, "state": joined.state}
        print_json(told | {"findings": _told(joined.findings)})
        return
    state = word("participation_state", joined.state)
    print(
        both(
            f"报名 {joined.participation_id}：{state}。",
            f"Participation {joined.participation_id}: {state}.",
        )
    )
    print_findings(joined.findings)


def _told(found: Any) -> list[dict[str, Any]]:
    return [{"code": each.code, "severity": each.severity, "text": each.message()} for each in found]


def _print_checked(found: Any, json: bool) -> None:
    from volunteerkit.cli.office import print_findings

    blocks = any(each.severity == "block" for each in found)
    if json:
        print_json({"blocks": blocks, "findings": _told(found)})
    else:
        print_findings(found)
        print(
            both("不能报名；没有写入任何内容。", "Cannot be joined; nothing was written.")
            if blocks
            else both("可以报名；没有写入任何内容。", "Can be joined; nothing was written.")
        )
    if blocks:
        sys.exit(1)


@commands.command(group=_shifts, help=in_chinese("替柜台前的志愿者退出一个班次；名额由候补的第一人补上。"))
def leave(shift: Shift, volunteer: Volunteer, /, *, seat: Seat, json: Json = False) -> None:
    """Leave a shift for the volunteer at the counter; the first who waits gets the place."""
    from volunteerkit.cli.typed import id_of, number_of
    from volunteerkit.projects import recruiting

    city, id_, number = seat.themselves(volunteer), id_of("shift", shift), number_of("volunteer", volunteer)
    city.kit.run(city.engine, city.actor, lambda desk: recruiting.withdraw(desk, id_, number))
    if json:
        print_json({"shift": id_, "volunteer": number, "state": "withdrawn"})
    else:
        print(both(f"{number} 已退出班次 {id_}。", f"{number} left shift {id_}."))


@commands.command(group=_shifts, help=in_chinese("列出一个班次的参与者、候补和待审核的人，以及剩余名额。"))
def participants(
    shift: Shift,
    /,
    *,
    seat: Seat,
    only: Annotated[State | None, Parameter(help=both("只看这一状态", "this state only"))] = None,
    after: Annotated[
        int,
        Parameter(
            converter=read_whole, help=both("从这个报名编号之后列起", "those after this participation")
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """List who takes part in a shift, waits or is to be decided about, and how many places are free."""
    from volunteerkit.cli.tables import print_table
    from volunteerkit.cli.typed import id_of
    from volunteerkit.projects import participants as organizers
    from volunteerkit.projects import recruiting

    assert only is None or only in get_args(State)
    city, id_ = seat.city(), id_of("shift", shift)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        rows = organizers.list_participants(desk, id_, only=only, after=after)
        places = recruiting.free_places(desk, id_)
    if json:
        shown = [{"participation": each.id, "volunteer": each.volunteer, "name": each.name, "state": each.state,
                  "guests": each.guests, "children": each.children, "phone": each.phone} for each in rows]  # fmt: skip
        print_json(
            {"capacity": places.capacity, "taken": places.taken, "waiting": places.waiting, "rows": shown}
        )
        return
    heads = (("报名", "id"), ("志愿者", "volunteer"), ("姓名", "name"), ("状态", "state"), ("同行", "guests"), ("儿童", "children"),
             ("电话", "phone"))  # fmt: skip
    free = both("不限", "unlimited") if places.free is None else str(places.free)
    title = both(f"班次 {id_}：已占 {places.taken}，候补 {places.waiting}，剩余 {free}",
                 f"Shift {id_}: {places.taken} taken, {places.waiting} waiting, {free} free")  # fmt: skip
    print_table([both(zh, en) for zh, en in heads], (
        (each.id, each.volunteer, each.name, word("participation_state", each.state), each.guests or "", each.children or "",
         each.phone) for each in rows
    ), title)  # fmt: skip
