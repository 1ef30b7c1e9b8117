"""The facts the library itself declares: of a record, of a person, and of a volunteer to be rated."""

from __future__ import annotations

from typing import Final

from volunteerkit.rules.expression import CALENDAR, Fact

__all__ = ["DAY_FACTS", "DAY_MINUTES", "FACTS", "GROUP_FACTS", "IN_PARTS", "LADDER_FACTS", "MINUTES", "PERSON_FACTS",
           "PRIVATE", "RECORD_FACTS"]  # fmt: skip

# A day that never comes (in the year 47904): nobody becomes sixty by default.
_NEVER: Final = 2**24


def __dir__() -> list[str]:
    return __all__


def _named(*facts: Fact) -> dict[str, Fact]:
    return {fact.name: fact for fact in facts}


RECORD_FACTS: Final = _named(
    Fact("served_on", "date", "服务日期", "day of service"),
    Fact(
        "start_minute",
        "int",
        "开始时刻（当天第几分钟，不详为 -1）",
        "minute of the day it began, -1 if unknown",
    ),
    Fact("clock_minutes", "int", "起止时长（不详为 0）", "minutes by the clock, 0 if unknown", "minutes"),
    Fact("claimed_minutes", "int", "实际时长", "raw minutes", "minutes"),
    Fact("category", "word", "项目类别", "category of the project"),
    Fact("project", "word", "项目编号", "number of the project"),
    Fact("organization", "word", "组织编号", "number of the organization"),
    Fact("method", "word", "记录方式", "how it was recorded"),
    Fact("kind", "word", "记录种类", "what kind of record it is", default="service"),
    Fact("quantity", "int", "数量", "quantity", default=1),
    Fact("known_on", "date", "登记日期", "day it was entered", default=0),
    Fact("scheme", "word", "所属荣誉或等级办法", "scheme of an award", default=""),
    Fact("grade", "word", "等级", "grade of an award", default=""),
    Fact("member", "word", "成员（家庭、团队）", "member of a family or team", default=""),
    Fact("evidence", "bool", "附有证明", "evidence was attached", default=False),
    Fact(
        "accepted",
        "bool",
        "已由规则指定的审批单位认可",
        "agreed to by the office the rule names",
        default=False,
    ),
)
"""Facts of one record, for the parts that look at records."""

PERSON_FACTS: Final = _named(
    Fact("registered_on", "date", "注册日期", "day of registration", default=0),
    Fact("birth_date", "date", "出生日期", "day of birth"),
    Fact("adult_on", "date", "年满 18 岁之日", "18th birthday", default=0),
    Fact("senior_on", "date", "年满 60 岁之日", "60th birthday", default=_NEVER),
)
"""Facts of a person, beside ``served_on``, for what is decided day by day."""

PRIVATE: Final = frozenset({"birth_date", "adult_on", "senior_on"})
"""Facts that say when somebody was born: rules use them, and no reason, JSON or text of a ruling shows them.

What a rule makes of them, such as an age, is shown.
"""

MINUTES: Final = Fact("minutes", "int", "到这一步为止的时长", "minutes so far", "minutes")
"""What a record counts before a ``transform`` changes it."""

DAY_MINUTES: Final = Fact("day_minutes", "int", "当日计入时长", "credited minutes of the day", "minutes")
"""What a day counts, in whole minutes downwards, for a ``route``."""

DAY_FACTS: Final = _named(
    Fact("today", "date", "评定之日", "the day asked for"),
    Fact("suspended", "bool", "办法已暂停", "the rules are suspended on that day", default=False),
)
"""Facts every rule knows that looks at a subject as a whole: the day, and whether the version is suspended."""

LADDER_FACTS: Final = _named(
    Fact("credited_minutes", "int", "计入时长", "credited minutes", "minutes"),
    Fact("claimed_minutes", "int", "实际时长", "raw minutes", "minutes"),
    Fact("service_days", "int", "服务天数", "days of service", "days"),
    Fact("service_records", "int", "服务次数", "service records", "times"),
    Fact("registered_days", "int", "注册天数", "days since registration", "days"),
)
"""Facts of a volunteer, for ladders."""

GROUP_FACTS: Final = _named(
    LADDER_FACTS["credited_minutes"],
    LADDER_FACTS["claimed_minutes"],
    LADDER_FACTS["service_records"],
    LADDER_FACTS["registered_days"],
    Fact("members_served", "int", "服务过的志愿者人数", "volunteers who served"),
    Fact("projects", "int", "有服务记录的项目数", "projects with service"),
    Fact("evaluation_score", "int", "最近一次评价得分（百分制）", "points of the last evaluation, of 100"),
    Fact("evaluated_days", "int", "距最近一次评价天数", "days since the last evaluation", "days"),
)
"""Facts of an organization, for ladders that decide ``organization_…``."""

IN_PARTS: Final = _named(
    MINUTES,
    DAY_MINUTES,
    Fact(CALENDAR, "date", "工作日历", "calendar of working days"),
)
"""Facts that only some parts of a way of crediting have, and the calendar, which no rule names itself."""

FACTS: Final[dict[str, Fact]] = {**RECORD_FACTS, **PERSON_FACTS, **DAY_FACTS, **LADDER_FACTS,
                                      **GROUP_FACTS}  # fmt: skip
"""All of them; plugins may declare more, which every rule may mention."""
