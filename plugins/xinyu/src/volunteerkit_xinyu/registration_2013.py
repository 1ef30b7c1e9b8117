"""Who may become a registered volunteer, as the Youth League's measures of 2013 say.

From 18 on everybody; from 16 to 18 who lives mainly on income of their own; from 14 to 18 with the consent of
the legal representative; pupils under 18 as the school's rules say. The consent itself, and the special rules
for the data of children under 14, are the library's: they follow from the law, not from a city.

Xinyu's own conditions are not public. Whoever wants these loads this plugin by its name, beside ``xinyu``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from volunteerkit import Finding, hookimpl
from volunteerkit.clock import years_after
from volunteerkit.volunteers import Application

YOUNGEST = 14
ADULT = 18


@hookimpl
def vk_review_registration(application: Application, on: dt.date) -> Iterable[Finding]:
    """Refuse children under 14, and pupils under 18 for whom the school has not done its part."""
    if application.born_on is None:  # the library itself tells the office that the age is unknown
        return
    if on < years_after(application.born_on, YOUNGEST):
        yield Finding(
            "registration_2013.age",
            {"age": YOUNGEST},
            texts={
                "zh-CN": "未满 {age} 周岁，不能成为注册志愿者。满 {age} 周岁以后再申请。",
                "en": "Nobody under {age} becomes a registered volunteer. Apply again from that birthday on.",
            },
        )
        return
    school_first = application.student and not application.school_procedure
    if school_first and on < years_after(application.born_on, ADULT):
        yield Finding(
            "registration_2013.school",
            {"age": ADULT},
            texts={
                "zh-CN": "未满 {age} 周岁的在校学生，先按学校的规定办理，再由学校或本人申请。",
                "en": "A pupil under {age} applies after the school's own procedure is done. Ask the school first.",
            },
        )
