"""A decision that was kept gives itself again, and a version says whether more minutes may lower it."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from volunteerkit.errors import RulebookError
from volunteerkit.rules import Record, Rulebook
from volunteerkit.rules.deciding import decide
from volunteerkit.units import day_number

ON = dt.date(2026, 11, 25)
TEXT = """
id = "渝水.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "渝水区办法"
measure.minutes_here = { sum = "minutes" }
measure.first_day = { first = "served_on" }
step = [{ award = 1, when = "minutes_here >= 60 and 1 < service_records and first_day < today" }]
"""


def test_kept_facts_alone_give_the_decision_again() -> None:
    book = Rulebook.loads(TEXT)
    records = [Record(n, day_number(ON) - n, -1, 0, 30) for n in (1, 2)]
    kept = json.loads(json.dumps(decide(book, ON, records=records).as_dict()))
    assert kept["schemes"]["star"]["eligible"] == [1]
    assert decide(book, ON, facts=kept["facts"]).as_dict() == kept
    fewer = kept["facts"] | {"minutes_here": 59}
    assert decide(book, ON, facts=fewer).grantings["star"].award == 0


def test_with_records_a_measure_is_reckoned_whatever_the_facts_say() -> None:
    book = Rulebook.loads(TEXT)
    found = decide(book, ON, records=[], facts={"minutes_here": 600})
    assert found.facts["minutes_here"] == 0


@pytest.mark.parametrize(("said", "monotone"), [("", True), ("monotone = false\n", False)])
def test_monotone_is_said_beside_the_source_and_changes_no_digest(said: str, monotone: bool) -> None:
    text = TEXT
    version = Rulebook.loads(text.replace("citation", f"{said}citation")).versions[0]
    assert version.monotone is monotone
    assert version.digest == Rulebook.loads(text).versions[0].digest


def test_monotone_is_yes_or_no() -> None:
    with pytest.raises(RulebookError, match="monotone"):
        Rulebook.loads(TEXT.replace("citation", 'monotone = "no"\ncitation'))
