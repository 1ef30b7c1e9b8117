"""The demo: a fictitious city, from its files to a report, in one command."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from volunteerkit.cli.city import print_import, print_stars, progress_shown
from volunteerkit.cli.common import both, check_out, command, open_city
from volunteerkit.cli.report import DOCTYPE, ReportFigures, write_report
from volunteerkit.cli.tables import print_table
from volunteerkit.errors import StorageError
from volunteerkit.units import hours_text

__all__ = ["run_demo"]

_SIZES = {False: (33_000, 600, 660, 300_000), True: (3_300, 60, 66, 30_000)}
_BINS = ((1, 10), (10, 20), (20, 50), (50, 100), (100, 300), (300, 600), (600, 1000), (1000, 1500))


def __dir__() -> list[str]:
    return __all__


def run_demo(*, small: bool, db: Path, out: Path) -> None:
    """Make the city, import, rate, explain, report; an earlier demo's database is made anew."""
    if out.is_dir():
        out /= "report.html"
    check_out(out, str(db), None, DOCTYPE.encode())
    _clear(db)
    today = dt.datetime.now(dt.UTC).date()
    last_day = today - dt.timedelta(days=30)
    with tempfile.TemporaryDirectory(prefix="volunteerkit-") as folder, progress_shown() as progress:
        _make(Path(folder), small, last_day, progress)
        city = open_city(str(db), create=True, plugin=("xinyu",))
        report = city.kit.import_directory(city.engine, city.actor, Path(folder), progress=progress)
    print_import(report, str(db))
    figures, rated, example = _figures(city, report)
    print_stars(Counter(rated.grades), rated.ladder, rated.as_of)
    _tables(figures)
    print()
    print(
        both(
            f"例：志愿者 {example.volunteer} 的星级及理由",
            f"For example: the star of volunteer {example.volunteer}, with reasons",
        )
    )
    print(example.assessment.explain())
    write_report(out, figures)
    print()
    print(both(f"报告已写入 {out}。接下来可以试试：", f"The report is {out}. What to try next:"))
    for line in (
        f"explain {example.volunteer} --db {db}",
        f"statement {example.volunteer} --db {db}",
        f"quarantine --db {db}",
        f"export hours --db {db} --out hours.csv",
        f"verify --db {db}",
    ):
        print(f"  {command()} {line}")


def _clear(db: Path) -> None:
    """Remove an earlier demo; anything that is not one is left alone."""
    if not db.exists():
        return
    if not db.name.startswith("demo") or not db.is_file():
        raise StorageError("demo_in_the_way", place=str(db))
    # a key named by the environment may be that of a real city: only the demo's own goes
    for end in ("", "-wal", "-shm", ".key"):
        Path(f"{db}{end}").unlink(missing_ok=True)


def _make(folder: Path, small: bool, last_day: dt.date, progress: Any) -> None:
    from volunteerkit.simulate.population import write_city

    volunteers, organizations, projects, records = _SIZES[small]
    making = both("生成城市", "making the city")
    write_city(folder, volunteers=volunteers, organizations=organizations, projects=projects, records=records,
               years=2, last_day=last_day, progress=lambda done, _: progress(making, done))  # fmt: skip


def _figures(city: Any, report: Any) -> tuple[ReportFigures, Any, Any]:
    from volunteerkit import rating
    from volunteerkit.statistics import city_figures

    with city.kit.open(city.engine, city.actor) as desk:
        rated = rating.rate_city(desk)
        rating.decide_city(desk, rated)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        counted = city_figures(desk)
        # a volunteer with a star and a next one within reach tells most
        place = max(
            range(len(rated.ids)),
            key=lambda i: (rated.grades[i] in (1, 2), rated.credited_minutes[i] % 12000),
        )
        example = rating.rate_volunteer(desk, rated.volunteers[place])
        books = [city.kit.rulebooks["union"], city.kit.rulebooks[rated.ladder]]
        versions = [(book.id, book.version_on(rated.as_of)) for book in books]
    grades = Counter(rated.grades)
    refused: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for file in report.files:
        refused.update(file.refused)
        flagged.update(file.flagged)
    active = [minutes for minutes in rated.credited_minutes if minutes > 0]
    bins = [
        (f"{low}–{high} h", sum(low * 60 <= minutes < high * 60 for minutes in active)) for low, high in _BINS
    ]
    below, above = sum(minutes < 60 for minutes in active), sum(minutes >= 1500 * 60 for minutes in active)
    return ReportFigures(
        city=both("新余市（虚构数据）", "Xinyu (fictitious data)"), as_of=rated.as_of, fictitious=True,
        registered=counted.registered, active=counted.active, claimed_minutes=counted.claimed_minutes,
        credited_minutes=counted.credited_minutes, stars=tuple((grade, grades[grade]) for grade in range(max(grades, default=0) + 1)),
        hours_by_month=counted.by_month[-24:], by_organization=counted.by_organization,
        histogram=(("< 1 h", below), *bins, ("≥ 1500 h", above)), differences=counted.differences,
        refused=tuple(sorted(refused.items())), flagged=tuple(sorted(flagged.items())),
        explanation_zh=f"{example.volunteer}\n{example.assessment.explain('zh-CN')}",
        explanation_en=f"{example.volunteer}\n{example.assessment.explain('en')}",
        rulebooks=tuple((id_, version.digest, version.citation) for id_, version in versions),
    ), rated, example  # fmt: skip


def _tables(figures: ReportFigures) -> None:
    share = figures.active * 1000 // max(figures.registered, 1)
    print(both(f"注册 {figures.registered:,} 人，参加过服务 {figures.active:,} 人（{share // 10}.{share % 10} %）",
               f"{figures.registered:,} registered, {figures.active:,} active ({share // 10}.{share % 10} %)"))  # fmt: skip
    for title, rows in (
        (both("每月时长", "Hours by month"), figures.hours_by_month),
        (both("各组织时长（前 10）", "Hours by organization (first 10)"), figures.by_organization[:10]),
    ):
        print_table(
            ("", both("记录", "claimed"), both("计入", "credited")),
            ((row[0], hours_text(row[1]), hours_text(row[2])) for row in rows),
            title,
            (1, 2),
        )
