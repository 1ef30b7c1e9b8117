"""Personal data as classes: which fields there are, how each is masked, kept and found again.

The classes are data (``privacy.toml``). There is one canonical mask a field, so that two lists seen side by
side never tell more than one of them.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import attrs

from volunteerkit.clock import age_on
from volunteerkit.errors import InvalidValue, nearest
from volunteerkit.messages import phrase
from volunteerkit.units import fold, storable

__all__ = [
    "HIDDEN",
    "PURPOSES",
    "Field",
    "checked",
    "fields",
    "found_by",
    "hide",
    "id_form",
    "mask",
    "normal",
    "parts",
    "public_number",
    "read_phone",
    "retention",
]

HIDDEN: Final = "＊"
"""What stands for something that is there and not shown."""

PURPOSES: Final = ("verification", "contact", "insurance", "safety", "complaint", "law")
"""What a datum may be unmasked for: a code, because the use is kept for ever and a sentence may name people."""

_CHOICES: Final = {
    "class": ("G", "S", "I"),
    "storage": ("sealed", "findable", "plain", "never"),
    "mask": ("shown", "surname", "ends", "last_2", "last_4", "domain", "age_band", "district", "exists", "hidden"),
    "keep_after": ("service", "leaving", "settling", "adult", "release", "consent", "record"),
    "erasure": ("destroy", "keep"),
}  # fmt: skip
_MOST: Final = 10_000
_BANDS: Final = ((14, "0–13"), (18, "14–17"), (36, "18–35"), (60, "36–59"))
# surnames of two characters that a register meets; others are masked after their first character
_COMPOUND: Final = frozenset(
    re.findall(
        "..",
        "欧阳司马上官诸葛东方皇甫尉迟公孙令狐宇文长孙慕容司徒司空夏侯淳于单于太叔申屠公冶轩辕钟离闻人赫连澹台宗政濮阳公羊万俟鲜于闾丘端木"
        "百里呼延东郭南宫西门独孤拓跋南门第五左丘歐陽司馬諸葛東方尉遲公孫長孫鍾離東郭",
    )
)
_HAN: Final = re.compile("[\u4e00-\u9fff]")
_PLAIN: Final = re.compile("[0-9a-z\u4e00-\u9fff]+")
_DOTS: Final = "·•・‧∙⋅．"
# An address is shown as far as it surely names a province, a city and a district. Housing estates, communities,
# markets and streets are written with the same characters (小区, 社区, 城市花园, 红旗路), so in doubt nothing is.
_PROVINCE: Final = re.compile(
    "(?:(?:北京|天津|上海|重庆)市?|(?:河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃"
    "|青海|台湾)省?|内蒙古(?:自治区)?|广西(?:壮族自治区)?|西藏(?:自治区)?|宁夏(?:回族自治区)?|新疆(?:维吾尔自治区)?|(?:香港|澳门)(?:特别行政区)?)"
)
_CITY: Final = re.compile(
    "([\u4e00-\u9fff]{2,4}?)(?:市(?!场|集|民|政)|地区|盟)|([\u4e00-\u9fff]{2,12}?)自治州"
)
_DISTRICT: Final = re.compile(
    "([\u4e00-\u9fff]{2,14}?)自治[县旗]|([\u4e00-\u9fff]{1,8}?)([区县旗]|市(?!场|集|民|政))"
)
_NO_PLACE: Final = re.compile("[路街巷弄号栋幢室层组厂院校园苑庭厦场所站村镇乡道楼区县旗省]")
_NAMED: Final = re.compile(  # places that are written with one of those characters all the same
    "路桥|路南|路北|道里|道外|道|周村|鼓楼|钟楼|岳阳楼|石楼|梁园|站前|镇[海江平雄坪安巴康赉原远]|乡[宁城]|[宁桐西新萍]乡"
)
_NO_DISTRICT: Final = re.compile(  # 小区, 社区, 园区, 住宅区, 开发区 and the like; 东区 only as 城东区 or alone
    ".*[小社园校厂街景片院宅属活业发新库营商住验护游假居置理范税作技务舍工一二三四五六七八九十]|..+[东西南北中]"
)
_TRUE_DISTRICT: Final = frozenset(("东营", "浦东新", "滨海新"))
_NO_CITY: Final = re.compile(".*[超夜菜]|..+[城都]")

_ID: Final = re.compile(r"[A-Z0-9\u4e00-\u9fff](?:[A-Z0-9\u4e00-\u9fff_.:/-]{0,99})", re.ASCII)
_DAY_PART: Final = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_PERSONAL: Final = re.compile(
    rf"(?<![0-9])(?:[1-8][0-9]{{5}}[ -]?(?:(?:19|20)[0-9]{{2}}{_DAY_PART}[ -]?[0-9]{{3}}[0-9Xx]"
    rf"|[0-9]{{2}}{_DAY_PART}[0-9]{{3}})|1[2-9][0-9][ -]?[0-9]{{4}}[ -]?[0-9]{{4}}"
    r"|0[1-9][0-9]{1,2}[ -]?[0-9]{7,8})(?![0-9])"
    # from where a word begins, else from a few letters before: a long text is read once, not once a letter
    r"|(?<![^@\s])[^@\s]++@[^@\s]+|[^@\s]{1,64}@[^@\s]+"
)
_PHONE: Final = re.compile(r"1[0-9]{10}|\+[0-9]{7,15}|[02-9][0-9]{6,14}")
_ROUNDED: Final = re.compile(r"[0-9](?:[.．][0-9]+)?[eE][+]?[0-9]+")
_DASH: Final = re.compile("[\u2010-\u2015\u2212]")
_ZEROS: Final = re.compile(r"[.][0]+$")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Field:
    """One personal field as ``privacy.toml`` describes it; ``full`` names roles."""

    name: str
    class_: str
    storage: str
    mask: str
    keep_after: str
    erasure: str
    full: tuple[str, ...] = ()
    years: int = 0
    months: int = 0
    days: int = 0

    @property
    def sensitive(self) -> bool:
        """Whether another person sees it only by unmasking."""
        return self.class_ != "G"

    def ends_on(self, since: dt.date) -> dt.date:
        """Return the last day it may be kept when its time runs from ``since``.

        A month that has no such day ends on its last one.

        >>> fields()["phone"].ends_on(dt.date(2026, 8, 31))
        datetime.date(2027, 2, 28)
        """
        months = since.year * 12 + since.month - 1 + 12 * self.years + self.months
        year, month = months // 12, months % 12 + 1
        day = min(since.day, calendar.monthrange(year, month)[1])
        return dt.date(year, month, day) + dt.timedelta(self.days)


@cache
def fields() -> Mapping[str, Field]:
    """Return every personal field by its name; raises InvalidValue when the file is wrong."""
    import tomllib

    data = tomllib.loads(files("volunteerkit").joinpath("privacy.toml").read_text("utf-8"))
    for name, row in data.items():
        for key, allowed in _CHOICES.items():
            if row.get(key) not in allowed:
                raise InvalidValue(name=f"{name}.{key}", value=row.get(key), allowed=", ".join(allowed))
    return {
        name: Field(name, **{**row, "full": tuple(row.get("full", ()))})
        for name, row in ((name, _renamed(row)) for name, row in data.items())
    }


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    return {("class_" if key == "class" else key): value for key, value in row.items()}


def retention(field: str) -> Field:
    """Return what is known of ``field``: what its time runs from, how long, what erasure does.

    >>> retention("phone").keep_after, retention("phone").months
    ('leaving', 6)

    Raises InvalidValue for a field that ``privacy.toml`` does not know.
    """
    if type(field) is not str:
        raise InvalidValue(name="field", value=type(field).__name__, allowed="privacy.toml")
    found = fields().get(field)
    if found is None:
        # a wrong field may be a person's datum in the wrong place, so it is not repeated
        raise InvalidValue(
            name="field",
            value=phrase("count_letters", count=len(field)),
            allowed=nearest(field, fields()) or "privacy.toml",
        )
    return found


def checked(data: Mapping[str, Any]) -> None:
    """See that ``data`` can be sealed: known fields, texts of up to 10,000 characters without NUL or surrogates.

    Both databases then hold the same. Raises InvalidValue, which names the field and never the value.

    >>> checked({"name": "兰"})
    """
    for name, value in data.items():
        if retention(name).storage == "never":
            raise InvalidValue(name=name, value="(…)", allowed="never stored")
        for text in (value,) if isinstance(value, str) else _texts(value):
            if len(text) > _MOST or not storable(text):
                raise InvalidValue(
                    name=name,
                    value=phrase("count_letters", count=len(text)),
                    allowed=f"0 … {_MOST} characters of Unicode",
                )


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list | tuple) else []


def mask(field: str, value: str, *, on: dt.date | None = None, child: bool = False) -> str:
    """Return ``value`` as everybody sees it who may see the person at all; nothing stays nothing.

    ``on`` is the day for an age band. Of a ``child`` (under 14) only that there is something is shown.
    Raises InvalidValue for an unknown field.

    >>> mask("name", "欧阳雪"), mask("name", "买买提·艾力"), mask("name", "兰")
    ('欧阳＊', '买＊', '＊')
    >>> mask("identity_number", "360599199003150015"), mask("phone", "12900000078")
    ('36**************15', '*********78')
    >>> mask("born_on", "1990-03-15", on=dt.date(2026, 11, 24)), mask("email", "ann@example.org")
    ('36–59', '＊@example.org')
    >>> mask("address", "江西省新余市渝水区某路1号"), mask("name", "欧阳雪", child=True)
    ('江西省新余市渝水区＊', '＊')
    """
    how = retention(field).mask
    text = value.strip()
    if not text or how == "shown":
        return text
    if child:
        return HIDDEN
    match how:
        case "surname":
            return _surname(text)
        case "ends":
            return f"{text[:2]}{'*' * (len(text) - 4)}{text[-2:]}" if len(text) > 5 else "*" * len(text)
        case "last_2" | "last_4":
            shown = int(how[-1])
            return "*" * (len(text) - shown) + text[-shown:] if len(text) > 2 * shown else "*" * len(text)
        case "domain":
            return f"{HIDDEN}@{text.rpartition('@')[2]}" if "@" in text else HIDDEN
        case "age_band":
            return _band(text, on)
        case "district":
            return _places(text) + HIDDEN
    return HIDDEN


def _surname(text: str) -> str:
    # what cannot be seen must not be what is shown
    seen = "".join(each for each in text if unicodedata.category(each) != "Cf")
    if any(dot in seen for dot in _DOTS) or len(seen) < 3 or seen[:2] not in _COMPOUND:
        shown = seen[:1]
        for each in seen[1:]:  # a letter keeps its accents
            if not unicodedata.combining(each):
                break
            shown += each
    else:
        shown = seen[:2]
    return HIDDEN if shown == seen else shown + HIDDEN


def _places(address: str) -> str:
    text = re.sub(
        r"[\s,，.。、;；()（）-]|^(?:\d{6})?(?:中华人民共和国|中国)?",
        "",
        unicodedata.normalize("NFKC", address),
    )
    province = _PROVINCE.match(text)
    at = province.end() if province else 0
    city = _CITY.match(text, at)
    if (city and not _is_place(city[1] or "")) or (city and city[1] and _NO_CITY.fullmatch(city[1])):
        city = None
    following = city.end() if city else at
    district = _DISTRICT.match(text, following)
    if district and not _is_district(district, text[:following]):
        district = None
    if province or district:
        return text[: district.end() if district else following]
    return ""  # a city alone is as likely a shop or an estate


def _is_place(name: str) -> bool:
    return _NAMED.fullmatch(name) is not None or not _NO_PLACE.search(name)


def _is_district(found: re.Match[str], before: str) -> bool:
    name, kind = found[2], found[3]
    if name is None:  # an autonomous county or banner
        return True
    if name in _TRUE_DISTRICT:
        return bool(before)
    if not _is_place(name) or (len(name) > 4 and not name.endswith("族")):
        return False
    match kind:
        case "区":
            return not _NO_DISTRICT.fullmatch(name) and (bool(before) or 2 <= len(name) <= 3)
        case "县":
            return bool(before) or len(name) == 2
        case "旗":  # elsewhere it is a red flag's road
            return before.startswith("内蒙古")
    return bool(before) and len(name) > 1 and not _NO_CITY.fullmatch(name)


def _band(text: str, on: dt.date | None) -> str:
    try:
        born = dt.date.fromisoformat(text)
    except ValueError:
        return HIDDEN
    if on is None:
        return HIDDEN
    age = age_on(born, on)
    return next((band for below, band in _BANDS if age < below), "60+")


def normal(kind: str, value: str) -> str:
    """Return ``value`` in the one form in which it is looked up: width, case, spaces and dots folded.

    >>> normal("name", " 买买提・艾力 ") == normal("name", "买买提·艾力")
    True
    >>> normal("phone", "１２９-0000 0000")
    '12900000000'
    """
    if _PLAIN.fullmatch(value):  # nothing to fold, as with most
        return value
    text, before = value, ""
    while text != before:  # what is left out may leave a letter beside its accent
        before = text
        folded = unicodedata.normalize("NFKC", fold(text)).casefold()
        text = "".join(each for each in folded if not _left_out(each))
    return text.replace("-", "").removeprefix("+86") if kind.startswith("phone") else text


def read_phone(text: str) -> str:
    """Return a phone in its one form, digits with perhaps a leading + of another country.

    Full-width digits, spaces, hyphens, brackets and +86 are folded; a mobile phone has 11 digits, others
    7 to 15. Raises InvalidValue phone_rounded for what a spreadsheet has made of it (1.38E+10),
    phone_malformed for everything else; neither tells the text.

    >>> read_phone("+86 129-0000-0078"), read_phone("（0790）6441234")
    ('12900000078', '07906441234')
    """
    plain = _DASH.sub("-", fold(text)).strip()
    if _ROUNDED.fullmatch(plain):
        raise InvalidValue("phone_rounded")
    number = normal("phone", _ZEROS.sub("", plain).replace("(", "").replace(")", ""))
    number = number.removeprefix("0086")
    superscript = any(letter.isdigit() and not letter.isascii() for letter in plain)
    if superscript or not _PHONE.fullmatch(number):
        raise InvalidValue("phone_malformed")
    return number


def _left_out(letter: str) -> bool:
    return letter.isspace() or letter in _DOTS or unicodedata.category(letter) == "Cf"


def parts(name: str) -> set[str]:
    """Return the single characters and pairs of a name in its normal form.

    >>> sorted(parts("王小"))
    ['小', '王', '王小']
    """
    text = normal("name", name)[:_PARTS]
    return {*text, *(text[i : i + 2] for i in range(len(text) - 1))}


_PARTS: Final = 100


def found_by(data: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return what a subject with these data is found by: ``{kind: values in their normal form}``.

    A name is found by its characters and pairs (``name_part``), everything else only whole: its mask shows too
    little to look for.

    >>> found_by({"phone": "129 0000 0078", "sex": "F"})
    {'phone': {'12900000078'}}
    """
    found: dict[str, set[str]] = {}
    for name, value in data.items():
        if retention(name).storage != "findable" or not value or not isinstance(value, str):
            continue
        if name == "name":
            found["name_part"] = parts(value)
            continue
        found[name] = {normal(name, value)}
    return {kind: values - {""} for kind, values in found.items() if values - {""}}


