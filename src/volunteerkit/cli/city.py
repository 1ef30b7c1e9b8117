"""Commands on a city's database: import, quarantine, rate, explain, statement, export."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import attrs
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from volunteerkit import messages
from volunteerkit.cli.common import City, both, check_out, command, open_city, print_json
from volunteerkit.cli.tables import console, print_table
from volunteerkit.cli.typed import known_number
from volunteerkit.errors import ImportRefused, InvalidValue, StorageError
from volunteerkit.units import hours_text

if TYPE_CHECKING:
    from volunteerkit.cli.app import Place
    from volunteerkit.kit import Kit
    from volunteerkit.rating import CityRating

__all__ = [
    "run_explain",
    "run_export",
    "run_export_ledger",
    "run_import",
    "run_quarantine",
    "run_rate",
    "run_statement",
]

_PAGE = 200
_REFUSED = {
    "file": "文件",
    "row": "行",
    "column": "列",
    "value": "值",
    "reason": "原因",
    "how_to_mend": "如何修正",
}
_FLAGGED = {
    "kind": "原因",
    "volunteer": "志愿者",
    "record": "记录",
    "place": "组织或服务队",
    "day": "日期",
    "file": "文件",
    "meaning": "含义",
}


def __dir__() -> list[str]:
    return __all__


@contextmanager
def progress_shown(quiet: bool = False) -> Iterator[Any]:
    """Yield a function (file, rows) that moves a progress line on a terminal and is silent elsewhere."""
    terminal = console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=terminal, disable=quiet or not terminal.is_terminal, transient=True
    ) as progress:
        tasks: dict[str, Any] = {}

        def told(file: str, rows: int) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file, total=None)
            progress.update(tasks[file], completed=rows)

        yield told


def run_import(
    folder: Path, place: Place, mapping: Path | None, as_of: dt.date | None, strict: bool, json: bool
) -> None:
    """Import a folder and print the counts."""
    from volunteerkit.exchange import plan_directory
    from volunteerkit.exchange.proposing import propose_mapping

    try:
        plan_directory(folder, mapping)
    except ImportRefused as error:
        if (
            mapping is None
            and error.code in ("no_table", "file_columns_missing")
            and any(folder.glob("*.csv"))
        ):
            # what the file says of itself is the best start for its mapping
            print(propose_mapping(folder))
        if "://" not in place.db and not Path(place.db).exists():
            raise  # a folder that cannot be imported makes no database
    city = place.open(create=True)
    with progress_shown(json) as progress:
        report = city.kit.import_directory(
            city.engine, city.actor, folder, mapping=mapping, as_of=as_of, strict=strict, progress=progress
        )
    if json:
        print_json(report.as_dict())
    else:
        print_import(report, place.db)
    refused = [file for file in report.files if file.read and sum(file.refused.values()) == file.read]
    if refused:
        files = ", ".join(f"{file.file} ({file.read:,})" for file in refused)
        raise ImportRefused("every_row_refused", files=files)


def print_import(report: Any, db: str) -> None:
    """Print an import's counts as tables."""
    headers = (("文件", "file"), ("读取", "read"), ("新增", "new"), ("更新", "updated"), ("未变", "unchanged"),
               ("计入", "credited"), ("跳过", "skipped"), ("拒绝", "refused"))  # fmt: skip
    print_table(
        [both(zh, en) for zh, en in headers],
        ((file.file, f"{file.read:,}", f"{file.new:,}", f"{file.updated:,}", f"{file.unchanged:,}",
          "" if file.credited is None else f"{file.credited:,}", f"{sum(file.skipped.values()):,}",
          f"{sum(file.refused.values()):,}") for file in report.files),
        both("导入结果", "Import"),
        range(1, len(headers)),
    )  # fmt: skip
    for each in report.left_out:
        print(both(f"未导入：{each.file}：{each.why}", f"Not imported: {each.file}: {each.why}"))
    for title, attribute in (
        (both("拒绝的行", "Refused rows"), "refused"),
        (both("存疑但计入的行", "Flagged, still credited"), "flagged"),
    ):
        counts: Counter[str] = Counter()
        for file in report.files:
            counts.update(getattr(file, attribute))
        if counts:
            print_table(
                (both("代码", "code"), both("行数", "rows"), both("含义", "meaning")),
                ((code, f"{count:,}", messages.text(code)) for code, count in counts.most_common()),
                title,
                (1,),
            )
    if any(file.flagged for file in report.files):
        print(both(f"逐条查看存疑的行：{command()} quarantine --flagged --db {db}",
                   f"See what is flagged one by one: {command()} quarantine --flagged --db {db}"))  # fmt: skip
    if any(file.refused for file in report.files):
        print(both(f"逐行查看并修正：{command()} quarantine --db {db}",
                   f"See and mend them row by row: {command()} quarantine --db {db}"))  # fmt: skip


