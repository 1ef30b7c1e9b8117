"""Values of brands and projects: what is applied for, and the words for where things stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from volunteerkit.clock import aware
from volunteerkit.errors import InvalidValue, nearest
from volunteerkit.messages import phrase
from volunteerkit.organizations.model import given_text
from volunteerkit.units import plain_day, whole_number

__all__ = [
    "ACCEPTANCE",
    "ACTIVE",
    "ATTENDED",
    "IMPORTED_STATES",
    "NEEDED",
    "PARTICIPATION_STATES",
    "PROJECT_STATES",
    "STATEMENTS",
    "WITHOUT_HOURS",
    "Brand",
    "Listed",
    "Position",
    "PositionForm",
    "Project",
    "ProjectChange",
    "ProjectForm",
    "Series",
    "Shift",
    "ShiftForm",
]


def __dir__() -> list[str]:
    return __all__


STATEMENTS: Final = (
    "place",
    "content",
    "conditions",
    "risks",
    "protection",
    "insurance",
    "agreement",
    "training",
)
"""What the organizer states when it recruits, in words of its own.

The place, the content, the conditions for joining, the risks and the protection against them must be there
(Regulations on Volunteer Service, State Council Decree 685, art. 13); time and number are the project's own
columns. Insurance, a written agreement and training are named where a rule asks for them (art. 14, 16, 17).
"""

NEEDED: Final = STATEMENTS[:5]
"""Those that no application goes without."""

PROJECT_STATES: Final = (
    "pending",
    "refused",
    "withdrawn",
    "approved",
    "published",
    "closing",
    "closed",
    "cancelled",
    "archived",
    "deleted",
)
"""From the application (pending) to the archive; an approved one is published before anybody joins, and its
completion report (closing) is reviewed before it is closed. A deleted one is there for nobody."""

IMPORTED_STATES: Final = ("rejected", "suspended", "deregistered")
"""Further words that an imported project may have from its file."""

WITHOUT_HOURS: Final = ("pending", "refused", "rejected", "withdrawn", "cancelled", "deleted")
"""States in which nobody's hours are recorded; an imported project has the word of its file (rejected)."""

ACCEPTANCE: Final = ("auto", "reviewed")
"""Who applies for a shift is accepted by itself while there is a free place, or after a review."""

PARTICIPATION_STATES: Final = (
    "invited",
    "applied",
    "waiting",
    "accepted",
    "refused",
    "withdrawn",
    "cancelled",
    "completed",
    "discharged",
    "excused",
    "missed",
)
"""Applied waits for a review, waiting for a place. Cancelled ended with the activity or the person's absence.

Afterwards: completed, discharged early (the part served counts), excused, or missed without a word.
"""

ACTIVE: Final = ("applied", "waiting", "accepted")
"""States in which somebody means to come; accepted ones take places."""

ATTENDED: Final = ("accepted", "completed", "discharged")
"""States whose attendance may become hours."""


def _text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    given_text(attribute.name, value)


