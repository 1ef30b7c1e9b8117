"""The commands of projects and brands: apply, list, show, publish, cancel."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
from cyclopts import App, Group, Parameter

from volunteerkit.cli.common import City, print_json, word
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Json, Seat, both, in_chinese, read_day, read_whole
from volunteerkit.cli.tables import print_table
from volunteerkit.cli.typed import number_of
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.units import day_of, fold

if TYPE_CHECKING:
    from volunteerkit.projects import ProjectForm, ShiftForm

__all__ = ["commands"]

commands = App(**groups())
_office = Group(both("项目", "Projects"), sort_key=1)
_project = App(
    name="project",
    group=_office,
    help=both("申请、查看、发布、取消活动项目。", "Apply for projects, list, show, publish and cancel them."),
    **groups(),
)
_brand = App(name="brand", group=_office, help=both("查看品牌。", "Look at brands."), **groups())
commands.command(_project)
commands.command(_brand)

_SHIFT: Final = re.compile(r"(.+?)[ T]+(\d{1,2}:\d{2})-(\d{1,2}:\d{2})(?: *[x×](\d{1,6}))?", re.ASCII)
_STATED: Final = (
    "place",
    "content",
    "conditions",
    "risks",
    "protection",
    "insurance",
    "agreement",
    "training",
)


def __dir__() -> list[str]:
    return __all__


def _option(zh: str, en: str, name: str | None = None, *, converter: Any = None) -> Parameter:
    return Parameter(name=name, converter=converter, show_default=False, help=both(zh, en))


def _day(zh: str, en: str) -> Parameter:
    return _option(zh, en, converter=read_day)


Number = Annotated[
    str, Parameter(name=both("项目编号", "PROJECT"), help=both("项目编号", "the project's number"))
]
Day = dt.date | None
Text = str | None


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Form:
    """What is asked of an organizer."""

    name: Annotated[str, _option("项目名称", "the project's name")]
    organization: Annotated[str, _option("组织编号", "number of the organization")]
    starts_on: Annotated[dt.date, _day("开始日期", "first day")]
    ends_on: Annotated[dt.date, _day("结束日期（含）", "last day, inclusive")]
    places: Annotated[
        int | None, _option("招募人数", "how many volunteers are looked for", converter=read_whole)
    ] = None
    team: Annotated[Text, _option("服务队编号", "number of the team that runs it")] = None
    brand: Annotated[Text, _option("品牌编号", "number of the brand")] = None
    category: Annotated[str, _option("类别", "its category")] = ""
    area: Annotated[str, _option("所在区县，默认组织的", "district, by default the organization's")] = ""
    shift: Annotated[
        tuple[str, ...],
        Parameter(negative=(), show_default=False, help=both(
            "班次，如 '2026-12-05 09:00-12:00 x10'，可多次给出", "a shift, such as '2026-12-05 09:00-12:00 x10', may be repeated"
        )),
    ] = ()  # fmt: skip
    place: Annotated[str, _option("服务地点", "where it takes place")] = ""
    content: Annotated[str, _option("服务内容", "what volunteers do")] = ""
    conditions: Annotated[str, _option("参加条件", "what is asked of them")] = ""
    risks: Annotated[str, _option("可能的风险", "the risks")] = ""
    protection: Annotated[str, _option("安全保障措施", "the protection against them")] = ""
    insurance: Annotated[str, _option("保险", "the insurance")] = ""
    agreement: Annotated[str, _option("书面协议", "the written agreement")] = ""
    training: Annotated[str, _option("培训", "the training")] = ""


def _shift_of(city: City, text: str) -> ShiftForm:
    from volunteerkit.exchange import cells
    from volunteerkit.projects import ShiftForm, local_time

    found = _SHIFT.fullmatch(fold(text).strip())
    try:
        day = day_of(cells.read_day(found[1])) if found else None
    except cells.Cell:
        day = None
    if found is None or day is None:
        raise InvalidValue(name="--shift", value=text[:60], allowed="2026-12-05 09:00-12:00 x10")
    starts, ends = (each.zfill(5) for each in (found[2], found[3]))
    try:
        begin = local_time(city.kit.zone, day, starts)
        end = local_time(city.kit.zone, day + dt.timedelta(ends <= starts), ends)
    except InvalidValue as error:
        raise InvalidValue(error.code, **error.values | {"name": "--shift"}) from None
    return ShiftForm(begin, end, None if found[4] is None else int(found[4]))


def _form_of(city: City, form: Form) -> ProjectForm:
    from volunteerkit.projects import ProjectForm

    stated = {name: getattr(form, name) for name in _STATED if getattr(form, name)}
    return ProjectForm(
        form.name, number_of("organization", form.organization), form.starts_on, form.ends_on, stated, form.category,
        None if form.brand is None else number_of("brand", form.brand),
        None if form.team is None else number_of("team", form.team), form.area, form.places,
        shifts=tuple(_shift_of(city, each) for each in form.shift),
    )  # fmt: skip


@_project.command(help=in_chinese("申请一个项目，由主管部门或组织审批；--check 只检查，不写入。"))
def apply(
    *,
    form: Form,
    seat: Seat,
    number: Annotated[Text, _option("项目编号，默认自动编号", "its number, by default the next one")] = None,
    back_entry: Annotated[
        Text, _option("补录已办完的活动：写明证明材料", "for what took place already: the evidence")
    ] = None,
    check: Annotated[
        bool, Parameter(negative=(), help=both("只检查，不写入", "check only, write nothing"))
    ] = False,
    json: Json = False,
) -> None:
    """Apply for a project, for the department or the organization to decide; --check only checks."""
    from volunteerkit import projects
    from volunteerkit.cli.office import print_findings

    city = seat.city()
    asked = _form_of(city, form)
    past: dict[str, Any] = {"back_entry": back_entry is not None, "evidence": back_entry or ""}
    if check:
        with city.kit.open(city.engine, city.actor, read_only=True) as desk:
            found = projects.check_application(desk, asked, **past)
        blocks = any(each.severity == "block" for each in found)
        if json:
            print_json({"blocks": blocks, "findings": [
                {"code": each.code, "severity": each.severity, "text": each.message()} for each in found]})  # fmt: skip
        else:
            print_findings(found)
            print(both("不能申请；没有写入任何内容。", "Cannot be applied for; nothing was written.") if blocks
                  else both("可以申请；没有写入任何内容。", "Can be applied for; nothing was written."))  # fmt: skip
        if blocks:
            sys.exit(1)
        return
    made = city.kit.run(
        city.engine, city.actor, lambda desk: projects.apply(desk, asked, number=number, **past)
    )
    if json:
        print_json({"project": made.number, "case": made.case})
    else:
        print(both(f"已申请，项目编号 {made.number}，审批件 {made.case}。",
                   f"Applied for under number {made.number}, case {made.case}."))  # fmt: skip


def _state(project: Any) -> str:
    """Return the word for a project's state, and that its time is past while that does not say so."""
    said = word("project_state", project.status)
    past = project.over and project.status in ("approved", "published")
    return said + both("（已结束）", " (over)") if past else said


