"""The command ``attendance``: who is there, checking in and out, the code for the screen."""

from __future__ import annotations

import datetime as dt
import io
import sys
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter

from volunteerkit.cli.common import both, print_json, word
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import After, Json, Limit, Seat, in_chinese, read_day
from volunteerkit.errors import InvalidValue, MissingExtra, Refused

if TYPE_CHECKING:
    from volunteerkit.cli.common import City
    from volunteerkit.store.desk import Desk

__all__ = ["attendance"]


def __dir__() -> list[str]:
    return __all__


Shift = Annotated[str, Parameter(name=both("班次", "SHIFT"), help=both("班次编号", "the shift's id"))]
Volunteers = Annotated[
    str,
    Parameter(name=both("志愿者编号", "VOLUNTEER"), help=both("志愿者编号，可多个", "volunteers' numbers")),
]
Code = Annotated[str | None, Parameter(help=both("本人扫到的码", "the code that the volunteer scanned"))]
Device = Annotated[str | None, Parameter(help=both("设备编号", "the device's id"))]
Evidence = Annotated[
    str | None,
    Parameter(help=both("本人自行申报的说明，待核实", "what oneself says for it; waits for a review")),
]
At = Annotated[
    str | None,
    Parameter(
        help=both("时间，如 '2026-11-30 9:00'（本市时间），默认现在", "when, such as '2026-11-30 9:00' of the city's clock; default now")
    ),
]  # fmt: skip

attendance = App(
    name="attendance",
    help=both("签到、签退、名单、现场的码。", "Check in, check out, list, and the code on the spot."),
    **groups(),
)


@attendance.command(
    name="list",
    help=in_chinese("列出一个班次的签到；不写班次，则列出本人的签到：实际、计入的分钟，申报到了哪一步。"),
)
def list_(
    shift: Annotated[
        str | None,
        Parameter(name=both("班次", "SHIFT"), show_default=False, help=both(
            "班次编号；不写则为本人的签到", "the shift's id; without it one's own attendance")),
    ] = None,
    /, *,
    seat: Seat,
    volunteer: Annotated[
        str | None,
        Parameter(show_default=False, help=both(
            "不写班次时：列出这名志愿者的，默认本人", "without a shift: whose, by default one's own")),
    ] = None,
    since: Annotated[
        dt.date | None,
        Parameter(converter=read_day, show_default=False, help=both("此日或以后", "on this day or later")),
    ] = None,
    limit: Limit = 50, after: After = 0, json: Json = False,
) -> None:  # fmt: skip
    """List who checked in to a shift; without one, one's own attendance: minutes raw and credited, and the claim."""
    from volunteerkit.cli.tables import print_table
    from volunteerkit.cli.typed import id_of
    from volunteerkit.projects.attendance import list_attendance

    city = seat.city()
    if shift is None:
        _own(city, volunteer, since, limit, after, json)
        return
    if volunteer is not None or since is not None or after:
        allowed = both("只写班次，或只写志愿者", "a shift alone, or a volunteer")
        name = "--volunteer" if volunteer is not None else "--since" if since is not None else "--after"
        raise InvalidValue(name=name, value=shift[:40], allowed=allowed)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = list_attendance(desk, id_of("shift", shift))
    if json:
        print_json([attrs.asdict(each, filter=lambda field, _: field.name != "place") for each in found])
        return
    if not found:
        print(both("还没有人签到。", "Nobody has checked in yet."))
        return
    heads = [both(*each) for each in (("签到", "attendance"), ("志愿者", "volunteer"), ("到", "came"), ("离", "left"),
                                      ("分钟", "minutes"), ("标记", "flags"))]  # fmt: skip
    zone = city.kit.zone
    print_table(heads, (
        (each.id, each.volunteer, _clock(each.in_at, zone), _clock(each.out_at, zone), each.minutes,
         ", ".join(word("attendance", flag) for flag in each.flags))
        for each in found
    ), right=(0, 4))  # fmt: skip


def _own(
    city: City, volunteer: str | None, since: dt.date | None, limit: int, after: int, json: bool
) -> None:
    """Print one volunteer's pairs, the actor's own by default."""
    from volunteerkit import hours
    from volunteerkit.cli.common import told_page
    from volunteerkit.cli.tables import print_table
    from volunteerkit.cli.typed import number_of

    number: Any = city.actor.volunteer if volunteer is None else number_of("volunteer", volunteer)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = hours.attendance_of(desk, number, since=since, after=after, limit=limit + 1)
    rows = found[:limit]
    if json:
        print_json([
            attrs.asdict(each) | {"reasons": [{"code": one.code, **one.values} for one in each.reasons]}
            for each in rows
        ])  # fmt: skip
        return
    if not rows:
        print(both("没有签到。", "There is no attendance."))
        return
    heads = (("签到", "attendance"), ("项目", "project"), ("到", "came"), ("离", "left"), ("实际", "raw"),
             ("确认", "confirmed"), ("计入", "credited"), ("申报", "claim"), ("说明", "reasons"))  # fmt: skip
    zone = city.kit.zone
    print_table([both(zh, en) for zh, en in heads], (
        (each.attendance_id, each.project_name, _clock(each.in_at, zone), _clock(each.out_at, zone),
         each.raw_minutes, each.confirmed_minutes, each.credited_minutes,
         word("attendance" if each.record_id is None else "record_state", each.claim),
         "; ".join([word("attendance", flag) for flag in each.flags if flag != each.claim]
                   + [one.message() for one in each.reasons]))
        for each in rows
    ), right=(0, 4, 5, 6))  # fmt: skip
    if len(found) > len(rows):
        told_page(len(rows), rows[-1].attendance_id)