def _number(_: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        given_text(attribute.name, value)


def _day(_: object, attribute: attrs.Attribute[Any], value: dt.date | None) -> None:
    if value is not None:
        plain_day(attribute.name, value)


def _instant(_: object, attribute: attrs.Attribute[dt.datetime], value: dt.datetime) -> None:
    aware(attribute.name, value)


def _flag(_: object, attribute: attrs.Attribute[bool], value: bool) -> None:
    if type(value) is not bool:
        raise InvalidValue(name=attribute.name, value=type(value).__name__, allowed="True, False")


def _whole(least: int, most: int) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
        if value is not None:
            whole_number(attribute.name, value, least, most)

    return check


def _word(*words: str, optional: bool = False) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
        if value not in words and not (optional and value is None):
            shown = value if type(value) is str else type(value).__name__
            allowed = nearest(shown, words) or ", ".join(words)
            raise InvalidValue(name=attribute.name, value=shown, allowed=allowed)

    return check


def _statements(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    for key, text in value.items():
        if key not in STATEMENTS:
            guess = nearest(key, STATEMENTS) if type(key) is str else ""
            shown = key if type(key) is str else type(key).__name__
            raise InvalidValue(name=attribute.name, value=shown, allowed=guess or ", ".join(STATEMENTS))
        if len(given_text(f"{attribute.name}.{key}", text)) > _LONGEST:
            raise InvalidValue(
                name=f"{attribute.name}.{key}",
                value=phrase("count_letters", count=len(text)),
                allowed=phrase("allowed_text", most=_LONGEST),
            )


_LONGEST: Final = 5000


def _mapping(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise InvalidValue(name="statements", value=type(value).__name__, allowed=", ".join(STATEMENTS))
    return MappingProxyType(dict(value))


def _all_of(type_: type) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
        if type(value) is not tuple or not all(isinstance(each, type_) for each in value):
            raise InvalidValue(
                name=attribute.name, value=type(value).__name__, allowed=f"(…, {type_.__name__})"
            )

    return check


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


@attrs.frozen
class PositionForm:
    """What there is to do in a project and whom it needs.

    ``age_from`` and ``age_to`` are completed years, inclusive; ``qualification`` and ``skill`` the city's
    words. ``sex`` is ``"F"`` or ``"M"`` and needs a ``sex_ground``: the law that allows to ask for it.
    Raises InvalidValue.

    >>> PositionForm("陪护", age_from=18).sex is None
    True
    """

    name: str = attrs.field(validator=_text)
    content: str = attrs.field(default="", validator=_text)
    age_from: int | None = attrs.field(default=None, validator=_whole(0, 150))
    age_to: int | None = attrs.field(default=None, validator=_whole(0, 150))
    qualification: str | None = attrs.field(default=None, validator=_number)
    skill: str | None = attrs.field(default=None, validator=_number)
    sex: str | None = attrs.field(default=None, validator=_word("F", "M", optional=True))
    sex_ground: str | None = attrs.field(default=None, validator=_number)

    def __attrs_post_init__(self) -> None:
        if self.age_from is not None and self.age_to is not None and self.age_to < self.age_from:
            raise InvalidValue(name="age_to", value=self.age_to, allowed=f"{self.age_from} …")


@attrs.frozen
class ShiftForm:
    """A span of a project that volunteers join, from one aware instant to another, in whole minutes.

    ``capacity`` is the number of places: None is unlimited, 0 closed. ``position`` is the name of one of the
    project's positions; latitude and longitude are in millionths of a degree. Raises InvalidValue.

    >>> start = dt.datetime(2026, 11, 30, 1, tzinfo=dt.UTC)
    >>> ShiftForm(start, start + dt.timedelta(hours=4), capacity=2).capacity
    2
    """

    starts_at: dt.datetime = attrs.field(validator=_instant)
    ends_at: dt.datetime = attrs.field(validator=_instant)
    capacity: int | None = attrs.field(default=None, validator=_whole(0, 10**6))
    position: str | None = attrs.field(default=None, validator=_number)
    name: str = attrs.field(default="", validator=_text)
    latitude_e6: int | None = attrs.field(default=None, validator=_whole(-90_000_000, 90_000_000))
    longitude_e6: int | None = attrs.field(default=None, validator=_whole(-180_000_000, 180_000_000))


@attrs.frozen
class ProjectForm:
    """What an organizer says of an activity project.

    ``organization`` runs it, perhaps through a ``team`` of its own; ``brand``, ``team`` and ``visible_below``
    (the organization to whose sub-tree alone it is shown) are numbers. ``statements`` has words of the
    organizer's own for `STATEMENTS`. ``starts_on`` and ``ends_on``, ``apply_from`` and ``apply_until`` are
    days, inclusive; ``places`` is how many volunteers are looked for. ``area`` is where it takes place, by
    default the organization's. Raises InvalidValue.

    >>> day = dt.date(2026, 12, 1)
    >>> ProjectForm("社区敬老", "O1", day, day, statements={"place": "社区食堂"}).acceptance
    'auto'
    """

    name: str = attrs.field(validator=_text)
    organization: str = attrs.field(validator=_text)
    starts_on: dt.date = attrs.field(validator=_day)
    ends_on: dt.date = attrs.field(validator=_day)
    statements: Mapping[str, str] = attrs.field(
        factory=dict, converter=_mapping, validator=_statements, hash=False
    )
    category: str = attrs.field(default="", validator=_text)
    brand: str | None = attrs.field(default=None, validator=_number)
    team: str | None = attrs.field(default=None, validator=_number)
    area: str = attrs.field(default="", validator=_text)
    places: int | None = attrs.field(default=None, validator=_whole(1, 10**6))
    apply_from: dt.date | None = attrs.field(default=None, validator=_day)
    apply_until: dt.date | None = attrs.field(default=None, validator=_day)
    acceptance: str = attrs.field(default="auto", validator=_word(*ACCEPTANCE))
    waiting_list: bool = attrs.field(default=True, validator=_flag)
    guests_at_most: int = attrs.field(default=0, validator=_whole(0, 100))
    visible_below: str | None = attrs.field(default=None, validator=_number)
    positions: tuple[PositionForm, ...] = attrs.field(
        default=(), converter=_tuple, validator=_all_of(PositionForm)
    )
    shifts: tuple[ShiftForm, ...] = attrs.field(default=(), converter=_tuple, validator=_all_of(ShiftForm))

    def __attrs_post_init__(self) -> None:
        for name in ("starts_on", "ends_on"):
            plain_day(name, getattr(self, name))


@attrs.frozen(kw_only=True)
class ProjectChange:
    """What is to be changed of a project; None leaves a field as it is.

    The fields are those of `ProjectForm`; an empty ``brand`` or ``visible_below`` takes it away, and
    ``statements`` replaces those it has. Raises InvalidValue.

    >>> ProjectChange(name="社区敬老日").places is None
    True
    """

    name: str | None = attrs.field(default=None, validator=_number)
    category: str | None = attrs.field(default=None, validator=_number)
    brand: str | None = attrs.field(default=None, validator=_number)
    area: str | None = attrs.field(default=None, validator=_number)
    starts_on: dt.date | None = attrs.field(default=None, validator=_day)
    ends_on: dt.date | None = attrs.field(default=None, validator=_day)
    places: int | None = attrs.field(default=None, validator=_whole(1, 10**6))
    apply_from: dt.date | None = attrs.field(default=None, validator=_day)
    apply_until: dt.date | None = attrs.field(default=None, validator=_day)
    acceptance: str | None = attrs.field(default=None, validator=_word(*ACCEPTANCE, optional=True))
    waiting_list: bool | None = attrs.field(default=None, validator=attrs.validators.optional(_flag))
    guests_at_most: int | None = attrs.field(default=None, validator=_whole(0, 100))
    visible_below: str | None = attrs.field(default=None, validator=_number)
    statements: Mapping[str, str] = attrs.field(
        factory=dict, converter=_mapping, validator=_statements, hash=False
    )


@attrs.frozen
class Position:
    """A position of a project as it stands, with its id; the other fields as in `PositionForm`."""

    id: int
    name: str
    content: str
    age_from: int | None
    age_to: int | None
    qualification: str | None
    skill: str | None
    sex: str | None
    sex_ground: str | None


@attrs.frozen
class Shift:
    """A shift as it stands: ``starts_at`` and ``ends_at`` in the city's zone, ``day`` the one it begins on.

    ``capacity`` None is unlimited; ``taken`` places are given away. ``edited`` tells that somebody changed
    it by itself after its series was planned. ``project`` and ``organization`` are numbers, ``project_name`` and
    ``organization_name`` what a page shows; ``place`` is where it is, in the organizer's words.
    """

    id: int
    project: str
    name: str
    position: str | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    capacity: int | None
    taken: int
    series: int | None
    edited: bool
    cancelled: bool
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    project_name: str = ""
    organization: str = ""
    organization_name: str = ""
    place: str = ""

    @property
    def day(self) -> dt.date:
        """The city's day that it belongs to."""
        return self.starts_at.date()

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        return (
            int((self.ends_at.astimezone(dt.UTC) - self.starts_at.astimezone(dt.UTC)).total_seconds()) // 60
        )

    @property
    def free(self) -> int | None:
        """How many places are free, None without a limit; a capacity below those taken leaves none."""
        return None if self.capacity is None else max(0, self.capacity - self.taken)


@attrs.frozen
class Series:
    """Shifts by an RFC 5545 ``rule``, from the day ``first_on``, and the ids of its shifts in order."""

    id: int
    rule: str
    first_on: dt.date
    shifts: tuple[int, ...]


@attrs.frozen
class Listed:
    """A project in a list. ``free`` is how many places its coming shifts have, None when one has no limit.

    ``over`` tells that its last day is past and no shift is to come, whatever its ``status`` still is.
    ``organization`` is the number of the one that runs it, ``organization_name`` what a page shows.
    """

    number: str
    name: str
    brand: str | None
    category: str
    organization: str
    team: str | None
    area: str
    starts_on: dt.date | None
    ends_on: dt.date | None
    status: str
    template: bool
    free: int | None
    organization_name: str
    over: bool


@attrs.frozen
class Project:
    """A project as it stands, with its positions and shifts in order.

    ``status`` is one of `PROJECT_STATES`, an imported one has the word of its file. ``case`` is the approval
    that decided it, ``copied_from`` the number of the project it was copied from; ``over`` is as in `Listed`. The
    other fields are as in `ProjectForm`.
    """

    number: str
    name: str
    brand: str | None
    category: str
    organization: str
    team: str | None
    area: str
    starts_on: dt.date | None
    ends_on: dt.date | None
    places: int | None
    apply_from: dt.date | None
    apply_until: dt.date | None
    acceptance: str
    waiting_list: bool
    guests_at_most: int
    visible_below: str | None
    back_entry: bool
    template: bool
    statements: Mapping[str, str] = attrs.field(hash=False)
    status: str
    case: int | None
    copied_from: str | None
    published_at: dt.datetime | None
    positions: tuple[Position, ...]
    shifts: tuple[Shift, ...]
    over: bool


@attrs.frozen
class Brand:
    """A lasting programme under which projects run.

    ``organization`` is the number of the one that maintains it, None for the centre; ``ended_on`` the first
    day on which it no longer exists.
    """

    number: str
    name: str
    summary: str
    organization: str | None
    area: str
    founded_on: dt.date | None
    ended_on: dt.date | None
