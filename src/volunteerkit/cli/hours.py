"""The commands ``hours``: record service, confirm or reject what waits, correct what was confirmed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter, Token

from volunteerkit import messages
from volunteerkit.cli.clerk import CaseId, Reason, Volunteer
from volunteerkit.cli.common import City, both, print_json, word
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import After, Json, Limit, Seat, in_chinese, read_day, read_whole
from volunteerkit.cli.recruiting import Shift
from volunteerkit.errors import AlreadyResolved, InvalidValue, NotFound, Refused, VolunteerkitError

if TYPE_CHECKING:
    from volunteerkit.hours import Recorded
    from volunteerkit.store.desk import Desk

__all__ = ["hours"]

hours = App(
    name="hours",
    help=both(
        "申报、确认、驳回时长，冲正、恢复、调整、改记，提出异议和申诉，列出可疑的记录。",
        "Record, confirm and reject hours; reverse, restore, adjust and move; dispute and appeal; list what is doubtful.",
    ),
    **groups(),
)


def __dir__() -> list[str]:
    return __all__


def _read_time(_type: Any, tokens: Sequence[Token]) -> dt.time:
    """Read a time of day in every form in which the importer reads one."""
    from volunteerkit.cli.typed import shown
    from volunteerkit.exchange import cells

    name, value = tokens[0].keyword, tokens[0].value
    try:
        minute = cells.read_time(value)
        return dt.time(minute // 60 % 24, minute % 60)  # 24:00 is the next day's 0:00
    except cells.Cell:
        allowed = messages.phrase("allowed_clock")
        raise ValueError(
            messages.text("invalid_value", name=name, value=shown(value), allowed=allowed)
        ) from None


RecordId = Annotated[
    str, Parameter(name=both("记录编号", "RECORD"), help=both("记录编号", "the record's number"))
]
RecordIds = Annotated[
    tuple[str, ...],
    Parameter(
        name=both("记录编号", "RECORDS"),
        required=True,
        help=both("一个或多个记录编号", "the number of one record or of several"),
    ),
]
Why = Annotated[str, Parameter(help=both("理由（勿写个人信息）", "the reason (no personal data)"))]
From = Annotated[
    dt.date | None,
    Parameter(
        converter=read_day, help=both("从哪一天起生效，默认今天", "takes effect on this day, default today")
    ),
]


Minutes = Annotated[
    int, Parameter(converter=read_whole, help=both("应为多少分钟", "at how many minutes it should stand"))
]


@hours.command(help=in_chinese("申报一次服务，由另一人确认。"))
def record(
    volunteer: Volunteer,
    /,
    *,
    seat: Seat,
    project: Annotated[str, Parameter(help=both("项目编号", "the project's number"))],
    on: Annotated[dt.date, Parameter(converter=read_day, help=both("服务日期", "the day of the service"))],
    minutes: Annotated[
        int | None,
        Parameter(
            converter=read_whole,
            help=both("分钟数，默认从起止时间计算", "minutes, by default those from start to end"),
        ),
    ] = None,
    start: Annotated[
        dt.time | None,
        Parameter(converter=_read_time, help=both("开始时间，如 9:00", "time of day, such as 9:00")),
    ] = None,
    end: Annotated[
        dt.time | None,
        Parameter(
            converter=_read_time,
            help=both("结束时间，早于开始即为次日", "time of day; before the start it is the next day's"),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Record one service, for somebody else to confirm."""
    from volunteerkit import Claim
    from volunteerkit import hours as library
    from volunteerkit.cli.office import print_findings
    from volunteerkit.cli.typed import number_of

    numbers = number_of("volunteer", volunteer), number_of("project", project)
    if minutes is None:
        if start is None or end is None:
            raise InvalidValue("option_missing_here", command="hours record", name="--minutes")
        minutes = (end.hour - start.hour) * 60 + end.minute - start.minute
        minutes %= 24 * 60
    claim = Claim(*numbers, on, minutes, start, end)
    city = seat.city()
    done = city.kit.run(city.engine, city.actor, lambda desk: library.record(desk, claim))
    _tell([done], json)
    if not json:
        print_findings(done.findings)


