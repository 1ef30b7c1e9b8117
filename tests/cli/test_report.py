"""The report: one file that needs nothing beside itself, says every number twice and trusts no name."""

import datetime as dt
import re
import subprocess
import sys
from html.parser import HTMLParser

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit.cli import report
from volunteerkit.cli.report import ReportFigures, write_report
from volunteerkit.errors import StorageError
from volunteerkit.messages import catalogue

FIGURES = ReportFigures(
    city="新余市（虚构）",
    as_of=dt.date(2026, 10, 31),
    fictitious=True,
    registered=33_000,
    active=20_406,
    claimed_minutes=56_392_006,
    credited_minutes=55_546_113,
    stars=((0, 30_950), (1, 1_601), (2, 306), (3, 94), (4, 27), (5, 22)),
    hours_by_month=(("2026-02", 1_670_700, 1_645_625), ("2026-03", 4_407_508, 4_341_396)),
    by_organization=(("渝水区晨曦志愿者协会（虚构）", 535_000, 512_500, 1_201), ("𠮷安队（虚构）", 90, 0, 1)),
    histogram=(("< 1", 312), ("1–2", 20_094)),
    differences=(("minutes_counted_before", 845_000), ("取整", 893)),
    refused=(("exact_duplicate", 601), ("volunteer_unknown", 364)),
    flagged=(("overlap_same_volunteer", 1_203), ("kind_of_a_plugin", 7)),
    explanation_zh="星级：二星级\n  ✓ 一星级：credited_minutes >= 100 * 60",
    explanation_en="Grade: two stars\n  ✗ three stars",
    rulebooks=(
        ("xinyu.star", "3f2a9c01b7de", "《志愿服务记录办法》"),
        ("union", "aa11bb22cc33", "每分钟只计一次"),
    ),
)
HOSTILE = '<script>alert(1)</script><img src="https://evil.example/x.png" onerror=x>"&\'</svg></style>]]>-->'


