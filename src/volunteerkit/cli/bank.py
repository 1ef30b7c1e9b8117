"""The commands ``bank``: what a volunteer has in the time bank, held, redeemed, given away, taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter

from volunteerkit.cli.clerk import Reason, Volunteer
from volunteerkit.cli.common import City, both, print_json, word
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import After, Json, Limit, Seat, in_chinese, read_day, read_whole
from volunteerkit.errors import NotPermitted

if TYPE_CHECKING:
    from volunteerkit.hours.bank import Balance, Redemption
    from volunteerkit.store.desk import Desk

__all__ = ["bank"]

bank = App(
    name="bank",
    help=both(
        "储蓄时数（时间银行）：入账、余额、预留、兑换、退还、赠与、明细。",
        "The time bank: settle, balance, hold, redeem, cancel, refund, give, lines.",
    ),
    **groups(),
)


def __dir__() -> list[str]:
    return __all__


RedemptionId = Annotated[
    str, Parameter(name=both("兑换编号", "REDEMPTION"), help=both("兑换编号", "the redemption's number"))
]
Minutes = Annotated[int, Parameter(converter=read_whole, help=both("多少分钟", "how many minutes"))]
Key = Annotated[
    str | None,
    Parameter(name="--once", help=both("自定的标识：同一标识只办一次", "a key of your own: the same key is done once")),
]  # fmt: skip


@bank.command(help=in_chinese("按已确认的时长入账，过期的注销；不写编号则办理全市。"))
def settle(
    volunteer: Annotated[
        str | None,
        Parameter(
            name=both("志愿者编号", "VOLUNTEER"), help=both("只办理这名志愿者", "of this volunteer only")
        ),
    ] = None,
    /,
    *,
    seat: Seat,
    json: Json = False,
) -> None:
    """Deposit what was confirmed and write off what expired; of the whole city without a number."""
    from volunteerkit.cli.typed import number_of
    from volunteerkit.hours import bank as library

    if volunteer is not None:
        number = number_of("volunteer", volunteer)
        city = seat.city()
        found = city.kit.run(city.engine, city.actor, lambda desk: library.settle(desk, number))
        _tell_balance(found, json)
        return
    city, pages = seat.city(), 0
    after: int | None = 0
    while after is not None:
        after, pages = _settle_page(city, after), pages + 1
    if json:
        print_json({"pages": pages})
    else:
        print(both("全市的储蓄时数已入账。", "The time bank of the whole city is settled."))


def _settle_page(city: City, after: int) -> int | None:
    from volunteerkit.hours import bank as library

    return city.kit.run(city.engine, city.actor, lambda desk: library.settle_city(desk, after=after))


@bank.command(help=in_chinese("查看一名志愿者可用、预留和将到期的储蓄时数。"))
def balance(volunteer: Volunteer, /, *, seat: Seat, json: Json = False) -> None:
    """Show what a volunteer has: available, held, and soon to expire."""
    from volunteerkit.cli.typed import number_of
    from volunteerkit.hours import bank as library

    number = number_of("volunteer", volunteer)
    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        _tell_balance(library.balance(desk, number), json)


def _tell_balance(found: Balance, json: bool) -> None:
    if json:
        print_json(attrs.asdict(found) | {"expiring": [{"on": on, "minutes": minutes} for on, minutes in found.expiring]})  # fmt: skip
        return
    print(both(
        f"志愿者 {found.volunteer}：可用 {found.available_minutes} 分钟，预留 {found.held_minutes} 分钟。",
        f"Volunteer {found.volunteer}: {found.available_minutes} minutes available, {found.held_minutes} held.",
    ))  # fmt: skip
    for on, minutes in found.expiring:
        print(both(f"  {minutes} 分钟可用到 {on}", f"  {minutes} minutes may be used until {on}"))


@bank.command(help=in_chinese("替柜台前的志愿者为某组织的一项服务预留分钟数。"))
def hold(
    volunteer: Volunteer,
    organization: Annotated[
        str,
        Parameter(
            name=both("组织编号", "ORGANIZATION"),
            help=both("提供服务的组织", "number of the organization that gives the service"),
        ),
    ],
    /,
    *,
    seat: Seat,
    minutes: Minutes,
    until: Annotated[
        dt.date | None,
        Parameter(converter=read_day, help=both("预留到哪一天（含）", "last day of the hold, inclusive")),
    ] = None,
    once: Key = None,
    json: Json = False,
) -> None:
    """Hold minutes for a service at an organization, for the volunteer at the counter."""
    from volunteerkit.cli.typed import number_of
    from volunteerkit.hours import bank as library

    number, where = number_of("volunteer", volunteer), number_of("organization", organization)
    _done(
        seat.themselves(volunteer),
        lambda desk: library.hold(desk, number, where, minutes=minutes, until=until, key=once),
        json,
    )


@bank.command(help=in_chinese("兑换一笔预留：服务已提供。由该组织的管理员办理。"))
def redeem(redemption: RedemptionId, /, *, seat: Seat, json: Json = False) -> None:
    """Redeem held minutes, as an administrator of the organization that gave the service."""
    from volunteerkit.cli.typed import id_of
    from volunteerkit.hours import bank as library

    id_ = id_of("redemption", redemption)
    _done(seat.city(), lambda desk: library.redeem(desk, id_), json)


@bank.command(help=in_chinese("退还一笔预留，由志愿者本人或该组织办理（--role）。"))
def cancel(redemption: RedemptionId, /, *, seat: Seat, reason: Reason = "", json: Json = False) -> None:
    """Give a hold back, as the volunteer or the organization (--role)."""
    from volunteerkit.cli.typed import id_of
    from volunteerkit.hours import bank as library

    id_ = id_of("redemption", redemption)
    _done(seat.city(), lambda desk: library.cancel(desk, id_, reason=reason), json)


def _done(city: City, work: Callable[[Desk], Redemption], json: bool) -> None:
    try:
        found = city.kit.run(city.engine, city.actor, work)
    except NotPermitted as error:
        error.add_note(both(
            "用 --role 写明身份：志愿者本人 volunteer:V0000001，或组织管理员 organization_admin:O0001。",
            "Say who acts with --role: the volunteer, volunteer:V0000001, or the organization, organization_admin:O0001.",
        ))  # fmt: skip
        raise
    if json:
        print_json(attrs.asdict(found))
        return
    state = word("redemption_state", found.state)
    until = both(f"，到 {found.until}", f" until {found.until}") if found.state == "held" else ""
    print(both(
        f"兑换 {found.id}（{found.volunteer}，{found.organization}，{found.minutes} 分钟）：{state}{until}",
        f"Redemption {found.id} ({found.volunteer}, {found.organization}, {found.minutes} minutes): {state}{until}",
    ))  # fmt: skip


@bank.command(help=in_chinese("提出退回一笔已兑换的分钟数，由市中心另一人决定。"))
def refund(
    redemption: RedemptionId,
    /,
    *,
    seat: Seat,
    reason: Annotated[str, Parameter(help=both("理由（勿写个人信息）", "the reason (no personal data)"))],
    json: Json = False,
) -> None:
    """Propose to give redeemed minutes back; another officer of the centre decides."""
    from volunteerkit.cli.office import moved
    from volunteerkit.cli.typed import id_of
    from volunteerkit.hours import bank as library

    id_ = id_of("redemption", redemption)
    moved(seat.city(), lambda desk: library.propose_refund(desk, id_, reason=reason), json)


@bank.command(help=in_chinese("替柜台前的志愿者把分钟数赠给另一名志愿者。"))
def give(
    volunteer: Volunteer,
    to: Annotated[
        str, Parameter(name=both("受赠人编号", "TO"), help=both("受赠志愿者的编号", "number of who gets them"))
    ],
    /,
    *,
    seat: Seat,
    minutes: Minutes,
    once: Key = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Give minutes to another volunteer, for the one at the counter."""
    from volunteerkit.cli.typed import number_of
    from volunteerkit.hours import bank as library

    number, other = number_of("volunteer", volunteer), number_of("volunteer", to)
    city = seat.themselves(volunteer)
    found = city.kit.run(
        city.engine, city.actor, lambda desk: library.give(desk, number, other, minutes=minutes, key=once)
    )
    _tell_balance(found, json)