def _days(project: Any) -> str:
    shown = [str(each) for each in (project.starts_on, project.ends_on) if each is not None]
    return "–".join(dict.fromkeys(shown))


@_project.command(
    name="list", help=in_chinese("列出已发布的项目；--applications 列出您可管理的全部，含未发布的。")
)
def list_(
    *,
    seat: Seat,
    applications: Annotated[
        bool,
        Parameter(negative=(), help=both("您可管理的全部", "all that you may manage, not yet published ones too")),
    ] = False,
    organization: Annotated[Text, _option("只看这个组织", "of this organization")] = None,
    brand: Annotated[Text, _option("只看这个品牌", "of this brand")] = None,
    category: Annotated[Text, _option("只看这一类别", "of this category")] = None,
    area: Annotated[Text, _option("只看这个区县", "of this district")] = None,
    status: Annotated[Text, _option("只看这一状态，如 published", "with this status, such as published")] = None,
    since: Annotated[Day, _day("此日或以后", "on this day or later")] = None,
    until: Annotated[Day, _day("此日或以前", "on this day or earlier")] = None,
    free: Annotated[bool, Parameter(negative=(), help=both("还有名额的", "with a free place"))] = False,
    over: Annotated[
        bool | None, Parameter(negative="--not-over", show_default=False, help=both(
            "只看已结束的，或还没有结束的", "only what is over, or not yet")),
    ] = None,
    text: Annotated[Text, _option("名称中有这些字", "with this in its name")] = None,
    limit: Annotated[int, Parameter(converter=read_whole, help=both("最多几个", "how many at most"))] = 100,
    json: Json = False,
) -> None:  # fmt: skip
    """List the published projects; --applications lists all that you may manage."""
    from volunteerkit import projects

    city = seat.city()
    shared: dict[str, Any] = {
        "organization": organization,
        "status": status,
        "text": text,
        "limit": limit,
        "over": over,
    }
    public = {"brand": brand, "category": category, "area": area, "since": since, "until": until}
    given = [name for name, value in public.items() if value is not None] + ["free"] * free
    if applications and given:
        raise InvalidValue(
            name="--applications", value=f"--{given[0]}", allowed="--organization, --status, --over, --text"
        )
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        if applications:
            found = projects.list_applications(desk, **shared)
        else:
            found = projects.list_projects(desk, free=True if free else None, **public, **shared)  # type: ignore[arg-type]
    if json:
        print_json([attrs.asdict(each) for each in found])
    elif not found:
        print(both("没有这样的项目。", "There is no such project."))
    else:
        unlimited = both("不限", "any number")
        _table(
            (("编号", "number"), ("名称", "name"), ("组织", "organization"), ("日期", "days"), ("状态", "status"),
             ("余额", "free")),
            ((each.number, each.name, each.organization, _days(each), _state(each),
              unlimited if each.free is None else each.free) for each in found),
        )  # fmt: skip


