"""The commands of an office and their options; what they do stands in `volunteerkit.cli.office`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import attrs
from cyclopts import App, Group, Parameter, Token

from volunteerkit import messages
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import After, Json, Limit, Seat, both, in_chinese, read_day, read_whole
from volunteerkit.errors import InvalidValue

__all__ = ["Form", "Reason", "Volunteer", "commands", "office"]

commands = App(**groups())
office = Group(both("办公", "Office"), sort_key=1)
_grants = App(
    name="grants",
    group=office,
    help=both("列出、给予、收回、出借授权。", "List, give, revoke and lend grants."),
    **groups(),
)
commands.command(_grants)


def __dir__() -> list[str]:
    return __all__


def _private_day(type_: Any, tokens: Sequence[Token]) -> dt.date:
    """Read a day that is a personal datum: a wrong one is not repeated."""
    try:
        return read_day(type_, tokens)
    except ValueError:
        allowed = messages.phrase("allowed_day")
        text = messages.text("invalid_value", name=tokens[0].keyword, value="?", allowed=allowed)
        raise ValueError(text) from None


_NUMBER = Parameter(name=both("志愿者编号", "VOLUNTEER"), help=both("志愿者编号", "the volunteer's number"))
Volunteer = Annotated[str, _NUMBER]
CaseId = Annotated[
    str, Parameter(name=both("审批件编号", "CASE"), help=both("审批件编号", "the case's number"))
]
CaseOrVolunteer = Annotated[
    str,
    Parameter(
        name=both("审批件或志愿者编号", "CASE-OR-VOLUNTEER"),
        help=both(
            "审批件编号，或待审核志愿者的编号", "a case's number, or that of a volunteer to be registered"
        ),
    ),
]
GrantId = Annotated[
    str, Parameter(name=both("授权编号", "GRANT"), help=both("授权编号", "the grant's number"))
]
Holder = Annotated[
    str, Parameter(name=both("操作者", "HOLDER"), help=both("操作者编号", "the id of the actor"))
]
Role = Annotated[
    str,
    Parameter(
        name=both("角色", "ROLE"),
        help=both(
            "角色[:范围]，如 department_officer:渝水区", "ROLE[:SCOPE], such as department_officer:渝水区"
        ),
    ),
]
Reason = Annotated[
    str, Parameter(show_default=False, help=both("理由（勿写个人信息）", "the reason (no personal data)"))
]


def _day_option(zh: str, en: str, name: str | None = None) -> Parameter:
    return Parameter(name=name, converter=read_day, help=both(zh, en))


Since = Annotated[dt.date | None, _day_option("起始日，默认今天", "first day, default today")]
Until = Annotated[dt.date | None, _day_option("最后一日（含）", "last day, inclusive")]


@Parameter(name="*")
@attrs.frozen(kw_only=True, repr=False)
class Form:
    """What is asked of an applicant."""

    name: Annotated[str, Parameter(help=both("姓名", "the applicant's name"))]
    organization: Annotated[
        str, Parameter(help=both("管理组织的编号", "number of the managing organization"))
    ]
    identity_number: Annotated[str | None, Parameter(help=both("证件号码", "identity number"))] = None
    phone: Annotated[str | None, Parameter(help=both("电话", "phone"))] = None
    born_on: Annotated[
        dt.date | None, Parameter(converter=_private_day, help=both("出生日期", "day of birth"))
    ] = None
    guardian_name: Annotated[str | None, Parameter(help=both("监护人姓名", "the guardian's name"))] = None
    guardian_phone: Annotated[str | None, Parameter(help=both("监护人电话", "the guardian's phone"))] = None
    guardian_consent: Annotated[
        dt.date | None, _day_option("监护人同意的日期", "the day on which the guardian agreed")
    ] = None
    consent: Annotated[
        dt.date | None, _day_option("本人同意登记的日期", "the day on which the applicant agreed")
    ] = None
    rights: Annotated[
        str | None,
        Parameter(help=both("同意当日确认的权利义务告知书版本", "version of the notice of rights and duties acknowledged that day")),
    ] = None  # fmt: skip
    area: Annotated[str, Parameter(show_default=False, help=both("所在区县", "district"))] = ""
    skill: Annotated[
        tuple[str, ...], Parameter(negative=(), show_default=False, help=both("技能，可多次给出", "a skill, may be repeated"))
    ] = ()  # fmt: skip


@commands.command(group=office, help=in_chinese("登记一名志愿者，由另一人审核；--check 只检查，不写入。"))
def register(
    *,
    form: Form,
    seat: Seat,
    number: Annotated[
        str | None,
        Parameter(
            help=both(
                "公开的志愿者编号，默认随机产生", "the public volunteer number, by default a random one"
            )
        ),
    ] = None,
    check: Annotated[
        bool, Parameter(negative=(), help=both("只检查，不写入", "check only, write nothing"))
    ] = False,
    json: Json = False,
) -> None:
    """Register a volunteer, for somebody else to approve; --check only checks and writes nothing."""
    from volunteerkit.cli.applicants import run_register

    run_register(form, number, seat.city(), check, json)


@commands.command(group=office, help=in_chinese("未通过或撤回登记的人再次申请，由另一人审核。"))
def resubmit(
    volunteer: Volunteer,
    /,
    *,
    seat: Seat,
    consent: Annotated[
        dt.date | None, _day_option("本人再次同意登记的日期", "the day on which the applicant agreed again")
    ] = None,
    json: Json = False,
) -> None:
    """Apply again for somebody who was refused or withdrew, for somebody else to approve."""
    from volunteerkit.cli.applicants import run_resubmit

    run_resubmit(volunteer, consent, seat.city(), json)


@commands.command(
    group=office, help=in_chinese("替已有登记的本人认领：用 --as 写明其登录编号，由市中心核实。")
)
def claim(
    *,
    seat: Seat,
    identity_number: Annotated[str, Parameter(help=both("证件号码", "identity number"))],
    name: Annotated[str, Parameter(help=both("姓名", "name"))],
    phone: Annotated[str, Parameter(show_default=False, help=both("电话", "phone"))] = "",
    json: Json = False,
) -> None:
    """Claim a registration for whoever it is about, who signs in under the id after --as; the centre decides."""
    from volunteerkit.cli.applicants import run_claim

    if seat.as_ is None:  # the terminal's user is not who comes to the counter
        raise InvalidValue("option_missing_here", command="claim", name="--as")
    asked = attrs.evolve(seat, role=seat.role or ("public",))
    run_claim(identity_number, name, phone, asked.city(), json)


@commands.command(group=office, help=in_chinese("列出等您决定的审批件。"))
def pending(
    *,
    seat: Seat,
    every: Annotated[
        bool, Parameter(name="--all", negative=(), help=both("列出可见的全部", "all that you may see"))
    ] = False,
    kind: Annotated[
        str | None, Parameter(help=both("只看这类事项，如 转移", "of this kind only, such as transfer"))
    ] = None,
    limit: Limit = 50,
    after: After = 0,
    json: Json = False,
) -> None:
    """List the cases that wait for your decision."""
    from volunteerkit.cli.office import run_pending

    run_pending(seat.city(), every, kind, limit, after, json)


@commands.command(group=office, help=in_chinese("同意一个审批件，或一名志愿者的登记。"))
def approve(case: CaseOrVolunteer, /, *, seat: Seat, reason: Reason = "", json: Json = False) -> None:
    """Approve a case, or a volunteer's registration."""
    from volunteerkit.cli.office import run_decide

    run_decide(case, "approve", reason, seat.city(), json)


