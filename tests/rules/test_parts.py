"""The parts of a way of crediting: what each does at its edges, in which order, and how it is told."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit.errors import InvalidValue, RulebookError
from volunteerkit.rules import Credited, Record, Rulebook, Version, credit
from volunteerkit.units import day_number

DAY = day_number(dt.date(2026, 11, 9))  # a Monday
HEAD = 'id = "c"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "市文明办办法"\n'


def version(body: str, before: str = "") -> Version:
    head = HEAD.replace("[[version]]", f"{before}\n[[version]]")
    return Rulebook.loads(head + body).versions[0]


def at(day: int, clock: str, minutes: int, **more: Any) -> Record:
    hour, minute = map(int, clock.split(":"))
    return Record(0, DAY + day, hour * 60 + minute, minutes, minutes, **more)


def told(found: Credited) -> list[tuple[int, list[str]]]:
    return [(line.credited_minutes, [why.code for why in line.reasons]) for line in found.lines]


NIGHT = 'window = [{ from = "02:00", to = "06:00", percent = 200 }]\n'


# ---------------------------------------------------------------- windows


def test_a37_minutes_from_two_on_count_twice() -> None:
    found = credit(version(NIGHT), [at(0, "00:00", 160)])
    assert (found.claimed_minutes, found.credited_minutes) == (160, 200)
    assert told(found) == [(200, ["window"])]
    assert found.lines[0].reasons[0].message("zh-CN") == "02:00–06:00 之间的 40 分钟按 200% 计入。"


@pytest.mark.parametrize(
    ("clock", "minutes", "credited"),
    [("01:59", 1, 1), ("01:59", 2, 3), ("02:00", 1, 2), ("05:59", 1, 2), ("05:59", 2, 3), ("06:00", 60, 60)],
)
def test_a_window_takes_its_first_minute_and_not_its_last(clock: str, minutes: int, credited: int) -> None:
    assert credit(version(NIGHT), [at(0, clock, minutes)]).credited_minutes == credited


def test_a38_a_shift_over_windows_and_midnight_is_summed_piece_by_piece() -> None:
    body = """
    window = [
      { from = "22:00", to = "02:00", percent = 150, when = "weekday(served_on) == 1" },
      { from = "00:00", to = "06:00", percent = 200, when = "category == '应急'" },
    ]
    """
    # Monday 21:00 to Tuesday 03:00: 1 h plain, 2 h at 150; after midnight it is Tuesday: 3 h at 200 or plain
    assert credit(version(body), [at(0, "21:00", 360, category="应急")]).credited_minutes == 60 + 180 + 360
    assert credit(version(body), [at(0, "21:00", 360, category="助老")]).credited_minutes == 60 + 180 + 180
    # Sunday 21:00 to Monday 03:00: two hours of Monday lie in the first window
    assert credit(version(body), [at(-1, "21:00", 360, category="应急")]).credited_minutes == 180 + 180 + 120


def test_a_window_may_be_a_whole_day_and_leave_nothing() -> None:
    body = (
        'window = [{ from = "00:00", to = "24:00", percent = 0, when = "served_on == date(2026, 11, 10)" }]'
    )
    assert credit(version(body), [at(0, "23:00", 120)]).credited_minutes == 60


def test_without_a_clock_no_window_applies() -> None:
    assert credit(version(NIGHT), [Record(1, DAY, -1, 0, 60)]).credited_minutes == 60


def test_windows_see_what_once_and_transforms_left() -> None:
    body = "once = true\n" + NIGHT
    # the second record counts from 02:30 on, its last half hour: all of it twice
    found = credit(version(body), [at(0, "01:00", 90), at(0, "02:00", 60)])
    assert [line.credited_minutes for line in found.lines] == [60 + 60, 60]
    cut = NIGHT + 'transform = [{ minutes = "least(minutes, 90)" }]'
    assert credit(version(cut), [at(0, "01:00", 180)]).credited_minutes == 60 + 60
    more = NIGHT + 'transform = [{ minutes = "480" }]'
    assert credit(version(more), [at(0, "01:00", 120)]).credited_minutes == 480 + 60


windows = st.lists(
    st.tuples(
        st.sampled_from(["00:00", "02:00", "21:30", "23:59"]),
        st.sampled_from(["00:01", "02:01", "22:00", "24:00"]),
        st.sampled_from([0, 50, 150, 300]),
        st.sampled_from(["", 'when = "weekday(served_on) in (1, 3)"']),
    ),
    max_size=3,
)


@settings(deadline=None)
@given(windows, st.integers(0, 1439), st.sampled_from([1, 59, 60, 61, 150, 1440, 3000]))
def test_windows_are_the_sum_over_minutes(listed: Any, start: int, minutes: int) -> None:
    body = "".join(
        f'[[version.window]]\nfrom = "{begin}"\nto = "{end}"\npercent = {percent}\n{when}\n'
        for begin, end, percent, when in listed
    )
    rule = version(body)
    expected = 0
    for minute in range(start, start + minutes):
        day, here = DAY + minute // 1440, minute % 1440
        percent = 100
        for window, (*_, when) in zip(rule.windows, listed, strict=True):
            weekday = dt.date.fromordinal(day + dt.date(1970, 1, 1).toordinal()).isoweekday()
            begin, end = window.from_minute, window.to_minute
            inside = begin <= here < end if begin < end else here >= begin or here < end
            if inside and (not when or weekday in (1, 3)):
                percent = window.percent
                break
        expected += percent
    found = credit(rule, [Record(0, DAY, start, minutes, minutes)])
    assert found.scaled * 100 == expected * found.scale


# ---------------------------------------------------------------- transforms


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("floor_to(minutes, 30)", [0, 0, 30, 30, 60]),
        ("ceil_to(minutes, 30)", [0, 30, 30, 60, 60]),
        ("round_to(minutes, 30)", [0, 30, 30, 30, 60]),
        ("greatest(minutes, 45)", [45, 45, 45, 45, 60]),
        ("minutes - 40", [0, 0, 0, 0, 20]),
        ("choose(quantity >= 2, 240 * quantity, minutes)", [0, 29, 30, 31, 60]),
    ],
)
def test_minutes_at_the_edges_of_a_step(rule: str, expected: list[int]) -> None:
    made = version(f'transform = [{{ minutes = "{rule}" }}]')
    assert [
        credit(made, [Record(0, DAY, -1, 0, n)]).credited_minutes for n in (0, 29, 30, 31, 60)
    ] == expected


def test_transforms_follow_one_another_and_each_is_told() -> None:
    body = """
    transform = [
      { when = "kind == 'travel'", minutes = "0", reason = "travel" },
      { minutes = "floor_to(minutes, 30)", because = { zh-CN = "以半小时计。", en = "By half hours." } },
      { when = "minutes >= 60", minutes = "minutes + 10" },
    ]
    """
    found = credit(version(body), [at(0, "08:00", 70), at(0, "10:00", 50, kind="travel"), at(0, "12:00", 30)])
    assert told(found) == [(70, ["transform", "transform"]), (0, ["transform"]), (30, [])]
    first, second = found.lines[0].reasons
    assert first.message("en") == "70 minutes count as 60. By half hours."
    assert (first.values, second.values) == ({"before": 70, "after": 60}, {"before": 60, "after": 70})
    assert found.lines[1].reasons[0].values["reason"] == "travel"


def test_a43_a_late_claim_counts_with_accepted_evidence_only() -> None:
    before = "parameter = { months = 3 }"
    body = 'transform = [{ when = "known_on > months_after(served_on, months) and not evidence", minutes = "0" }]'
    rule, served = version(body, before), day_number(dt.date(2026, 8, 31))
    in_time, late = day_number(dt.date(2026, 11, 30)), day_number(dt.date(2026, 12, 1))

    def minutes(known_on: int, **facts: bool) -> int:
        return credit(rule, [Record(0, served, -1, 0, 60, known_on=known_on, facts=facts)]).credited_minutes

    assert (minutes(in_time), minutes(late), minutes(late, evidence=True)) == (60, 0, 60)
    one = [Record(0, served, -1, 0, 60, known_on=in_time)]
    assert credit(rule, one, {"months": 2}).credited_minutes == 0


# ---------------------------------------------------------------- limits


def test_a45_the_sixth_donation_of_a_year_stays_and_counts_nothing() -> None:
    body = """
    transform = [{ when = "kind == 'whole_blood'", minutes = "240" }]
    limit = [{ per = "year", count = "records", at_most = "5", when = "kind == 'whole_blood'" }]
    """
    days = [dt.date(2026, month, 1) for month in range(1, 7)] + [dt.date(2027, 1, 1)]
    records = [Record(i, day_number(day), -1, 0, 0, kind="whole_blood") for i, day in enumerate(days)]
    found = credit(version(body), [*records, Record(9, DAY, -1, 0, 50)])
    assert found.credited_minutes == 6 * 240 + 50
    assert (found.service_records, found.service_days) == (8, 7)
    sixth = next(line for line in found.lines if line.record_id == 5)
    assert [why.message("zh-CN") for why in sixth.reasons][1:] == [
        "2026 最多计 5 次，这一次不计时长，仍保留记录。"
    ]


@pytest.mark.parametrize(("beyond", "second"), [("cut", 180), ("refuse", 0)])
def test_what_is_over_a_month_is_cut_or_refused(beyond: str, second: int) -> None:
    body = f'limit = [{{ per = "month", at_most = "300", beyond = "{beyond}" }}]'
    found = credit(
        version(body), [at(0, "08:00", 120), at(1, "08:00", 181), at(2, "08:00", 120), at(22, "08:00", 300)]
    )
    # a record that was refused takes nothing from the next one
    assert [line.credited_minutes for line in found.lines] == [
        120,
        second,
        120 if beyond == "refuse" else 0,
        300,
    ]


def test_each_word_has_its_own_limit() -> None:
    body = 'limit = [{ per = "day", by = ["category", "kind"], at_most = "60" }]'
    records = [
        at(0, "08:00", 50, category="助老"), at(0, "09:00", 50, category="助老"), at(0, "10:00", 50, category="环保"),
        at(0, "11:00", 50, category="助老", kind="travel"), at(1, "08:00", 61, category="助老"),
    ]  # fmt: skip
    assert [line.credited_minutes for line in credit(version(body), records).lines] == [50, 10, 50, 50, 60]


def test_limits_follow_one_another() -> None:
    body = """
    limit = [
      { per = "day", at_most = "480" },
      { per = "life", at_most = "600", when = "category == '训练'" },
      { per = "year", at_most = "choose(registered_on > date(2026, 1, 1), 700, 900)" },
    ]
    """
    records = [at(n, "08:00", 500, category="训练") for n in range(2)] + [at(2, "08:00", 500)]
    found = credit(version(body), records, {"registered_on": DAY})
    assert [line.credited_minutes for line in found.lines] == [480, 120, 100]
    assert [[why.code for why in line.reasons] for line in found.lines] == [
        ["day_limit"], ["day_limit", "limit"], ["day_limit", "limit"],
    ]  # fmt: skip
    assert found.lines[1].reasons[1].message("zh-CN") == "累计 最多计 600 分钟，超出的 360 分钟不计。"


# ---------------------------------------------------------------- the day, its routes, its worth elsewhere


@pytest.mark.parametrize(("clock", "day"), [("00:00", -1), ("04:59", -1), ("05:00", 0), ("23:59", 0)])
def test_a24_the_day_begins_at_five(clock: str, day: int) -> None:
    body = 'day_begins = "05:00"\nlimit = [{ per = "day", at_most = "60" }]'
    evening = Record(1, DAY - 1, 22 * 60, 60, 60)
    found = credit(version(body), [evening, at(0, clock, 60)])
    assert (found.credited_minutes, found.service_days) == ((60, 1) if day == -1 else (120, 2))


def test_a19_a_night_belongs_to_the_day_it_began() -> None:
    body = 'limit = [{ per = "day", at_most = "180" }]'
    found = credit(version(body), [at(0, "22:00", 240), at(1, "08:00", 60)])
    assert [line.credited_minutes for line in found.lines] == [180, 60]


ROUTES = """
route = [
  { when = "day_minutes > 720", to = "省级" },
  { when = "day_minutes > 480", to = "挂靠组织", reason = "long", because = { zh-CN = "超过 8 小时。", en = "Over 8 h." } },
]
"""


@pytest.mark.parametrize(
    ("minutes", "counts", "waits"),
    [(480, 480, None), (481, 0, "挂靠组织"), (720, 0, "挂靠组织"), (721, 0, "省级")],
)
def test_a_long_day_waits_for_its_office(minutes: int, counts: int, waits: str | None) -> None:
    found = credit(version(ROUTES), [at(0, "08:00", 60), at(0, "10:00", minutes - 60), at(1, "08:00", 30)])
    assert found.credited_minutes == counts + 30
    assert [(each.day, each.minutes, each.to) for each in found.pending] == (
        [(DAY, minutes, waits)] if waits else []
    )
    assert found.service_days == (1 if waits else 2)
    if waits == "挂靠组织":
        line = found.lines[0]
        assert line.reasons[0].message("zh-CN") == "2026-11-09 的时长须经“挂靠组织”同意后计入。 超过 8 小时。"


def test_a_day_waits_until_all_of_it_was_agreed_to() -> None:
    agreed = {"accepted": True}
    records = [at(0, "08:00", 300, facts=agreed), at(0, "14:00", 300, facts=agreed)]
    assert credit(version(ROUTES), records).credited_minutes == 600
    assert credit(version(ROUTES), [records[0], at(0, "14:00", 300)]).credited_minutes == 0


def test_routes_look_at_what_counts_and_waiting_minutes_have_their_percentage() -> None:
    body = 'day_percent = "150"\nlimit = [{ per = "day", at_most = "480" }]\n' + ROUTES
    assert credit(version(body), [at(0, "08:00", 700)]).pending == ()
    body = 'day_percent = "150"\n' + ROUTES
    assert credit(version(body), [at(0, "08:00", 500)]).pending[0].minutes == 750


def test_full_hours_are_worth_points() -> None:
    body = 'convert = { unit = "积分", every_minutes = 60, gives = 5 }\n'
    for rule in (version(body), version(body + NIGHT)):
        assert [credit(rule, [at(0, "08:00", n)]).converted for n in (59, 60, 119, 120)] == [0, 5, 5, 10]
    assert credit(version(""), [at(0, "08:00", 60)]).converted == 0


def test_a36_raw_and_credited_both_stay_through_every_part() -> None:
    body = """
    select = "kind != 'money'"
    once = true
    coefficient = { by = "kind", percent = { drill = 150 } }
    transform = [{ minutes = "floor_to(minutes, 10)" }]
    window = [{ from = "09:00", to = "10:00", percent = 200 }]
    limit = [{ per = "day", at_most = "400" }]
    day_percent = "50"
    """
    records = [
        at(0, "08:00", 125, kind="drill"), at(0, "10:00", 60, kind="drill"), Record(7, DAY, -1, 0, 9, kind="money"),
    ]  # fmt: skip
    found = credit(version(body), records)
    # 120 of the first, 60 of them twice, times 150 %: 270; of the second 55 are free, 50 count, times 150 %: 75
    assert (found.claimed_minutes, found.scaled, found.scale) == (194, (27_000 + 7_500) * 100 * 50, 1_000_000)
    assert found.credited_minutes == 172
    assert told(found) == [
        (0, ["not_selected"]),
        (135, ["transform", "window", "coefficient", "day_percent"]),
        (37, ["minutes_counted_before", "transform", "coefficient", "day_percent"]),
    ]


def test_an_absent_fact_of_a_part_is_named() -> None:
    before = '[fact.consistent]\ntype = "bool"\nzh-CN = "材料一致"\nen = "evidence agrees"'
    rule = version('transform = [{ when = "not consistent", minutes = "0" }]', before)
    with pytest.raises(InvalidValue) as caught:
        credit(rule, [at(0, "08:00", 60)])
    assert (caught.value.code, caught.value.values) == ("fact_missing", {"name": "consistent"})
    assert credit(rule, [at(0, "08:00", 60)], {"consistent": False}).credited_minutes == 0
    assert credit(rule, [at(0, "08:00", 60, facts={"consistent": True})]).credited_minutes == 60


def test_every_part_enters_the_digest_and_its_words_for_people_do_not() -> None:
    bodies = [
        "", 'transform = [{ minutes = "1" }]', 'transform = [{ minutes = "1", reason = "x" }]', NIGHT,
        'limit = [{ per = "day", at_most = "1" }]', 'limit = [{ per = "year", at_most = "1" }]',
        'limit = [{ per = "day", at_most = "1", by = ["kind"] }]', ROUTES, 'day_begins = "05:00"',
        'convert = { unit = "分", every_minutes = 60 }',
    ]  # fmt: skip
    digests = [version(body).digest for body in bodies]
    digests.append(version("", "parameter = { months = 3 }").digest)
    digests.append(version("", "parameter = { months = 4 }").digest)
    assert len(set(digests)) == len(bodies) + 2
    assert version(ROUTES.replace("Over 8 h.", "More than 8 h.")).digest == version(ROUTES).digest
    assert version('day_begins = "24:00"').digest == version("").digest


@pytest.mark.parametrize(
    ("limit", "days", "expected"),
    [
        (
            'per = "week"',
            ("2026-11-15", "2026-11-16", "2026-11-22", "2026-11-23"),
            180,
        ),  # Sunday, Monday, Sunday, Monday
        ('per = "quarter"', ("2026-03-31", "2026-04-01", "2026-06-30"), 120),
        (
            'per = "quarter"\nyear_begins_month = 2',
            ("2026-01-31", "2026-02-01", "2026-04-30", "2026-05-01"),
            180,
        ),
        ('per = "half_year"', ("2026-06-30", "2026-07-01", "2026-12-31"), 120),
        (
            'per = "half_year"\nyear_begins_month = 9',
            ("2026-02-28", "2026-03-01", "2026-08-31", "2026-09-01"),
            180,
        ),
        (
            'per = "year"\nyear_begins_month = 9',
            ("2025-08-31", "2025-09-01", "2026-08-31", "2026-09-01"),
            180,
        ),
        ('per = "year"', ("2025-08-31", "2025-09-01", "2026-08-31", "2026-09-01"), 120),
    ],
)
def test_limits_of_weeks_terms_and_school_years(limit: str, days: tuple[str, ...], expected: int) -> None:
    version = Rulebook.loads(
        'id = "c"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
        f'[[version.limit]]\nat_most = "60"\n{limit}\n'
    ).versions[0]
    records = [Record(n, day_number(dt.date.fromisoformat(day)), -1, 0, 60) for n, day in enumerate(days)]
    assert credit(version, records).credited_minutes == expected


def test_a_limits_first_month_changes_its_digest_and_needs_a_year() -> None:
    text = (
        'id = "c"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
        'limit = [{ per = "year", at_most = "60", year_begins_month = 1 }]'
    )
    plain = Rulebook.loads(text.replace(", year_begins_month = 1", "")).versions[0].digest
    assert Rulebook.loads(text).versions[0].digest == plain
    assert Rulebook.loads(text.replace("month = 1", "month = 9")).versions[0].digest != plain
    for wrong, code in (("month = 13", "rulebook_range"), ('month = 9, per = "day"', "rulebook_needs")):
        with pytest.raises(RulebookError) as caught:
            Rulebook.loads(
                text.replace("month = 1", wrong).replace(
                    'per = "year", ', "" if "per" in wrong else 'per = "year", '
                )
            )
        assert [problem.code for _, problem in caught.value.problems] == [code]