@hours.command(help=in_chinese("列出等您确认的记录：全部，或某项目、某天的。"))
def pending(
    *,
    seat: Seat,
    project: Annotated[str | None, Parameter(help=both("只看这个项目", "of this project only"))] = None,
    on: Annotated[
        dt.date | None, Parameter(converter=read_day, help=both("只看这一天的服务", "of this day only"))
    ] = None,
    limit: Limit = 50,
    after: After = 0,
    json: Json = False,
) -> None:
    """List the records that wait for your confirmation: all, or those of a project or a day."""
    from volunteerkit import hours as library
    from volunteerkit.cli.common import told_page
    from volunteerkit.cli.tables import print_table
    from volunteerkit.cli.typed import number_of

    number = None if project is None else number_of("project", project)
    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = library.list_pending(
            desk, project=number, served_on=on, after=after, limit=limit + (limit > 0)
        )
    shown = found[:limit]
    if json:
        print_json([attrs.asdict(each) for each in shown])
    elif not shown:
        print(both("没有等您确认的记录。", "No record waits for your confirmation."))
    else:
        heads = (("记录", "record"), ("志愿者", "volunteer"), ("项目", "project"), ("日期", "day"), ("时间", "time"),
                 ("分钟", "minutes"), ("申报者", "recorded by"), ("提示", "note"))  # fmt: skip
        print_table(
            [both(zh, en) for zh, en in heads],
            ((each.record_id, each.volunteer, each.project, each.served_on, _clock(each), each.claimed_minutes,
              each.recorded_by, both("时间重叠", "overlaps") if each.overlaps else "") for each in shown),
            right=(0, 5),
        )  # fmt: skip
    if len(found) > len(shown):
        told_page(len(shown), shown[-1].record_id)


def _clock(each: Any) -> str:
    if each.start_minute < 0:
        return ""
    hour, minute = divmod(each.start_minute, 60)
    ending, last = divmod((each.start_minute + each.clock_minutes) % (24 * 60), 60)
    return f"{hour:02}:{minute:02}–{ending:02}:{last:02}"


