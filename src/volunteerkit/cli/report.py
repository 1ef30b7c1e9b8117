"""One page about a city's volunteer service that needs nothing beside itself: no network, no script.

Charts are drawn here and stand in the page as SVG, each with the same numbers as a table. Their layout
never depends on how wide a Chinese text is, because the machine that draws may have no Chinese font: names
stand on a line of their own above their bar.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import unicodedata
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import attrs

from volunteerkit.errors import MissingExtra, StorageError
from volunteerkit.messages import catalogue, text

__all__ = ["ReportFigures", "write_report"]

DOCTYPE = "<!DOCTYPE html>"
_WIDTH = 460  # of every chart; a phone shows it at about 0.75, so that 14 stays readable
_ROW = 46  # of a chart of rows: a line of text and a bar below it
_HEIGHT = 240  # of columns
_NAME_CELLS = 46  # Chinese characters take two
_TOP = 15
_CREDITED, _CLAIMED, _GOLD, _INK, _MUTED = "#1f6f8b", "#b5d3dc", "#c98a00", "#1c2430", "#5b6675"
# Control characters, halves of characters, and marks that turn the direction of the text after them.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class ReportFigures:
    """The numbers of a report: no volunteer is named; lengths are whole minutes.

    ``explanation_zh`` and ``explanation_en`` are one volunteer's reasons, known by number only.
    ``differences`` says what became of claimed minutes that are not credited: pairs of a reason's code, or
    its words, and minutes; ``refused`` and ``flagged`` are pairs of a code and rows. ``rulebooks`` are
    triples of id, version digest and citation. ``by_organization`` comes in the order to be shown.
    """

    city: str
    as_of: dt.date
    fictitious: bool
    registered: int
    active: int
    claimed_minutes: int
    credited_minutes: int
    stars: tuple[tuple[int, int], ...]  # grade, volunteers
    hours_by_month: tuple[tuple[str, int, int], ...]  # YYYY-MM, claimed, credited
    by_organization: tuple[tuple[str, int, int, int], ...]  # name, claimed, credited, volunteers
    histogram: tuple[tuple[str, int], ...]  # hours, volunteers
    differences: tuple[tuple[str, int], ...]
    refused: tuple[tuple[str, int], ...]
    flagged: tuple[tuple[str, int], ...]
    explanation_zh: str
    explanation_en: str
    rulebooks: tuple[tuple[str, str, str], ...]


def write_report(path: Path, figures: ReportFigures) -> None:
    """Write the report as one HTML file; a file of that name is replaced at once or stays as it was.

    Raises MissingExtra without the extra ``plots`` and StorageError if the file cannot be written.
    """
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(package=error.name or "altair", extra="plots") from None
    page = _page(figures)
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            part.write_text(page, encoding="utf-8", newline="\n")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError("report_not_written", place=str(path), why=error.strerror) from None


# --- text ---------------------------------------------------------------------------------------------


def _clean(words: str) -> str:
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", words)


def _shown(value: object) -> str:
    """Return a value as HTML text."""
    return escape(_clean(str(value)))


def _pair(code: str, **values: object) -> tuple[str, str]:
    return text(code, "zh-CN", **values), text(code, "en", **values)


def _html_pair(zh: str, en: str) -> str:
    return f'<span lang="zh-CN">{_shown(zh)}</span> <span class="en" lang="en">{_shown(en)}</span>'


def _both(code: str, **values: object) -> str:
    """Return a text in both languages as HTML."""
    return _html_pair(*_pair(code, **values))


def _plain(code: str, **values: object) -> str:
    """Return a text in both languages as HTML without elements."""
    return _shown(" ".join(_pair(code, **values)))


def _kind(code: str) -> str:
    """Return the short name of a kind, with its code; words that are no code stand as they are."""
    name = f"report_kind_{code}"
    return f"{_both(name)} <code>{_shown(code)}</code>" if name in catalogue() else _shown(code)


def _clock(minutes: int) -> str:
    """Return minutes exactly, as hours and minutes: ``12,345:30``."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'−' if minutes < 0 else ''}{hours:,}:{rest:02d}"


def _percent(part: int, whole: int) -> str:
    tenths = (2000 * part + whole) // (2 * whole) if whole else 0
    return f"{tenths // 10}.{tenths % 10} %"


def _star(grade: int) -> tuple[str, str]:
    return _pair("report_star", grade=grade) if grade else _pair("report_no_star")