@commands.command(group=office, help=in_chinese("不同意一个审批件，或一名志愿者的登记。"))
def refuse(case: CaseOrVolunteer, /, *, seat: Seat, reason: Reason, json: Json = False) -> None:
    """Refuse a case, or a volunteer's registration."""
    from volunteerkit.cli.office import run_decide

    run_decide(case, "refuse", reason, seat.city(), json)


@commands.command(group=office, help=in_chinese("撤回自己提出的审批件。"))
def withdraw(case: CaseId, /, *, seat: Seat, reason: Reason = "", json: Json = False) -> None:
    """Withdraw a case that you opened."""
    from volunteerkit.cli.office import run_withdraw

    run_withdraw(case, reason, seat.city(), json)


@commands.command(group=office, help=in_chinese("查看一个审批件：决定、异议、意见。"))
def case(case: CaseId, /, *, seat: Seat, json: Json = False) -> None:
    """Show a case with its decisions, objections and findings."""
    from volunteerkit.cli.office import run_case

    run_case(case, seat.city(), json)


@commands.command(group=office, help=in_chinese("申请把志愿者转到另一组织，由两人分别调出、接收。"))
def transfer(
    volunteer: Volunteer,
    /,
    *,
    seat: Seat,
    to: Annotated[str, Parameter(help=both("接收组织的编号", "number of the organization that takes over"))],
    on: Annotated[
        dt.date | None, _day_option("生效日，默认批准之日", "takes effect on this day, default when granted")
    ] = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Ask that another organization manage a volunteer; one person releases, another accepts."""
    from volunteerkit.cli.office import run_transfer

    run_transfer(volunteer, to, on, reason, seat.city(), json)


@commands.command(
    group=office, help=in_chinese("提出把重复登记的一人并入另一编号，由另一人决定；--dry-run 只看结果。")
)
def merge(
    keep: Annotated[
        str, Parameter(name=both("保留的编号", "KEEP"), help=both("保留的志愿者编号", "number of the volunteer that stays"))
    ],
    other: Annotated[
        str, Parameter(name=both("并入的编号", "OTHER"), help=both("并入的志愿者编号", "number that goes into the other one"))
    ],
    /,
    *,
    seat: Seat,
    dry_run: Annotated[
        bool, Parameter(negative=(), help=both("只看结果，不写入", "say what it would do, write nothing"))
    ] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:  # fmt: skip
    """Propose that two registrations are one person, for somebody else to decide; --dry-run only looks."""
    from volunteerkit.cli.merges import run_merge

    run_merge(keep, other, reason, seat.city(), dry_run, json)


@commands.command(group=office, help=in_chinese("提出撤销一次合并，由另一人决定。"))
def unmerge(volunteer: Volunteer, /, *, seat: Seat, reason: Reason, json: Json = False) -> None:
    """Propose that a merged volunteer is somebody else after all, for somebody else to decide."""
    from volunteerkit.cli.merges import run_unmerge

    run_unmerge(volunteer, reason, seat.city(), json)


@commands.command(group=office, help=in_chinese("暂停、请假、试用，结束这些状态，注销或恢复一名志愿者。"))
def status(
    volunteer: Volunteer,
    what: Annotated[
        Literal["suspend", "leave", "probation", "end", "deregister", "reactivate"],
        Parameter(
            name=both("事项", "WHAT"),
            help=both(
                "暂停、请假、试用、结束以上状态（默认昨日止；尚未开始的即取消）、注销、恢复",
                "what to do; end ends what runs (default: with yesterday), or cancels what is to come",
            )
        ),
    ],
    /,
    *,
    seat: Seat,
    since: Since = None,
    until: Until = None,
    reason: Annotated[str | None, Parameter(help=both("理由（勿写个人信息）", "the reason (no personal data)"))] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Suspend a volunteer, note leave or probation, end these, deregister or reactivate."""
    from volunteerkit.cli.office import run_status

    run_status(volunteer, what, {"since": since, "until": until, "reason": reason}, seat.city(), json)


@commands.command(group=office, help=in_chinese("按编号、完整的电话、姓名或其中一部分查找志愿者。"))
def find(
    text: Annotated[
        str,
        Parameter(name=both("文字", "TEXT"), help=both("编号、电话或姓名", "a number, a phone or a name")),
    ],
    /,
    *,
    seat: Seat,
    limit: Annotated[
        int, Parameter(converter=read_whole, help=both("最多列出几人", "how many at most"))
    ] = 20,
    json: Json = False,
) -> None:
    """Find volunteers by number, whole phone, or a name or part of one."""
    from volunteerkit.cli.office import run_find

    run_find(text, limit, seat.city(), json)


@commands.command(group=office, help=in_chinese("查看一名志愿者：遮盖后的个人信息、归属、资质、记录。"))
def show(volunteer: Volunteer, /, *, seat: Seat, json: Json = False) -> None:
    """Show a volunteer: personal data in their masks, memberships, qualifications, record."""
    from volunteerkit.cli.office import run_show

    run_show(volunteer, seat.city(), json)


@_grants.command(name="list", help=in_chinese("列出保存在库中的授权。"))
def list_(
    holder: Annotated[
        str | None,
        Parameter(name=both("操作者", "HOLDER"), help=both("只看这位操作者", "of this actor only")),
    ] = None,
    /,
    *,
    seat: Seat,
    json: Json = False,
) -> None:
    """List the grants kept in the database."""
    from volunteerkit.cli.office import run_grants

    run_grants(holder, seat.city(), json)


@_grants.command(help=in_chinese("提出授予一个市级角色，由市中心另一人决定。"))
def give(
    holder: Holder,
    role: Role,
    /,
    *,
    seat: Seat,
    since: Since = None,
    until: Until = None,
    volunteer: Annotated[
        str | None,
        Parameter(help=both("此人若是志愿者，其编号", "the holder's number as a volunteer, if any")),
    ] = None,
    json: Json = False,
) -> None:
    """Propose to give one of the city's roles; another officer of the centre decides."""
    from volunteerkit.cli.office import run_give

    run_give(holder, role, since, until, volunteer, seat.city(), json)


@_grants.command(help=in_chinese("提出收回一项授权，由市中心另一人决定。"))
def revoke(grant: GrantId, /, *, seat: Seat, until: Until = None, json: Json = False) -> None:
    """Propose to end a grant; another officer of the centre decides."""
    from volunteerkit.cli.office import run_revoke

    run_revoke(grant, until, seat.city(), json)


@_grants.command(help=in_chinese("把本人的一项授权借给别人。"))
def lend(
    holder: Holder,
    role: Role,
    /,
    *,
    seat: Seat,
    until: Annotated[dt.date, _day_option("最后一日（含）", "last day, inclusive")],
    since: Since = None,
    json: Json = False,
) -> None:
    """Lend a grant of your own to somebody."""
    from volunteerkit.cli.office import run_lend

    run_lend(holder, role, since, until, seat.city(), json)


@_grants.command(name="take-back", help=in_chinese("收回借出的授权。"))
def take_back(grant: GrantId, /, *, seat: Seat, json: Json = False) -> None:
    """End a loan of your own at once."""
    from volunteerkit.cli.office import run_take_back

    run_take_back(grant, seat.city(), json)
