"""The commands ``period``: close days for good, ask that some be open again, list what was closed."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import attrs
from cyclopts import App, Parameter

from volunteerkit.cli.common import both, print_json
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Json, Seat, in_chinese, read_day

__all__ = ["period"]

period = App(
    name="period",
    help=both(
        "关账：关账后不再记入，重新开账须另一人同意。",
        "Close days for posting; another person must agree to reopen them.",
    ),
    **groups(),
)


def __dir__() -> list[str]:
    return __all__


First = Annotated[dt.date, Parameter(converter=read_day, help=both("第一日", "first day"))]
Last = Annotated[dt.date, Parameter(converter=read_day, help=both("最后一日（含）", "last day, inclusive"))]


@period.command(help=in_chinese("关账：这些日期不再记入任何时长。"))
def close(
    *,
    seat: Seat,
    first_on: First,
    last_on: Last,
    organization: Annotated[
        str | None,
        Parameter(help=both("只关这个组织的，默认全市", "of this organization only, default the whole city")),
    ] = None,
    json: Json = False,
) -> None:
    """Close days: nothing is posted on them any more."""
    from volunteerkit import hours
    from volunteerkit.cli.typed import number_of

    number = None if organization is None else number_of("organization", organization)
    city = seat.city()
    id_ = city.kit.run(
        city.engine, city.actor, lambda desk: hours.close_period(desk, first_on, last_on, organization=number)
    )
    if json:
        print_json({"period": id_})
    else:
        print(both(f"已关账，编号 {id_}：{first_on} 至 {last_on}。", f"Closed under number {id_}: {first_on} to {last_on}."))  # fmt: skip


@period.command(help=in_chinese("申请把已关账的几天重新打开到某一时刻，由市中心另一人决定。"))
def reopen(
    closing: Annotated[
        str,
        Parameter(
            name=both("关账编号", "CLOSING"), help=both("关账编号（见 period list）", "the closing's number, see period list")
        ),
    ],
    /,
    *,
    seat: Seat,
    first_on: First,
    last_on: Last,
    until: Annotated[
        str,
        Parameter(
            help=both("打开到何时，如 '2026-12-01 18:00'（本市时间）", "until when, such as '2026-12-01 18:00' of the city's clock")
        ),
    ],
    reason: Annotated[str, Parameter(help=both("理由（勿写个人信息）", "the reason (no personal data)"))],
    json: Json = False,
) -> None:  # fmt: skip
    """Ask that some closed days be open again until a moment; another officer of the centre decides."""
    from volunteerkit import hours
    from volunteerkit.cli.office import moved
    from volunteerkit.cli.typed import id_of, instant_of

    id_, city = id_of("period", closing), seat.city()
    moment = instant_of(city, "--until", until)
    moved(
        city,
        lambda desk: hours.reopen_period(desk, id_, first_on, last_on, until=moment, reason=reason),
        json,
    )


@period.command(name="list", help=in_chinese("列出关账和重新开账。"))
def list_(*, seat: Seat, json: Json = False) -> None:
    """List what was closed and what was opened again."""
    from volunteerkit import hours
    from volunteerkit.cli.tables import print_table

    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = hours.periods(desk)
        now = desk.now
    if json:
        print_json([attrs.asdict(each) for each in found])
        return
    if not found:
        print(both("还没有关账。", "Nothing was closed yet."))
        return

    def state(each: hours.Period) -> str:
        if each.recloses_at is None:
            return both("已关账", "closed")
        at = f"{each.recloses_at.astimezone(city.kit.zone):%Y-%m-%d %H:%M}"
        if each.recloses_at <= now:
            return both(f"重新打开过，到 {at}", f"was open again until {at}")
        return both(f"重新打开，到 {at}", f"open again until {at}")

    heads = (("编号", "number"), ("组织", "organization"), ("第一日", "first day"), ("最后一日", "last day"), ("状态", "state"),
             ("关账编号", "of closing"), ("办理人", "by"))  # fmt: skip
    print_table([both(zh, en) for zh, en in heads], (
        (each.id, each.organization or (both("全市", "the whole city") if each.reopens is None else ""), each.first_on, each.last_on,
         state(each), each.reopens, each.closed_by) for each in found
    ))  # fmt: skip