def _short(words: str, cells: int = _NAME_CELLS) -> str:
    """Return the text cut to a width, counted in half-width characters."""
    words = _clean(words)
    used = 0
    for place, letter in enumerate(words):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > cells:
            return words[:place].rstrip() + "…"
    return words


# --- charts -------------------------------------------------------------------------------------------


def _altair() -> Any:
    """Return altair; its own types want more words than they give help here."""
    import altair

    return altair


def _svg(chart: Any, title: str) -> str:
    """Draw a chart as SVG that scales with the page and has a title for those who do not see it."""
    import vl_convert

    chart = chart.configure(aria=False, background="transparent", font="sans-serif").configure_view(
        stroke=None
    )
    drawn: str = vl_convert.vegalite_to_svg(chart.to_dict())
    box = re.search(r'viewBox="([^"]*)"', drawn)
    assert box is not None
    inside = drawn[drawn.index(">") + 1 :]
    words = f"<title>{title}</title><desc>{_plain('report_described')}</desc>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="{box[1]}">{words}{inside}'


def _rows_chart(rows: Sequence[tuple[str, str, int, int]], title: str, colour: str) -> str:
    """Draw a row for each (name, amount in words, length, length of the pale bar behind it)."""
    alt = _altair()
    values = [
        {"row": place, "name": _short(name), "said": said, "inner": inner, "outer": outer}
        for place, (name, said, inner, outer) in enumerate(rows)
    ]
    longest = max(1, *(max(inner, outer) for _, _, inner, outer in rows)) if rows else 1
    scale = alt.Scale(domain=[0, longest], nice=False)
    base = alt.Chart(alt.Data(values=values)).encode(y=alt.Y("row:O", axis=None))

    def bar(field: str, colour: str) -> Any:
        x = alt.X(f"{field}:Q", axis=None, scale=scale)
        return base.mark_bar(size=13, yOffset=11, color=colour).encode(x=x)

    def words(field: str, x: int, align: str) -> Any:
        look: dict[str, Any] = {"align": align, "baseline": "middle", "dy": -7, "fontSize": 14, "color": _INK}
        return base.mark_text(**look).encode(text=f"{field}:N", x=alt.value(x))

    layers = [
        bar("outer", _CLAIMED),
        bar("inner", colour),
        words("name", 0, "left"),
        words("said", _WIDTH, "right"),
    ]
    return _svg(alt.layer(*layers).properties(width=_WIDTH, height=alt.Step(_ROW)), title)