@hours.command(help=in_chinese("确认一条或多条待确认的记录：全部确认，或一条也不确认。"))
def confirm(
    records: RecordIds,
    /,
    *,
    seat: Seat,
    minutes: Annotated[
        int | None,
        Parameter(
            converter=read_whole,
            help=both(
                "只确认这么多分钟，须写明理由，每次一条", "only so many minutes, of one record, with a reason"
            ),
        ),
    ] = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Confirm one waiting record or several: all of them or none."""
    from volunteerkit import hours as library

    if minutes is not None and len(records) > 1:
        raise InvalidValue(
            "option_not_here", command=both("一次确认多条", "confirming several"), name="--minutes"
        )
    if minutes is not None and not reason.strip():
        raise InvalidValue("option_missing_here", command="hours confirm --minutes", name="--reason")
    _each(
        records,
        lambda desk, id_: library.confirm(desk, id_, minutes=minutes, reason=reason or None),
        seat,
        json,
    )


@hours.command(help=in_chinese("驳回一条或多条待确认的记录：全部驳回，或一条也不驳回。"))
def reject(records: RecordIds, /, *, seat: Seat, reason: Why, json: Json = False) -> None:
    """Reject one waiting record or several: all of them or none."""
    from volunteerkit import hours as library

    _each(records, lambda desk, id_: library.reject(desk, id_, reason=reason), seat, json)


@hours.command(help=in_chinese("冲正一条已确认的记录，其时长不再计入。"))
def reverse(record: RecordId, /, *, seat: Seat, reason: Why, on: From = None, json: Json = False) -> None:
    """Take back a confirmed record: its minutes count no more."""
    from volunteerkit import hours as library

    _each((record,), lambda desk, id_: library.reverse(desk, id_, reason=reason, effective_on=on), seat, json)


@hours.command(help=in_chinese("恢复一条冲正错了的记录，其时长重新计入。"))
def restore(record: RecordId, /, *, seat: Seat, reason: Why, on: From = None, json: Json = False) -> None:
    """Take back a reversal: the record's minutes count again."""
    from volunteerkit import hours as library

    _each((record,), lambda desk, id_: library.restore(desk, id_, reason=reason, effective_on=on), seat, json)


@hours.command(help=in_chinese("把一条已确认的记录调整为另一分钟数。"))
def adjust(
    record: RecordId, /, *, seat: Seat, minutes: Minutes, reason: Why, on: From = None, json: Json = False
) -> None:
    """Let a confirmed record stand at another number of minutes."""
    from volunteerkit import hours as library

    _each(
        (record,),
        lambda desk, id_: library.adjust(desk, id_, minutes=minutes, reason=reason, effective_on=on),
        seat,
        json,
    )


@hours.command(help=in_chinese("把一条已确认的记录改记到另一项目，成为一条新记录。"))
def move(
    record: RecordId,
    /,
    *,
    seat: Seat,
    project: Annotated[
        str, Parameter(help=both("正确的项目编号", "number of the project that it belongs to"))
    ],
    reason: Why,
    on: From = None,
    json: Json = False,
) -> None:
    """Let a confirmed record stand under another project, as a new record."""
    from volunteerkit import hours as library
    from volunteerkit.cli.typed import number_of

    number = number_of("project", project)
    _each(
        (record,),
        lambda desk, id_: library.move(desk, id_, number, reason=reason, effective_on=on),
        seat,
        json,
    )


@hours.command(help=in_chinese("替柜台前的志愿者对本人一条已入账的记录提出异议，由没有经手的人决定。"))
def dispute(
    record: RecordId,
    volunteer: Volunteer,
    /,
    *,
    seat: Seat,
    minutes: Minutes,
    reason: Why,
    json: Json = False,
) -> None:
    """Dispute a posted record for the volunteer at the counter; somebody who had no part in it decides."""
    from volunteerkit import hours as library
    from volunteerkit.cli.office import moved
    from volunteerkit.cli.typed import id_of

    id_ = id_of("record", record)
    moved(seat.themselves(volunteer), lambda desk: library.dispute(desk, id_, minutes, reason=reason), json)


@hours.command(help=in_chinese("替柜台前的志愿者对被驳回的异议向市中心申诉，只能一次。"))
def appeal(case: CaseId, volunteer: Volunteer, /, *, seat: Seat, reason: Why, json: Json = False) -> None:
    """Appeal to the centre, once, against a refused dispute, for the volunteer at the counter."""
    from volunteerkit import hours as library
    from volunteerkit.cli.office import moved
    from volunteerkit.cli.typed import id_of

    id_ = id_of("case", case)
    moved(seat.themselves(volunteer), lambda desk: library.appeal(desk, id_, reason=reason), json)


@hours.command(help=in_chinese("列出应当查看的记录和原因：过长、重叠、没有签到等。"))
def inspect(*, seat: Seat, limit: Limit = 50, after: After = 0, json: Json = False) -> None:
    """List the records that somebody should look into, and why: too long, overlapping, nobody checked in."""
    from volunteerkit import hours as library
    from volunteerkit.cli.common import told_page
    from volunteerkit.cli.tables import print_table

    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = library.inspect(desk, after=after, limit=limit + (limit > 0))
    rows = found[:limit]
    if json:
        print_json([attrs.asdict(each) for each in rows])
    elif not rows:
        print(both("没有要查看的记录。", "There is no record to look into."))
    else:
        known = messages.catalogue()
        heads = (("记录", "record"), ("志愿者", "volunteer"), ("项目", "project"), ("日期", "day"), ("分钟", "minutes"),
                 ("状态", "state"), ("原因", "reasons"))  # fmt: skip
        print_table(
            [both(zh, en) for zh, en in heads],
            ((each.record_id, each.volunteer, each.project, each.served_on, each.minutes, word("record_state", each.state),
              "\n".join(messages.text(code) if code in known else code for code in each.codes)) for each in rows),
            right=(0, 4),
        )  # fmt: skip
    if len(found) > len(rows):
        told_page(len(rows), rows[-1].record_id)


@hours.command(help=in_chinese("把一个已结束的班次的签到变成待确认的记录，每次签到只一次。"))
def claim(
    shift: Shift,
    /,
    *,
    seat: Seat,
    beyond: Annotated[
        str | None,
        Parameter(
            help=both("班次以外的时间也计，写明理由", "count the time outside of the shift too; the reason")
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Turn the attendance of a shift that is over into records that wait for confirmation, each once."""
    from volunteerkit import hours as library
    from volunteerkit.cli.typed import id_of

    city, id_ = seat.city(), id_of("shift", shift)
    done = city.kit.run(
        city.engine, city.actor, lambda desk: library.claim_attendance(desk, id_, beyond=beyond)
    )
    if json:
        print_json(
            [
                {"volunteer": each.volunteer, "record": each.record_id, "minutes": each.minutes,
                 "findings": [finding.code for finding in each.findings]} for each in done
            ]
        )  # fmt: skip
        return
    if not done:
        print(both("没有可以申报的签到：班次还没有结束，或都已申报。",
                   "There is nothing to claim: the shift is not over, or all was claimed."))  # fmt: skip
    for each in done:
        what = (
            both("没有申报", "not claimed")
            if each.record_id is None
            else both(
                f"记录 {each.record_id}，{each.minutes} 分钟",
                f"record {each.record_id}, {each.minutes} minutes",
            )
        )
        why = "".join(f" {finding.message()}" for finding in each.findings)
        print(f"{each.volunteer}{both('：', ': ')}{what}{why}")


@hours.command(
    name="raise-budget", help=in_chinese("让一个项目可以多发放一些时长：名额不够而服务属实时，由市中心办理。")
)
def raise_budget(
    project: Annotated[
        str, Parameter(name=both("项目编号", "PROJECT"), help=both("项目编号", "the project's number"))
    ],
    /,
    *,
    seat: Seat,
    minutes: Annotated[
        int, Parameter(converter=read_whole, help=both("增加多少分钟", "how many minutes more"))
    ],
    reason: Why,
    json: Json = False,
) -> None:
    """Let a project issue more minutes than its places allow; the centre does, when the service is real."""
    from volunteerkit import hours as library
    from volunteerkit.cli.typed import number_of

    city, number = seat.city(), number_of("project", project)
    limit = city.kit.run(
        city.engine, city.actor, lambda desk: library.raise_budget(desk, number, minutes, reason=reason)
    )
    if json:
        print_json({"project": number, "limit_minutes": limit})
    elif limit is None:
        print(both(f"项目 {number} 的时长没有上限。", f"Project {number} may issue any number of minutes."))
    else:
        print(
            both(f"项目 {number} 最多可发放 {limit} 分钟。", f"Project {number} may issue {limit} minutes.")
        )


def _each(typed: tuple[str, ...], verb: Callable[[Desk, int], Recorded], seat: Seat, json: bool) -> None:
    """Do the verb for every record in one transaction and print what became of them; nothing when one fails."""
    from volunteerkit.cli.typed import id_of

    ids = tuple(dict.fromkeys(id_of("record", each) for each in typed))
    city: City = seat.city()

    def work(desk: Desk) -> list[Recorded]:
        done: list[Recorded] = []
        failed: list[VolunteerkitError] = []
        for id_ in ids:
            try:
                done.append(verb(desk, id_))
            except (NotFound, Refused, AlreadyResolved) as error:
                failed.append(error)
        if failed and len(ids) == 1:
            raise failed[0]
        if failed:
            whole = VolunteerkitError("records_failed", failed=len(failed), count=len(ids))
            for each in failed:
                whole.add_note(f"{each.message()} [{each.code}]")
            raise whole
        return done

    _tell(city.kit.run(city.engine, city.actor, work), json)


def _tell(done: list[Recorded], json: bool) -> None:
    if json:
        print_json(
            [{"record": each.record_id, "state": each.state, "minutes": each.minutes} for each in done]
        )
        return
    for each in done:
        state = word("record_state", each.state)
        print(both(f"记录 {each.record_id}：{state}，{each.minutes} 分钟",
                   f"Record {each.record_id}: {state}, {each.minutes} minutes"))  # fmt: skip