def _table(heads: tuple[tuple[str, str], ...], rows: Iterable[Iterable[object]]) -> None:
    print_table([both(zh, en) for zh, en in heads], rows)


@_project.command(help=in_chinese("查看一个项目：说明、岗位、班次和名额。"))
def show(project: Number, /, *, seat: Seat, json: Json = False) -> None:
    """Show a project: what it says of itself, its positions, shifts and free places."""
    from volunteerkit import projects

    city, number = seat.city(), number_of("project", project)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        try:
            found = projects.view(desk, number)
        except (NotFound, NotPermitted):
            found = projects.view_application(desk, number)
    if json:
        print_json(attrs.asdict(found) | {"statements": dict(found.statements)})
        return
    print(f"{found.number} {found.name}  {_state(found)}  {_days(found)}")
    for name in _STATED:
        if name in found.statements:
            print(f"  {word('statement', name)}{both('：', ': ')}{found.statements[name]}")
    for each in found.positions:
        print(both(f"  岗位：{each.name}", f"  position: {each.name}"))
    unlimited, gone = both("不限", "any number"), both("已取消", "cancelled")
    if found.shifts:
        _table(
            (("班次", "shift"), ("开始", "from"), ("结束", "to"), ("岗位", "position"), ("余额", "free")),
            ((each.id, f"{each.starts_at:%Y-%m-%d %H:%M}", f"{each.ends_at:%Y-%m-%d %H:%M}", each.position or "",
              gone if each.cancelled else unlimited if each.free is None else each.free) for each in found.shifts),
        )  # fmt: skip


@_project.command(help=in_chinese("发布一个已批准的项目，志愿者即可看到并报名。"))
def publish(project: Number, /, *, seat: Seat, json: Json = False) -> None:
    """Publish an approved project, so that volunteers see and join it."""
    from volunteerkit import projects

    city, number = seat.city(), number_of("project", project)
    found = city.kit.run(city.engine, city.actor, lambda desk: projects.publish(desk, number))
    if json:
        print_json({"project": found.number, "status": found.status})
    else:
        print(both(f"项目 {found.number} 已发布。", f"Project {found.number} is published."))


@_project.command(help=in_chinese("取消一个项目：各班次和报名随之取消，不再有时长。"))
def cancel(
    project: Number,
    /,
    *,
    seat: Seat,
    reason: Annotated[str, _option("理由（勿写个人信息）", "the reason (no personal data)")],
    json: Json = False,
) -> None:
    """Cancel a project: its shifts and everybody's part in them end, and nobody gets hours for it."""
    from volunteerkit import projects

    city, number = seat.city(), number_of("project", project)
    city.kit.run(city.engine, city.actor, lambda desk: projects.cancel(desk, number, reason=reason))
    if json:
        print_json({"project": number, "status": "cancelled"})
    else:
        print(both(f"项目 {number} 已取消。", f"Project {number} is cancelled."))


@_brand.command(name="list", help=in_chinese("列出品牌及其项目数、志愿者数和时长。"))
def brands_(*, seat: Seat, json: Json = False) -> None:
    """List the brands with their projects, volunteers and hours."""
    from volunteerkit import statistics
    from volunteerkit.projects import brands
    from volunteerkit.units import hours_text

    city = seat.city()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        pages = [statistics.brand_page(desk, each.number) for each in brands.list_brands(desk, limit=1000)]
    if json:
        print_json([attrs.asdict(each.brand) | {"projects": each.projects, "volunteers": each.volunteers,
                                                "confirmed_minutes": each.confirmed_minutes,
                                                "group_minutes": each.group_minutes} for each in pages])  # fmt: skip
    elif not pages:
        print(both("还没有品牌。", "There is no brand yet."))
    else:
        _table(
            (("编号", "number"), ("名称", "name"), ("项目", "projects"), ("志愿者", "volunteers"), ("时长", "time"),
             ("集体时长", "group time")),
            ((each.brand.number, each.brand.name, each.projects, each.volunteers, hours_text(each.confirmed_minutes),
              hours_text(each.group_minutes))
             for each in pages),
        )  # fmt: skip
