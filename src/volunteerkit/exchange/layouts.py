"""The five tables of a city: their columns, what people call them in Chinese and English, and word values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from volunteerkit.errors import nearest
from volunteerkit.exchange.cells import Cell, clean, read_minutes
from volunteerkit.messages import Phrase, language, phrase

__all__ = [
    "ENTITIES",
    "PERSONAL",
    "REQUIRED",
    "Recognised",
    "is_title",
    "is_word",
    "lengths",
    "recognise",
    "state",
    "table_named",
    "titles_for",
    "unplaced_titles",
    "word",
]

# field: other headers for it, beside its own name; the first is the one of the sample's Chinese headers
_VOLUNTEERS: Final = {
    "volunteer_id": "志愿者编号 志愿者id 志愿者号 编号 volunteer volunteer_no volunteer_number member_id volid",
    "name": "姓名 名字 志愿者姓名 full_name volunteer_name",
    "sex": "性别 gender",
    "birth_date": "出生日期 生日 出生年月日 dob date_of_birth birthday birth",
    "resident_id": "身份证号 身份证号码 证件号码 居民身份证号 id_number identity_number id_card",
    "phone": "手机 手机号 手机号码 电话 联系电话 mobile phone_number telephone",
    "district": "县区 区县 所在区县 区域 area county",
    "org_id": "所属组织编号 组织编号 所属组织 organization_id organisation_id organization",
    "team_id": "服务队编号 所属服务队编号 团队编号 team",
    "registered_at": "注册时间 注册日期 登记时间 registered_on registration_date dateregistered date_registered",
    "status": "状态 审核状态 state",
}
_ORGANIZATIONS: Final = {
    "org_id": "组织编号 所属组织编号 机构编号 organization_id organisation_id",
    "org_name": "组织名称 机构名称 organization_name organisation_name",
    "org_type": "组织类型 机构类型 organization_type",
    "uscc": "统一社会信用代码 社会信用代码 credit_code",
    "parent_org_id": "上级组织编号 上级组织 parent_id parent",
    "registered_at": "注册时间 登记时间 registered_on",
    "status": "状态 state",
    "incubated": "孵化基地 是否入驻孵化基地",
}
_TEAMS: Final = {
    "team_id": "服务队编号 团队编号 队伍编号 team",
    "team_name": "服务队名称 团队名称 队伍名称",
    "org_id": "所属组织编号 组织编号 organization_id organisation_id",
    "status": "状态 state",
}
_PROJECTS: Final = {
    "project_id": "项目编号 活动编号 project placementid opportunity_id",
    "project_name": "项目名称 活动名称 title",
    "brand": "品牌 志愿服务品牌",
    "category": "类别 服务类别 类型",
    "org_id": "所属组织编号 组织编号 organization_id organisation_id",
    "start_date": "开始日期 起始日期 startdate",
    "end_date": "结束日期 截止日期 enddate",
    "recruit_target": "招募人数 计划招募人数 places",
    "status": "状态 state",
}
_RECORDS: Final = {
    "record_id": "记录编号 记录id 流水号 id",
    "volunteer_id": "志愿者编号 志愿者id 志愿者号 volunteer volunteer_no volunteer_number member_id volid",
    "project_id": "项目编号 活动编号 project placementid",
    "team_id": "服务队编号 团队编号 team",
    "service_date": "服务日期 活动日期 日期 date served_on sessiondate",
    "start_time": "开始时间 签到时间 start sessionstarttime",
    "end_time": "结束时间 签退时间 end",
    "hours": "服务时长 时长 服务时长小时 小时数 hours_logged hourslogged duration"
    " minutes 分钟 分钟数 服务分钟数 duration_minutes",
    "status": "状态 审核状态 state",
    "source": "来源 记录方式 method",
    "recorded_at": "录入时间 登记时间 created_at entered_at",
}
ENTITIES: Final[dict[str, dict[str, str]]] = {
    "organizations": _ORGANIZATIONS,
    "teams": _TEAMS,
    "projects": _PROJECTS,
    "volunteers": _VOLUNTEERS,
    "service_records": _RECORDS,
}
"""The five tables, in the order in which they are loaded, each with its fields and their other headers."""

_FILES: Final = {
    "organizations": "组织 志愿服务组织 组织信息",
    "teams": "服务队 志愿服务队 服务队信息",
    "projects": "项目 志愿服务项目 项目信息",
    "volunteers": "志愿者 志愿者信息 志愿者名单",
    "service_records": "服务记录 志愿服务记录",
}
"""What people call the files of the five tables, beside the tables' own names."""