@attendance.command(
    name="revoke-device", help=in_chinese("作废一台丢失或被盗的设备：它以后上传、签到都不再接受。")
)
def revoke_device(
    device: Annotated[str, Parameter(name=both("设备编号", "DEVICE"), help=both("设备编号", "the device's id"))],
    /, *,
    seat: Seat,
    reason: Annotated[str, Parameter(help=both("理由（勿写个人信息）", "the reason (no personal data)"))],
    json: Json = False,
) -> None:  # fmt: skip
    """Revoke a device that was lost or stolen: nothing that it uploads or enters is taken any more."""
    from volunteerkit.projects import batches

    city = seat.city()
    city.kit.run(city.engine, city.actor, lambda desk: batches.revoke_device(desk, device, reason=reason))
    if json:
        print_json({"device": device, "revoked": True})
    else:
        print(both(f"设备 {device} 已作废；此前的签到照旧。补办的设备请用新的编号。",
                   f"Device {device} is revoked; what it entered before stands. Give its successor a new id."))  # fmt: skip


@attendance.command(name="check-in", help=in_chinese("签到：负责人的名单、设备、本人的码或说明。"))
def check_in(
    shift: Shift, /, *volunteers: Volunteers, seat: Seat, code: Code = None, device: Device = None,
    evidence: Evidence = None, at: At = None, json: Json = False,
) -> None:  # fmt: skip
    """Check people in: by the leader's list, a device, or one's own code or report."""
    _mark("in", seat, shift, volunteers, {"code": code, "device": device, "evidence": evidence}, at, json)


@attendance.command(name="check-out", help=in_chinese("签退，方式与签到相同。"))
def check_out(
    shift: Shift, /, *volunteers: Volunteers, seat: Seat, code: Code = None, device: Device = None,
    evidence: Evidence = None, at: At = None, json: Json = False,
) -> None:  # fmt: skip
    """Check people out, in the same ways."""
    _mark("out", seat, shift, volunteers, {"code": code, "device": device, "evidence": evidence}, at, json)


@attendance.command(name="code", help=in_chinese("显示现场屏幕上的码，过一会儿就换。"))
def code_(
    shift: Shift, /, *, seat: Seat,
    out: Annotated[bool, Parameter(negative=(), help=both("签退的码", "the code for checking out"))] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Show the code for the screen on the spot; it changes after a while."""
    from volunteerkit.cli.typed import id_of
    from volunteerkit.projects.codes import code_qr, shift_code

    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        code = shift_code(desk, id_of("shift", shift), "out" if out else "in")
    seconds = city.kit.policy.code_seconds
    if json:
        print_json({"code": code, "seconds": seconds})
        return
    try:
        drawn = io.StringIO()
        code_qr(code).terminal(out=drawn, compact=True)
        print(drawn.getvalue(), end="")
    except MissingExtra as missing:  # the text alone can be typed, too
        print(missing.message(), file=sys.stderr)
    print(code)
    print(both(f"每 {seconds} 秒更换一次。", f"It changes every {seconds} seconds."))


def _mark(
    purpose: str, seat: Seat, shift: str, volunteers: tuple[str, ...], ways: dict[str, str | None],
    at: str | None, json: bool,
) -> None:  # fmt: skip
    """Enter one person, or the leader's list; exit code 1 when somebody was refused."""
    from volunteerkit.cli.typed import id_of, instant_of, number_of
    from volunteerkit.projects import attendance as verbs

    city, shift_id = seat.city(), id_of("shift", shift)
    numbers = [number_of("volunteer", each) for each in volunteers]
    when = None if at is None else instant_of(city, "--at", at)

    def work(desk: Desk) -> list[Any]:
        if numbers and any(ways.values()):
            enter = verbs.check_in if purpose == "in" else verbs.check_out
            return [enter(desk, shift_id, each, at=when, **ways) for each in numbers]
        return list(verbs.check_list(desk, shift_id, numbers, purpose, at=when))

    answers = city.kit.run(city.engine, city.actor, work)
    _tell(city, purpose, numbers, answers, json)
    if any(isinstance(each, Refused) for each in answers):
        sys.exit(1)


def _tell(city: City, purpose: str, numbers: list[str], answers: list[Any], json: bool) -> None:
    if json:
        print_json([
            {"volunteer": number, "refused": [finding.code for finding in each.findings]}
            if isinstance(each, Refused) else attrs.asdict(each)
            for number, each in zip(numbers, answers, strict=True)
        ])  # fmt: skip
        return
    for number, each in zip(numbers, answers, strict=True):
        if isinstance(each, Refused):
            print(f"{number}{both('：', ': ')}{each.message()}")
            continue
        at = _clock(each.in_at if purpose == "in" else each.out_at, city.kit.zone)
        said = {
            "in": both(f"{at} 签到", f"checked in at {at}"),
            "out": both(f"{at} 签退", f"checked out at {at}"),
        }
        before = both("（此前已登记）", " (before)") if each.repeated else ""
        print(f"{number}{both('：', ': ')}{said[purpose]}{before}")


def _clock(instant: dt.datetime | None, zone: dt.tzinfo) -> str:
    return "" if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