def _table(heads: tuple[tuple[str, str], ...], rows: Any, right: tuple[int, ...]) -> None:
    from volunteerkit.cli.tables import print_table

    print_table([both(zh, en) for zh, en in heads], rows, right=right)


@bank.command(help=in_chinese("列出一名志愿者的储蓄时数明细。"))
def lines(
    volunteer: Volunteer,
    /,
    *,
    seat: Seat,
    limit: Limit = 50,
    after: After = 0,
    json: Json = False,
) -> None:
    """List the movements of a volunteer's credit account."""
    from volunteerkit.cli.common import told_page
    from volunteerkit.cli.typed import number_of
    from volunteerkit.hours import bank as library

    number = number_of("volunteer", volunteer)
    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = library.lines(desk, number, after=after, limit=limit + (limit > 0))
    rows = found[:limit]
    if json:
        print_json([attrs.asdict(each) for each in rows])
    elif not rows:
        print(both("没有明细；新确认的时长要先入账（bank settle）。", "There are no lines; newly confirmed hours have to be settled first (bank settle)."))  # fmt: skip
    else:
        _table(
            (("序号", "seq"), ("日期", "day"), ("事项", "what"), ("分钟", "minutes"), ("记录", "record"), ("可用到", "until")),
            ((each.seq, each.on, word("bank_line", each.code), each.minutes, each.record_id, each.expires_on) for each in rows),
            (3,),
        )  # fmt: skip
    if len(found) > len(rows):
        told_page(len(rows), rows[-1].seq)


@bank.command(help=in_chinese("列出一名志愿者的预留和兑换。"))
def redemptions(volunteer: Volunteer, /, *, seat: Seat, json: Json = False) -> None:
    """List what a volunteer held and redeemed."""
    from volunteerkit.cli.typed import number_of
    from volunteerkit.hours import bank as library

    number = number_of("volunteer", volunteer)
    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = library.redemptions(desk, number)
    if json:
        print_json([attrs.asdict(each) for each in found])
    elif not found:
        print(both("没有预留或兑换。", "Nothing was held or redeemed."))
    else:
        _table(
            (("兑换", "redemption"), ("组织", "organization"), ("分钟", "minutes"), ("状态", "state"), ("预留日", "held on"),
             ("到", "until")),
            ((each.id, each.organization, each.minutes, word("redemption_state", each.state), each.held_on, each.until)
             for each in found),
            (2,),
        )  # fmt: skip