def run_quarantine(
    db: str, out: Path | None, reason: str | None, flagged: bool, page: int, json: bool
) -> None:
    """List the refused rows of every file's last import, or what is flagged."""
    from volunteerkit import exchange

    if out is not None:
        check_out(out, db, None, codecs.BOM_UTF8)
    if not flagged and reason in {*messages.codes("flags")} - {*messages.codes("reasons")}:
        raise InvalidValue("reason_is_flag", reason=reason)
    city = open_city(db)
    first, most = max(page - 1, 0) * _PAGE, None if json or out is not None else _PAGE
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        if flagged:
            count = sum(exchange.count_flagged(desk, reason).values())
            rows: list[Any] = list(exchange.flagged_rows(desk, reason, first=first if most else 0, most=most))
        else:
            found = exchange.refused_rows(desk, reason)
            count, rows = len(found), list(found[first : first + most] if most else found)
    pages = max(-(-count // _PAGE), 1)
    if not 1 <= page <= pages:
        raise InvalidValue(name="--page", value=page, allowed=f"1 … {pages}")
    heads = _FLAGGED if flagged else _REFUSED
    cells = [tuple(getattr(row, name) for name in heads) for row in rows]
    if json:
        print_json([dict(zip(heads, row, strict=True)) for row in cells])
    elif out is not None:
        write_csv(out, tuple(heads), cells)
        print(both(f"已写入 {len(rows)} 行：{out}", f"Wrote {len(rows)} rows to {out}"))
    elif not count:
        print(_none(flagged, reason))
    else:
        _print_page(heads, rows, page, count)


def _none(flagged: bool, reason: str | None) -> str:
    if reason is not None:
        return both(f"没有原因为 {reason} 的行。", f"There is no row with the reason {reason}.")
    return both("没有存疑的行。" if flagged else "没有被拒绝的行。", "Nothing is flagged." if flagged else "No row is refused.")  # fmt: skip


def _print_page(heads: dict[str, str], rows: list[Any], page: int, count: int) -> None:
    whole = [row for row in rows if getattr(row, "row", 1) == 0]
    for row in whole:
        print(
            both(
                f"{row.at} 整个文件被拒绝，没有导入任何行：",
                f"{row.at} refused as a whole, no row was imported:",
            )
        )
        print(f"  {row.how_to_mend} [{row.reason}]")
    if others := [row for row in rows if row not in whole]:
        print_table(
            [both(zh, name) for name, zh in heads.items()],
            [tuple(str(getattr(row, name)) for name in heads) for row in others],
        )
    pages = -(-count // _PAGE)
    if pages > 1:
        print(
            both(
                f"第 {page} 页，共 {pages} 页、{count:,} 行；--page {min(page + 1, pages)} 看另一页，--out 文件.csv 全部导出。",
                f"Page {page} of {pages}, {count:,} rows; --page {min(page + 1, pages)} shows another, --out FILE.csv writes all.",
            )
        )


def run_rate(
    city: City, rulebook: str, as_of: dt.date | None, decide: bool, json: bool, decides: str = "star"
) -> None:
    """Rate the city and print how many volunteers hold each grade."""
    from volunteerkit import rating

    with city.kit.open(city.engine, city.actor, read_only=not decide) as desk:
        rated = rating.rate_city(desk, rulebook=rulebook, as_of=as_of, decides=decides)
        decided = rating.decide_city(desk, rated) if decide else None
        fallen = rating.fallen(desk, rated) if decide else ()
    counts = Counter(rated.grades)
    if json:
        print_json({
            "as_of": rated.as_of, "rulebook": rated.credit_rulebook, "ladder": rated.ladder, "digest": rated.ladder_digest,
            "volunteers": len(rated.ids), "grades": {str(grade): counts[grade] for grade in sorted(counts)},
            "claimed_minutes": sum(rated.claimed_minutes), "credited_minutes": sum(rated.credited_minutes), "decided": decided,
            "fallen": [attrs.asdict(each) for each in fallen],
        })  # fmt: skip
        return
    _print_grades(counts, rated, city.kit)
    if left_open := sum(each.allowed is None for each in rated.standings):
        print(both(f"其中 {left_open:,} 人缺少事实，无法裁定，暂记为“无”。用 explain 查看某一人缺什么。",
                   f"Of these {left_open:,} lack facts and are undetermined; they are counted as none. explain tells what somebody lacks."))  # fmt: skip
    if decided is not None:
        print(both(f"写入 {decided} 项决定。", f"{decided} decisions were written."))
    if fallen:
        _print_fallen(fallen)


def _print_fallen(fallen: Any) -> None:
    print(both("以下志愿者持有的等级高于条件所许，等待决定：",
               "These volunteers hold more than the conditions allow; somebody has to decide:"))  # fmt: skip
    heads = (
        ("志愿者", "volunteer"),
        ("持有", "holds"),
        ("条件所许", "allowed"),
        ("此后冲正", "reversed since"),
    )
    print_table(
        [both(zh, en) for zh, en in heads],
        ((each.volunteer, each.held, each.allowed,
          "; ".join(f"{one.on} #{one.record_id} -{hours_text(one.minutes)}" for one in each.reversals)) for each in fallen),
        right=(1, 2),
    )  # fmt: skip


def print_stars(counts: Counter[int], ladder: str, as_of: dt.date) -> None:
    """Print volunteers per star."""
    print(both(f"志愿者星级（{ladder}，截至 {as_of}）", f"Volunteers per star ({ladder}, as of {as_of})"))
    print_table(
        (both("星级", "stars"), both("人数", "volunteers")),
        (("★" * grade or both("无", "none"), f"{counts[grade]:,}") for grade in sorted(counts)),
        right=(1,),
    )


def _print_grades(counts: Counter[int], rated: CityRating, kit: Kit) -> None:
    """Print volunteers per grade: stars where the question is how many, else by the names of the grades."""
    if not rated.ladder:
        print(both("没有加载评定星级的规则，所以没有评定。用 --plugin 加载一份，或用 --decides 选别的问题。",
                   "No rule for stars is loaded, so nobody was rated. Load one with --plugin, or choose another question with --decides."))  # fmt: skip
        return
    if rated.question.rpartition(".")[2] == "star":
        print_stars(counts, rated.ladder, rated.as_of)
        return
    from volunteerkit.rating.stream import scheme_asked
    from volunteerkit.rules.explain import grade_name

    book = kit.rulebooks[rated.ladder]
    steps = scheme_asked(book, book.version_on(rated.as_of), rated.question).steps
    question, ladder, as_of = rated.question, rated.ladder, rated.as_of
    print(
        both(
            f"“{question}”的等级（{ladder}，截至 {as_of}）",
            f"Volunteers per grade of {question} ({ladder}, as of {as_of})",
        )
    )
    print_table(
        (both("等级", "grade"), both("人数", "volunteers")),
        (
            (grade_name(steps, grade) if grade else both("无", "none"), f"{counts[grade]:,}")
            for grade in sorted(counts)
        ),
        right=(1,),
    )


def run_explain(
    volunteer: str, city: City, rulebook: str, as_of: dt.date | None, json: bool, decides: str = "star"
) -> None:
    """Explain one volunteer's grade."""
    from volunteerkit import rating

    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        volunteer = known_number(desk, "volunteer", volunteer)
        rated = rating.rate_volunteer(desk, volunteer, rulebook=rulebook, as_of=as_of, decides=decides)
    if json:
        beside = {"decision": rated.decision.as_dict()} if rated.decision else {}
        print_json({"volunteer": volunteer, **rated.assessment.as_dict(), **beside})
        return
    print(volunteer)
    print(rated.assessment.explain())
    if rated.decision is not None:
        print(rated.decision.explain())


def run_statement(
    volunteer: str, city: City, rulebook: str, as_of: dt.date | None, known_at: int | None, json: bool
) -> None:
    """Print a volunteer's statement."""
    from volunteerkit import hours

    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        volunteer = known_number(desk, "volunteer", volunteer)
        found = hours.statement(desk, volunteer, as_of=as_of, known_at=known_at, rulebook=rulebook)
    if json:
        print_json({
            "volunteer": found.volunteer, "as_of": found.as_of, "known_at": found.known_at, "rulebook": found.rulebook,
            "digest": found.digest, "confirmed_minutes": found.confirmed_minutes, "credited_minutes": found.credited_minutes,
            "lines": [
                {"record": line.record_id, "served_on": line.served_on, "project": line.project, "claimed_minutes": line.claimed_minutes,
                 "confirmed_minutes": line.confirmed_minutes, "credited_minutes": line.credited_minutes, "seq": line.seq, "disputed": line.disputed,
                 "reasons": [{"code": reason.code, **reason.values} for reason in line.reasons]}
                for line in found.lines
            ],
        })  # fmt: skip
        return
    page = city.kit.render(found)
    if page is not None:
        print(page)
        return
    title = both(
        f"{volunteer} 截至 {found.as_of}，按账本序号 {found.known_at} 所知（单位：分钟）",
        f"{volunteer} as of {found.as_of}, as known at seq {found.known_at} (in minutes)",
    )
    print(title)
    heads = (("序号", "seq"), ("记录", "record"), ("日期", "day"), ("项目", "project"), ("申报", "claimed"), ("确认", "confirmed"),
             ("计入", "credited"), ("原因", "reasons"))  # fmt: skip
    disputed = both("有异议，待决定", "disputed, not decided yet")
    print_table(
        [both(zh, en) for zh, en in heads],
        ((line.seq, line.record_id, line.served_on, line.project, line.claimed_minutes, line.confirmed_minutes,
          line.credited_minutes, "; ".join([disputed] * line.disputed + [reason.message() for reason in line.reasons]))
         for line in found.lines),
        right=(4, 5, 6),
    )  # fmt: skip
    print(both(f"确认 {hours_text(found.confirmed_minutes)}，按 {found.rulebook} [{found.digest[:12]}] 计入 {hours_text(found.credited_minutes)}",
               f"confirmed {hours_text(found.confirmed_minutes)}, credited under {found.rulebook} [{found.digest[:12]}] {hours_text(found.credited_minutes)}"))  # fmt: skip


def run_export(place: Place, out: Path, rulebook: str, as_of: dt.date | None) -> None:
    """Write one row a volunteer."""
    from volunteerkit import rating

    check_out(out, place.db, place.key_file, codecs.BOM_UTF8)
    city = place.open()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        desk.permit("hours.export")
        rated = rating.rate_city(desk, rulebook=rulebook, as_of=as_of)
    grades: list[Any] = list(rated.grades) or [""] * len(rated.ids)
    rows = zip(
        rated.volunteers,
        rated.claimed_minutes,
        rated.credited_minutes,
        rated.service_records,
        grades,
        strict=True,
    )
    write_csv(out, ("volunteer_id", "claimed_minutes", "credited_minutes", "records", "grade"), rows)
    print(
        both(f"已写入 {len(rated.ids)} 行：{out}", f"Wrote {len(rated.ids)} rows to {out}"), file=sys.stderr
    )


def run_export_brands(place: Place, out: Path) -> None:
    """Write one row a brand, with its figures."""
    from volunteerkit import statistics
    from volunteerkit.projects import brands

    check_out(out, place.db, place.key_file, codecs.BOM_UTF8)
    city = place.open()
    pages, after = list[statistics.BrandPage](), ""
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        while found := brands.list_brands(desk, after=after):
            pages += [statistics.brand_page(desk, each.number) for each in found]
            after = found[-1].number
    header = ("brand_id", "name", "summary", "organization_id", "area", "founded_on", "ended_on", "projects",
              "volunteers", "confirmed_minutes", "group_minutes")  # fmt: skip
    rows = (
        (*attrs.astuple(each.brand, recurse=False), each.projects, each.volunteers, each.confirmed_minutes,
         each.group_minutes)
        for each in pages
    )  # fmt: skip
    write_csv(out, header, rows)
    print(both(f"已写入 {len(pages)} 行：{out}", f"Wrote {len(pages)} rows to {out}"), file=sys.stderr)


def run_export_ledger(place: Place, out: Path) -> None:
    """Write the whole ledger as lines of JSON."""
    from volunteerkit import hours

    check_out(out, place.db, place.key_file, b"{")
    city = place.open()
    with city.kit.open(city.engine, city.actor, read_only=True) as desk, _aside(out, "utf-8") as file:
        count = sum(file.write(line + "\n") > 0 for line in hours.export_ledger(desk))
    print(both(f"已写入 {count} 行：{out}", f"Wrote {count} lines to {out}"), file=sys.stderr)


def write_csv(path: Path, header: tuple[str, ...], rows: Any) -> None:
    """Write a CSV file (UTF-8 with a mark, so that spreadsheets read Chinese); texts are safe against formulas.

    The file appears whole or not at all. Raises StorageError when it cannot be written.
    """
    from volunteerkit.exchange.cells import safe_cell

    with _aside(path, "utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])


@contextmanager
def _aside(path: Path, encoding: str) -> Iterator[TextIO]:
    """Yield a file that appears at ``path`` when it is whole."""
    aside = path.with_name(f".{path.name}.part")
    try:
        with aside.open("w", encoding=encoding, newline="") as file:
            yield file
        aside.replace(path)
    except OSError:
        raise StorageError("file_not_written", place=str(path)) from None
    finally:
        aside.unlink(missing_ok=True)
