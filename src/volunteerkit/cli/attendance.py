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
from volunteerkit.cli.options import Json, Seat, in_chinese
from volunteerkit.errors import MissingExtra, Refused

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


@attendance.command(name="list", help=in_chinese("列出一个班次的签到：到、离、分钟、标记。"))
def list_(shift: Shift, /, *, seat: Seat, json: Json = False) -> None:
    """List who checked in to a shift: come, gone, minutes, flags."""
    from volunteerkit.cli.tables import print_table
    from volunteerkit.cli.typed import id_of
    from volunteerkit.projects.attendance import list_attendance

    city = seat.city()
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