def _months_chart(months: Sequence[tuple[str, int, int]], title: str) -> str:
    """Draw columns for credited and a stepped line for claimed hours, with at most eight months named."""
    alt = _altair()
    values = [{"month": month, "claimed": a // 60, "credited": b // 60} for month, a, b in months]
    named = [month for month, _, _ in months][:: max(1, -(-len(months) // 8))]
    axis = {"labelFontSize": 13, "labelColor": _MUTED, "domain": False, "ticks": False, "title": None}
    x = alt.X("month:O", axis=alt.Axis(values=named, labelAngle=-40, labelPadding=6, **axis))
    grid = alt.Axis(format="~s", tickCount=5, gridColor="#e3e7ec", labelPadding=6, **axis)
    base = alt.Chart(alt.Data(values=values)).encode(x=x)
    columns = base.mark_bar(color=_CREDITED).encode(y=alt.Y("credited:Q", axis=grid))
    ticks = base.mark_tick(color=_INK, thickness=2, orient="horizontal").encode(
        y=alt.Y("claimed:Q", axis=grid)
    )
    return _svg((columns + ticks).properties(width=_WIDTH - 50, height=_HEIGHT + 50), title)


def _columns_chart(columns: Sequence[tuple[str, int]], title: str) -> str:
    """Draw a column with its count above it for each label."""
    alt = _altair()
    values = [{"place": place, "label": _short(label, 16), "count": count, "said": f"{count:,}"}
              for place, (label, count) in enumerate(columns)]  # fmt: skip
    base = alt.Chart(alt.Data(values=values)).encode(x=alt.X("place:O", axis=None))
    high = alt.Y("count:Q", axis=None)
    bars = base.mark_bar(color=_CREDITED).encode(y=high)
    above = base.mark_text(baseline="bottom", dy=-4, fontSize=13, color=_INK).encode(text="said:N", y=high)
    below = base.mark_text(
        angle=320, align="right", baseline="middle", dx=-2, dy=12, fontSize=13, color=_MUTED
    )
    names = below.encode(text="label:N", y=alt.value(_HEIGHT))
    return _svg((bars + above + names).properties(width=_WIDTH - 40, height=_HEIGHT), title)


# --- page ---------------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, total: bool = False) -> str:
    """Return a table; the first column holds HTML words, the others numbers; ``total`` marks the last row."""
    head = "".join(f'<th scope="col">{_both(name)}</th>' for name in heads)
    lines = []
    for place, (first, *others) in enumerate(rows):
        style = ' class="total"' if total and place == len(rows) - 1 else ""
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        lines.append(f'<tr{style}><th scope="row">{first}</th>{cells}</tr>')
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table>{body}</table></div>'


def _section(code: str, body: str, **values: object) -> str:
    return f"<section><h2>{_both(code, **values)}</h2>{body}</section>"


def _charted(code: str, drawing: str, table: str, note: str = "", **values: object) -> str:
    """Return a section with a chart, a note and the chart's numbers as a table that opens."""
    numbers = f"<details><summary>{_both('report_same_numbers')}</summary>{table}</details>"
    return _section(code, f"<figure>{drawing}</figure>{note}{numbers}", **values)


def _legend(claimed: str) -> str:
    """Return the key of the two colours; ``claimed`` is the style of the claimed hours' sign."""
    signs = ((claimed, "report_claimed"), ("credited", "report_credited"))
    keys = [f'<span><i class="{sign}"></i>{_both(code)}</span>' for sign, code in signs]
    return f'<p class="legend">{" ".join(keys)}</p>'


def _stars_section(figures: ReportFigures) -> str:
    stars = sorted(figures.stars)
    drawn = [(grade, count) for grade, count in stars if grade] or stars
    title = _plain("report_stars")
    rows = [
        (f"{'★' * min(grade, 10)} {' '.join(_star(grade))}", f"{count:,}", count, 0) for grade, count in drawn
    ]
    without = sum(count for grade, count in stars if not grade)
    note = f'<p class="note">{_both("report_without_star", count=f"{without:,}")}</p>'
    table = _table(
        ("report_col_star", "report_col_volunteers"),
        [(_html_pair(*_star(grade)), f"{count:,}") for grade, count in stars],
    )
    shown = note if without and len(drawn) < len(stars) else ""
    return _charted("report_stars", _rows_chart(rows, title, _GOLD), table, shown)


def _months_section(figures: ReportFigures) -> str:
    months = figures.hours_by_month
    table = _table(
        ("report_col_month", "report_col_claimed", "report_col_credited"),
        [(_shown(month), _clock(claimed), _clock(credited)) for month, claimed, credited in months],
    )
    drawing = _legend("claimed-mark") + _months_chart(months, _plain("report_months"))
    return _charted("report_months", drawing, table)


def _organizations_section(figures: ReportFigures) -> str:
    top = figures.by_organization[:_TOP]
    rows = [(f"{place}  {name}", f"{credited // 60:,}", credited, claimed)
            for place, (name, claimed, credited, _) in enumerate(top, 1)]  # fmt: skip
    table = _table(
        ("report_col_organization", "report_col_claimed", "report_col_credited", "report_col_volunteers"),
        [
            (f"{place} <bdi>{_shown(name)}</bdi>", _clock(claimed), _clock(credited), f"{people:,}")
            for place, (name, claimed, credited, people) in enumerate(top, 1)
        ],
    )
    title = _plain("report_organizations", count=len(top))
    drawing = _legend("claimed") + _rows_chart(rows, title, _CREDITED)
    return _charted("report_organizations", drawing, table, count=len(top))


def _histogram_section(figures: ReportFigures) -> str:
    table = _table(
        ("report_col_hours", "report_col_volunteers"),
        [(_shown(label), f"{count:,}") for label, count in figures.histogram],
    )
    return _charted("report_histogram", _columns_chart(figures.histogram, _plain("report_histogram")), table)


def _differences_section(figures: ReportFigures) -> str:
    """From claimed to credited like a sum on paper; what no reason explains has a line of its own."""
    claimed, credited = figures.claimed_minutes, figures.credited_minutes
    rows = [(_both("report_sum_claimed"), _clock(claimed))]
    rows += [(_kind(reason), _clock(-minutes)) for reason, minutes in figures.differences]
    rest = claimed - credited - sum(minutes for _, minutes in figures.differences)
    if rest:
        rows.append((_both("report_difference_rest"), _clock(-rest)))
    rows.append((_both("report_sum_credited"), _clock(credited)))
    note = "" if len(rows) > 2 else f'<p class="note">{_both("report_no_difference")}</p>'
    table = _table(("report_col_reason", "report_col_length"), rows, total=True)
    return _section("report_differences", note + table)


def _kinds_section(code: str, kinds: Sequence[tuple[str, int]]) -> str:
    if not kinds:
        return _section(code, f"<p>{_both('report_nothing')}</p>")
    ordered = sorted(kinds, key=lambda kind: (-kind[1], kind[0]))
    rows = [(_kind(kind), f"{count:,}") for kind, count in ordered]
    rows.append((_both("report_total"), f"{sum(count for _, count in kinds):,}"))
    table = _table(("report_col_reason", "report_col_rows"), rows, total=True)
    return _section(code, f'<p class="note">{_both(f"{code}_note")}</p>{table}')


def _explanation_section(figures: ReportFigures) -> str:
    both = (("zh-CN", figures.explanation_zh), ("en", figures.explanation_en))
    trees = "".join(
        f'<pre lang="{language}">{"<br>".join(map(_shown, tree.splitlines()))}</pre>'
        for language, tree in both
    )
    note = f'<p class="note">{_both("report_explanation_note")}</p>'
    return _section("report_explanation", f'{note}<div class="pair">{trees}</div>')


def _sources_section(figures: ReportFigures) -> str:
    rows = [
        (f"<code>{_shown(id_)}</code>", f"<code>{_shown(digest)}</code>", _shown(citation))
        for id_, digest, citation in figures.rulebooks
    ]
    table = _table(("report_col_rulebook", "report_col_digest", "report_col_citation"), rows)
    said = [_both("report_as_of", day=figures.as_of)]
    if figures.fictitious:
        said.insert(0, f"<strong>{_both('report_fictitious')}</strong>")
    return _section("report_sources", f'<p>{" · ".join(said)}</p><div class="words">{table}</div>')


def _tile(code: str, number: int, note: str = "") -> str:
    small = f"<small>{note}</small>" if note else ""
    return f"<div><dt>{_both(code)}</dt><dd>{number:,}{small}</dd></div>"


def _tiles(figures: ReportFigures) -> str:
    """Return the key figures; hours are whole here, their minutes stand in the tables."""
    claimed, credited = figures.claimed_minutes, figures.credited_minutes
    active = _both("report_active_share", percent=_percent(figures.active, figures.registered))
    counted = _both("report_credited_share", percent=_percent(credited, claimed))
    difference = abs(claimed - credited) // 60 * (1 if claimed >= credited else -1)
    tiles = (
        _tile("report_registered", figures.registered),
        _tile("report_active", figures.active, active),
        _tile("report_claimed", claimed // 60),
        _tile("report_credited", credited // 60, counted),
        _tile("report_difference", difference),
    )
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _page(figures: ReportFigures) -> str:
    title = tuple(_pair("report_title", city=figures.city))
    badge = f'<span class="badge">{_both("report_fictitious_short")}</span>' if figures.fictitious else ""
    return "".join((
        f'{DOCTYPE}\n<html lang="zh-CN"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Nothing may be loaded or run, whatever a name in the data contains.
        '<meta http-equiv="Content-Security-Policy" ',
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_shown(' '.join(title))} {figures.as_of}</title><style>{_STYLE}</style></head><body>",
        f"<header><h1>{_html_pair(*title)}</h1>",
        f"<p>{_both('report_as_of', day=figures.as_of)} {badge}</p></header><main>",
        _tiles(figures),
        '<div class="pair">', _stars_section(figures), _months_section(figures), "</div>",
        '<div class="pair">', _organizations_section(figures),
        "<div>", _histogram_section(figures), _differences_section(figures), "</div></div>",
        _explanation_section(figures),
        '<div class="pair">', _kinds_section("report_refused", figures.refused),
        _kinds_section("report_flagged", figures.flagged), "</div>",
        _sources_section(figures),
        "</main></body></html>\n",
    ))  # fmt: skip


_STYLE = """
:root{--ink:#1c2430;--muted:#5b6675;--line:#e3e7ec;--red:#b3261e;--credited:#1f6f8b;--claimed:#b5d3dc;
--sans:-apple-system,"Segoe UI",Roboto,"PingFang SC","Hiragino Sans GB","Microsoft YaHei","Noto Sans CJK SC",
"Source Han Sans SC","WenQuanYi Micro Hei",sans-serif;
--mono:ui-monospace,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC","Microsoft YaHei","PingFang SC",
"WenQuanYi Micro Hei",monospace}
*{box-sizing:border-box}
html{color-scheme:light;-webkit-text-size-adjust:100%;print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{margin:0;border-top:6px solid var(--red);background:#f4f5f7;color:var(--ink);font:15px/1.6 var(--sans)}
header,main{max-width:1100px;margin:auto;padding:0 20px}
header{padding-top:30px}
h1{font-size:30px;line-height:1.25;margin:0}
h1 .en{display:block;font-size:17px;font-weight:400;color:var(--muted)}
header p{color:var(--muted);margin:8px 0 22px}
.badge{display:inline-block;border:1px solid var(--red);color:var(--red);border-radius:99px;padding:0 11px;
margin-left:8px;font-size:13px}
section,.tiles>div{background:#fff;border:1px solid var(--line);border-radius:10px}
section{padding:20px 22px;margin:0 0 18px;break-inside:avoid}
h2{font-size:18px;margin:0 0 14px;line-height:1.4}
h2 .en,dt .en,th .en,summary .en{font-weight:400;color:var(--muted)}
h2 .en{font-size:15px}
.tiles{display:grid;grid-template-columns:repeat(5,1fr);gap:14px;margin:0 0 18px}
.tiles>div{padding:15px 17px}
dt{font-size:13px;line-height:1.4}
dt .en,dd .en{display:block}
dd{margin:6px 0 0;font-size:27px;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums}
dd small{display:block;font-size:12.5px;font-weight:400;color:var(--muted);margin-top:2px}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 18px;align-items:start}
.pair>*{min-width:0}
figure{margin:0}
figure svg{display:block;width:100%;height:auto;overflow:visible}
figure svg text{font-family:var(--sans);font-variant-numeric:tabular-nums}
.legend{margin:0 0 10px;font-size:13px;display:flex;flex-wrap:wrap;gap:2px 16px}
.legend i{display:inline-block;width:13px;height:11px;border-radius:2px;margin-right:6px;
background:var(--credited)}
.legend i.claimed{background:var(--claimed)}
.legend i.claimed-mark{height:2px;border-radius:0;background:var(--ink);vertical-align:4px}
.note{color:var(--muted);font-size:13px}
.note{margin:0 0 10px}
figure+.note{margin:10px 0 0}
details{margin-top:12px;font-size:14px}
summary{cursor:pointer;color:var(--credited);font-size:13px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:6px 0 6px 14px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;
font-weight:400}
th:first-child{text-align:left;padding-left:0}
td,thead th+th{white-space:nowrap}
thead th{color:var(--muted);font-size:12.5px;line-height:1.35;vertical-align:bottom}
thead .en{display:block}
.total>*{border-bottom:0;font-weight:600}
.words td,.words th,.words thead th{text-align:left;white-space:normal}
code{font:12px/1.5 var(--mono);color:var(--muted);overflow-wrap:anywhere}
pre{margin:0;padding:14px 16px;background:#f8f9fa;border-radius:8px;font:12.5px/1.65 var(--mono);
white-space:pre-wrap;overflow-wrap:anywhere}
@media (max-width:820px){.pair{grid-template-columns:1fr}.tiles{grid-template-columns:1fr 1fr}
pre+pre{margin-top:12px}}
@media (max-width:480px){header,main{padding:0 12px}section{padding:16px 14px}h1{font-size:25px}
dd{font-size:22px}.tiles{gap:10px}.tiles>div{padding:12px 13px}}
@media print{@page{margin:13mm}body{background:#fff;font-size:11pt}header,main{max-width:none;padding:0}
header{padding-top:10px}section{padding:12px 14px;margin-bottom:10px}
.pair{grid-template-columns:1fr 1fr;gap:0 10px}.tiles{grid-template-columns:repeat(5,1fr);gap:8px}
dd{font-size:19px}.tiles>div{padding:9px 11px}table{font-size:9.5pt}th,td{padding-top:2px;padding-bottom:2px}
summary{display:none}details[open] summary{display:block}}
"""