REQUIRED: Final = {
    "organizations": ("org_id", "org_name"),
    "teams": ("team_id", "team_name", "org_id"),
    "projects": ("project_id", "project_name", "org_id"),
    "volunteers": ("volunteer_id", "name", "org_id", "registered_at"),
    "service_records": ("volunteer_id", "project_id", "service_date", "hours", "status"),
}
PERSONAL: Final = frozenset({"name", "sex", "birth_date", "resident_id", "phone"})

_WORDS: Final[dict[str, dict[str, str]]] = {
    "status": {
        "confirmed": "已确认 确认 已认定", "pending": "待审核 待确认 审核中", "rejected": "已驳回 驳回 未通过",
        "cancelled": "已取消 取消 canceled", "approved": "已通过 通过", "suspended": "已暂停 暂停",
        "deregistered": "已注销 注销", "active": "进行中 正常 有效", "dissolved": "已解散",
    },
    "source": {"checkin": "签到 扫码签到 check-in", "manual": "补录 手工 手工补录", "import": "导入", "claim": "申报 自主申报"},
    "sex": {"M": "男 male 男性", "F": "女 female 女性"},
    "incubated": {"yes": "是 true 1 y", "no": "否 false 0 n"},
}  # fmt: skip
_IN_MINUTES: Final = re.compile(
    r"^(?!.*(?:hour|小时)).*(?:分钟|(?<![a-z])min(?:ute)?s?(?![a-z]))", re.IGNORECASE
)
_BARE: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_TITLES: Final = frozenset(
    name
    for columns in ENTITIES.values()
    for field, others in columns.items()
    for name in (field, *others.split())
)
_PARTS: Final = frozenset(part for name in _TITLES for part in name.split("_"))
_HAN: Final = re.compile("[\u4e00-\u9fff]")
_STATES: Final[dict[str, dict[str, str]]] = {
    "organizations": {"active": "active approved", "dissolved": "dissolved deregistered",
                      "pending": "pending", "rejected": "rejected", "suspended": "suspended"},
    "teams": {"approved": "approved active", "dissolved": "dissolved deregistered", "pending": "pending",
              "rejected": "rejected", "suspended": "suspended"},
    "projects": {"approved": "approved active", "pending": "pending", "rejected": "rejected",
                 "cancelled": "cancelled", "suspended": "suspended", "deregistered": "deregistered"},
    "volunteers": {"approved": "approved active", "pending": "pending", "rejected": "rejected",
                   "suspended": "suspended", "deregistered": "deregistered"},
    "service_records": {"confirmed": "confirmed", "pending": "pending", "rejected": "rejected",
                        "cancelled": "cancelled"},
}  # fmt: skip
"""The statuses of each table, with the words that mean them there: who is 正常 is active or approved."""
_FOUND: Final = {
    field: {other.casefold(): name for name, others in words.items() for other in (name, *others.split())}
    for field, words in _WORDS.items()
}


def __dir__() -> list[str]:
    return __all__


def word(field: str, text: str) -> str:
    """Return the word that ``text`` stands for, in Chinese or English; raises Cell word_unknown.

    >>> word("status", "已确认"), word("sex", "Female")
    ('confirmed', 'F')
    """
    found = _FOUND[field].get(clean(text).casefold())
    if found is None:
        raise Cell("status_unknown" if field == "status" else "word_unknown")
    return found


def is_word(text: str) -> bool:
    """Tell whether ``text`` is a word of any column's vocabulary.

    >>> is_word("已注销"), is_word("欧阳雪")
    (True, False)
    """
    plain = clean(text).casefold()
    return any(plain in words for words in _FOUND.values())


def state(entity: str, text: str) -> str:
    """Return the status that ``text`` means in a table; raises Cell status_unknown for one it does not have.

    >>> state("volunteers", "正常"), state("organizations", "已通过")
    ('approved', 'active')
    """
    said = word("status", text)
    for status, words in _STATES[entity].items():
        if said in words.split():
            return status
    raise Cell("status_unknown")


def lengths(title: str) -> Callable[[str], int]:
    """Return what reads a length under ``title`` as minutes: bare numbers are hours unless it says minutes.

    It raises Cell as `read_minutes` does, and minutes_unreadable where the title says minutes.

    >>> lengths("服务时长（分钟）")("150"), lengths("hours")("2.5")
    (150, 150)
    """
    if not _IN_MINUTES.search(title):
        return read_minutes

    def read(text: str) -> int:
        try:
            return read_minutes(f"{text.strip()}分钟" if _BARE.fullmatch(clean(text)) else text)
        except Cell as problem:
            # the other reason's advice, hours such as 2.5, would be taken for minutes here
            raise Cell(problem.reason.replace("hours_unreadable", "minutes_unreadable")) from None

    return read