class Page(HTMLParser):
    """Elements, attributes and text as a browser would see them."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def page(tmp_path, **changed):
    write_report(tmp_path / "report.html", attrs.evolve(FIGURES, **changed))
    return (tmp_path / "report.html").read_text("utf-8")


def test_every_figure_stands_in_the_page_in_both_languages(tmp_path):
    shown = Page(page(tmp_path)).text
    for words in (
        "新余市（虚构）志愿服务报告 Volunteer service report", "2026-10-31",
        "注册志愿者 Registered volunteers 33,000", "20,406 占注册的 61.8 % 61.8 % of the registered",
        "939,866", "925,768", "申报时长 claimed 939,866:46", "计入时长 credited 925,768:33",
        "minutes_counted_before −14,083:20", "取整 −14:53",
        "志愿者星级 Volunteers per star", "5 星 5-star 22", "30,950 more volunteers hold no star",
        "2026-03 73,458:28 72,356:36", "1 渝水区晨曦志愿者协会（虚构） 8,916:40 8,541:40 1,201",
        "𠮷安队（虚构）",
        "1–2 20,094", "与另一行完全相同 exact repeat of another row exact_duplicate 601", "合计 total 965",
        "kind_of_a_plugin 7", "星级：二星级", "✗ three stars", "xinyu.star 3f2a9c01b7de 《志愿服务记录办法》",
        "虚构数据：人员、组织和号码均为虚构。",
    ):  # fmt: skip
        assert words in shown


def test_a_chart_is_a_picture_with_a_title_and_the_same_numbers_below(tmp_path):
    source = page(tmp_path)
    figures = re.findall(r"<figure>.*?</figure>.*?</details>", source, re.DOTALL)
    assert len(figures) == 4
    for figure in figures:
        assert re.search(r'<svg [^>]*role="img"[^>]*><title>[^<]+</title><desc>[^<]+</desc>', figure)
        assert "<table>" in figure
    assert "8,541" in figures[2]


def test_headings_say_their_language_and_the_page_fits_a_phone(tmp_path):
    seen = Page(page(tmp_path))
    assert ("html", "lang", "zh-CN") in seen.attributes
    assert {("span", "lang", "en"), ("pre", "lang", "zh-CN"), ("pre", "lang", "en")} <= set(seen.attributes)
    assert ("meta", "content", "width=device-width, initial-scale=1") in seen.attributes


@pytest.mark.parametrize("changed", [{}, {"city": HOSTILE, "by_organization": ((HOSTILE, 60, 60, 1),)}])
def test_nothing_is_loaded_and_nothing_runs(tmp_path, changed):
    source = page(tmp_path, **changed)
    seen = Page(source)
    assert not {"script", "img", "link", "iframe", "object", "image", "use", "a"} & set(seen.elements)
    loading = {"src", "href", "xlink:href", "srcset", "data", "action"}
    assert not [found for found in seen.attributes if found[1] in loading or found[1].startswith("on")]
    assert "url(" not in source
    assert "@import" not in source
    assert "default-src 'none'" in source
    addresses = {value for _, _, value in seen.attributes if value and "//" in value}
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_hostile_texts_come_out_as_texts_everywhere(tmp_path):
    source = page(
        tmp_path, city=HOSTILE, stars=((0, 1), (1, 2)), by_organization=((HOSTILE, 60, 60, 1),) * 2,
        histogram=((HOSTILE, 1),), hours_by_month=((HOSTILE, 60, 60),), differences=((HOSTILE, 1),),
        refused=((HOSTILE, 1),), flagged=((HOSTILE, 1),), explanation_zh=f"{HOSTILE}\n{HOSTILE}",
        explanation_en=HOSTILE,
        rulebooks=((HOSTILE,) * 3,),
    )  # fmt: skip
    quiet = page(tmp_path, stars=((0, 1), (1, 2)))
    assert set(Page(source).elements) == set(Page(quiet).elements)
    assert Page(source).text.count(HOSTILE) >= 12


@settings(max_examples=15, deadline=None)
@given(name=st.text(st.characters(), max_size=30))
def test_any_name_can_be_drawn(tmp_path_factory, name):
    source = page(tmp_path_factory.mktemp("name"), by_organization=((name, 60, 30, 1), (name, 60, 60, 1)))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", source)
    assert len(re.findall("0:30</td>", source)) == 1


def test_organizations_of_one_name_keep_their_own_bars_and_only_fifteen_are_drawn(tmp_path):
    source = page(
        tmp_path, by_organization=tuple(("同名", 60 * hours, 60 * hours, 1) for hours in range(40, 0, -1))
    )
    assert "（前 15 名）" in source
    assert all(f">{place}  同名<" in source for place in range(1, 16))
    assert ">16  同名<" not in source


def test_a_long_name_is_cut_in_the_chart_and_whole_in_the_table(tmp_path):
    name = "很长的名字" * 12
    source = page(tmp_path, by_organization=((name, 60, 60, 1),))
    assert source.count(name) == 1
    assert "…</text>" in source


def test_an_empty_city_has_a_report_too(tmp_path):
    shown = Page(page(
        tmp_path, registered=0, active=0, claimed_minutes=0, credited_minutes=0, stars=(), hours_by_month=(),
        by_organization=(), histogram=(), differences=(), refused=(), flagged=(), rulebooks=(),
        fictitious=False,
    )).text  # fmt: skip
    assert "0.0 %" in shown
    assert "没有差额" in shown
    assert "没有。 None." in shown
    assert "Fictitious" not in shown


def test_without_any_star_those_without_are_drawn(tmp_path):
    source = page(tmp_path, stars=((0, 12),))
    assert "无星级 no star</text>" in source
    assert "hold no star yet" not in source


def test_what_no_reason_explains_is_said(tmp_path):
    shown = Page(page(tmp_path, differences=(("day_limit", 845_000),))).text
    assert "other (no reason handed in) −14:53" in shown


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StorageError) as refused:
        write_report(tmp_path / "report.html", FIGURES)
    assert refused.value.code == "report_not_written"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(StorageError, match="missing"):
        write_report(tmp_path / "missing" / "report.html", FIGURES)


def test_the_same_figures_give_the_same_bytes(tmp_path):
    assert page(tmp_path) == page(tmp_path)


def test_every_text_of_the_report_is_there_in_both_languages():
    texts = {code: each for code, each in catalogue().items() if code.startswith("report_")}
    with open(report.__file__, encoding="utf-8") as source:
        used = set(re.findall(r'"(report_\w+)"', source.read()))
    assert used <= set(texts)
    assert all(set(each) == {"zh-CN", "en"} for each in texts.values())


def test_without_the_extra_its_name_is_said():
    script = (
        "import sys; sys.modules['vl_convert'] = None\n"
        "from pathlib import Path\nfrom volunteerkit.cli.report import write_report\n"
        "try:\n    write_report(Path('x.html'), None)\n"
        "except Exception as error:\n    print(error.code, error.values)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "missing_extra {'package': 'vl_convert', 'extra': 'plots'}"