def hide(text: str) -> str:
    """Return ``text`` with what looks like an identity number, a phone or an e-mail address masked.

    >>> hide("V0000001"), hide("１２９０００００００1"), hide("36059919900315001X")
    ('V0000001', '*********01', '****************1X')
    """
    plain = fold(text)
    hidden = _PERSONAL.sub(lambda found: "*" * (len(found[0]) - 2) + found[0][-2:], plain)
    return text if hidden == plain else hidden


def id_form(text: str) -> str | None:
    """Return an id in its one form (folded, upper case), None for what cannot be one.

    >>> id_form(" ｖ0007957 "), id_form("=1+1")
    ('V0007957', None)
    """
    number = fold(text).strip(" \t\r\n\u3000\xa0\ufeff").upper()
    if number.startswith('="') and number.endswith('"'):
        number = number[2:-1]  # how spreadsheets are kept from eating leading zeros
    return number if _ID.fullmatch(number) else None


def public_number(text: str) -> str:
    """Return a number that a person or an organization is to have in its one form; it says nothing about anybody.

    Raises InvalidValue number_malformed, also for digits alone, which read as the id of a case, and
    number_is_personal for a phone, an identity number, an e-mail address or a name; neither tells the text.

    >>> public_number("ｖ9")
    'V9'
    """
    number = id_form(text) if type(text) is str and storable(text) else None
    if type(text) is str:
        plain = fold(text).strip().removeprefix("+86")
        if hide(plain) != plain or _HAN.search(plain):
            raise InvalidValue("number_is_personal")
    if number is None or number.isdigit():
        raise InvalidValue("number_malformed")
    return number