@attrs.frozen
class Recognised:
    """What a header was taken for: field -> column, the columns nobody could place, titles that stand twice."""

    entity: str
    columns: dict[str, int]
    unplaced: tuple[int, ...]
    missing: tuple[str, ...]
    twice: tuple[str, ...]


def _plain(header: str) -> str:
    """A header without brackets, case and spaces: ``身份证号（虚构）`` is ``身份证号``."""
    bare = re.sub(r"\(.*?\)", "", clean(header)).strip()
    return re.sub(r"[\s_-]+", "_", bare).casefold()


def _placed(entity: str, header: Sequence[str]) -> Recognised:
    names = {
        _plain(other): field
        for field, others in reversed(ENTITIES[entity].items())
        for other in (*reversed(others.split()), field)
    }
    columns: dict[str, int] = {}
    unplaced: list[int] = []
    twice: list[str] = []
    for position, title in enumerate(header):
        field = names.get(_plain(title))
        if field is None or field in columns:
            unplaced.append(position)
            if field is not None and _plain(header[columns[field]]) == _plain(title):
                twice.append(title)
        else:
            columns[field] = position
    missing = tuple(field for field in REQUIRED[entity] if field not in columns)
    return Recognised(entity, columns, tuple(unplaced), missing, tuple(twice))


def table_named(stem: str) -> str:
    """Return the table that a file's name without its ending is the name of, empty for another name.

    >>> table_named("Volunteers"), table_named("志愿者"), table_named("名单")
    ('volunteers', 'volunteers', '')
    """
    plain = clean(stem).casefold()
    return next((entity for entity in ENTITIES if plain in (entity, *_FILES[entity].split())), "")


def recognise(header: Sequence[str], stem: str = "") -> Recognised:
    """Return which table a header belongs to and where its fields stand.

    The file's name (``stem``) goes first when it is a table's; else the table that most columns fit and
    nothing required is missing from. ``missing`` is not empty when none fits.

    >>> recognise(["记录编号", "志愿者编号", "项目编号", "服务日期", "服务时长（小时）", "状态"]).entity
    'service_records'
    """
    if named := table_named(stem):
        return _placed(named, header)
    found = [_placed(entity, header) for entity in ENTITIES]
    return max(
        found, key=lambda each: (not each.missing, len(each.columns) - len(each.unplaced), -len(each.missing))
    )


def is_title(text: str) -> bool:
    """Tell whether ``text`` is or resembles a column's title, so that it can be shown.

    Without a header the first line is somebody's row: whatever does not look like a title may be personal.

    >>> is_title("服务时长（小时）"), is_title("Team status"), is_title("欧阳雪")
    (True, True, False)
    """
    plain = _plain(text)
    if not any(letter.isalnum() for letter in text):
        return True
    return plain in _TITLES or set(plain.split("_")) <= _PARTS or bool(nearest(plain, _TITLES, 0.8))


def unplaced_titles(header: Sequence[str], places: Iterable[int]) -> Phrase | str:
    """Return the end of a message about columns that have no meaning here: titles, or numbers where those may be data.

    ``places`` are positions in ``header``, from 0.
    """
    wanted = [(place, header[place]) for place in places]
    shown = [title for _, title in wanted if is_title(title)]
    hidden = [str(place + 1) for place, title in wanted if title.strip() and not is_title(title)]
    parts = {"titles": ", ".join(f"“{title.strip()}”" for title in shown), "numbers": ", ".join(hidden)}
    code = "columns_unplaced" if shown and hidden else "columns_shown" if shown else "columns_hidden"
    return phrase(code, **parts) if shown or hidden else ""


def titles_for(entity: str, fields: Iterable[str], header: Sequence[str] = ()) -> str:
    """Return what the columns ``fields`` are called in the language of ``header``, or else of the reader.

    >>> titles_for("volunteers", ["volunteer_id", "name"], ["手机"])
    '志愿者编号、姓名'
    """
    known = "".join(title for title in header if is_title(title))
    if _HAN.search(known) or (language() == "zh-CN" and not any(map(str.isalnum, known))):
        return "、".join(ENTITIES[entity][field].split()[0] for field in fields)
    return ", ".join(fields)
