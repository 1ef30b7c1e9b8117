"""What a city has settled about joining, attendance and hours, as one value with defaults.

A plugin gives the city's own with `vk_choose_policy`; whatever it leaves out stays as it is here. Decisions
that need more than a number are rules or hooks.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from volunteerkit.errors import InvalidValue, nearest
from volunteerkit.units import plain_day, plain_text, whole_number

__all__ = ["MinorLimit", "Policy"]


def __dir__() -> list[str]:
    return __all__


def _whole(least: int, most: int, *, optional: bool = False) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and optional:
            return
        whole_number(attribute.name, value, least, most)

    return check


def _word(*words: str) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if type(value) is not str or value not in words:
            guess = nearest(value, words) if type(value) is str else None
            shown = value if type(value) is str else type(value).__name__
            raise InvalidValue(name=attribute.name, value=shown, allowed=guess or ", ".join(words))

    return check


def _is(type_: type, allowed: str) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if type(value) is not type_:
            raise InvalidValue(name=attribute.name, value=type(value).__name__, allowed=allowed)

    return check


def _day(_: object, attribute: attrs.Attribute[Any], value: dt.date) -> None:
    plain_day(attribute.name, value)


_DAY = 1440


def _minutes_by_number(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, dict):
        raise InvalidValue(name=attribute.name, value=type(value).__name__, allowed='{"O1": 480}')
    for number, minutes in value.items():
        whole_number(f"{attribute.name}.{plain_text(attribute.name, number)}", minutes, 1, 7 * _DAY)


@attrs.frozen
class MinorLimit:
    """How long and between which minutes of the day a volunteer under ``below_age`` may serve.

    ``not_before`` and ``not_after`` are minutes of the day in the city's zone.
    """

    below_age: int = attrs.field(validator=_whole(1, 18))
    day_minutes: int = attrs.field(validator=_whole(0, _DAY))
    not_before: int = attrs.field(default=0, validator=_whole(0, _DAY))
    not_after: int = attrs.field(default=_DAY, validator=_whole(0, _DAY))


def _limits(given: Any) -> tuple[MinorLimit, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(each, MinorLimit) for each in given):
        raise InvalidValue(name="minors", value=type(given).__name__, allowed="(MinorLimit(…), …)")
    return tuple(given)


_MINORS = (
    MinorLimit(14, 180, 8 * 60, 20 * 60),
    MinorLimit(16, 240, 7 * 60, 21 * 60),
    MinorLimit(18, 480, 6 * 60, 22 * 60),
)


@attrs.frozen(kw_only=True)
class Policy:
    """What a city has settled; every length says its unit, None means without a limit.

    Joining: two shifts that overlap by no more than ``soft_overlap_minutes`` (never more than half of the
    shorter one) only warn; ``rest_minutes`` must lie between two shifts that do not adjoin; shifts that
    adjoin may not last longer than ``consecutive_minutes`` together, nor longer than ``consecutive_minutes_at``
    says for the number of an organization that one of them belongs to; a shift may be joined while it runs
    with ``join_while_running``; ``withdraw_hours`` before it begins a volunteer withdraws no longer alone;
    who is suspended or on leave loses future commitments unless ``commitments_when_away`` is ``"kept"``.
    After ``no_shows`` missed shifts within ``no_show_days`` days nobody is accepted by itself.

    Attendance: check-in from ``check_in_early_minutes`` before the shift; at most ``pairs_per_day`` pairs of
    check-in and check-out a person and day; who forgot to check out is checked out
    ``forgotten_check_out_minutes`` after checking in, and flagged; a code is good for ``code_seconds``;
    a place counts as reached within ``geofence_metres``; a device's clock may be ``clock_skew_minutes`` wrong
    before that is flagged.

    Hours: recorded within ``record_working_days`` working days after the activity's end (Order 67, art. 15), a
    claim by the volunteer within ``claim_months`` months, later only with evidence; a line is disputed within
    ``dispute_days`` days; an entry under ``short_minutes`` or over ``long_minutes`` is looked into, and so are two
    of one volunteer at places between which nobody travels with ``travel_km_per_hour``; a day of
    statistics begins at minute ``day_begins_minute``; a project may issue ``issuance_percent`` percent of its
    places times the length of its shifts.

    Time bank: what was served from ``credit_since`` on counts, as the rulebook ``credit_rulebook`` credits it;
    minutes expire ``credit_months`` months after the day of service, are held for ``hold_days`` days until
    they are redeemed, for ``longest_hold_days`` at most where the holder names a day, a person gives away at most ``gift_minutes_per_year`` in a calendar year, and an account
    may stand ``overdraft_minutes`` below zero.

    >>> Policy(rest_minutes=30).rest_minutes
    30
    """

    soft_overlap_minutes: int = attrs.field(default=0, validator=_whole(0, _DAY))
    rest_minutes: int = attrs.field(default=0, validator=_whole(0, _DAY))
    consecutive_minutes: int | None = attrs.field(
        default=12 * 60, validator=_whole(1, 7 * _DAY, optional=True)
    )
    consecutive_minutes_at: Mapping[str, int] = attrs.field(
        factory=dict, validator=_minutes_by_number, hash=False
    )
    join_while_running: bool = attrs.field(default=False, validator=_is(bool, "True, False"))
    withdraw_hours: int = attrs.field(default=24, validator=_whole(0, 24 * 365))
    commitments_when_away: str = attrs.field(default="cancelled", validator=_word("cancelled", "kept"))
    no_shows: int | None = attrs.field(default=3, validator=_whole(1, 1000, optional=True))
    no_show_days: int = attrs.field(default=180, validator=_whole(1, 3660))
    minors: tuple[MinorLimit, ...] = attrs.field(default=_MINORS, converter=_limits)

    check_in_early_minutes: int = attrs.field(default=60, validator=_whole(0, _DAY))
    pairs_per_day: int | None = attrs.field(default=3, validator=_whole(1, 100, optional=True))
    forgotten_check_out_minutes: int = attrs.field(default=12 * 60, validator=_whole(1, _DAY))
    code_seconds: int = attrs.field(default=30, validator=_whole(5, 3600))
    geofence_metres: int = attrs.field(default=500, validator=_whole(10, 100_000))
    clock_skew_minutes: int = attrs.field(default=10, validator=_whole(1, _DAY))

    record_working_days: int = attrs.field(default=10, validator=_whole(1, 250))
    claim_months: int = attrs.field(default=3, validator=_whole(1, 120))
    dispute_days: int = attrs.field(default=90, validator=_whole(1, 3660))
    short_minutes: int = attrs.field(default=15, validator=_whole(0, _DAY))
    long_minutes: int = attrs.field(default=12 * 60, validator=_whole(1, _DAY))
    travel_km_per_hour: int = attrs.field(default=100, validator=_whole(1, 1000))
    day_begins_minute: int = attrs.field(default=0, validator=_whole(0, _DAY - 1))
    issuance_percent: int = attrs.field(default=100, validator=_whole(1, 1000))

    credit_since: dt.date = attrs.field(default=dt.date(1970, 1, 1), validator=_day)
    credit_rulebook: str = attrs.field(default="union", validator=_is(str, "union"))
    hold_days: int = attrs.field(default=30, validator=_whole(0, 3660))
    longest_hold_days: int = attrs.field(default=365, validator=_whole(0, 3660))
    credit_months: int | None = attrs.field(default=None, validator=_whole(1, 1200, optional=True))
    gift_minutes_per_year: int | None = attrs.field(default=None, validator=_whole(0, 10**7, optional=True))
    overdraft_minutes: int = attrs.field(default=0, validator=_whole(0, 10**7))

    @classmethod
    def read(cls, path: Path | str) -> Policy:
        """Return the policy of a TOML file that names some of the fields, ``[[minors]]`` as tables.

        Raises InvalidValue naming file and key, with the nearest one for a misspelt key; OSError when there is
        no such file.
        """
        source = Path(path)
        try:
            data = tomllib.loads(source.read_text("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidValue("policy_not_toml", file=source.name, problem=str(error)) from None
        _known(source.name, data, cls)
        limits = data.pop("minors", None)
        if limits is not None:
            if not isinstance(limits, list) or not all(isinstance(each, dict) for each in limits):
                raise InvalidValue(
                    name=f"{source.name}: minors", value=type(limits).__name__, allowed="[[minors]]"
                )
            for each in limits:
                _known(f"{source.name}: minors", each, MinorLimit)
                for needed in ("below_age", "day_minutes"):
                    if needed not in each:
                        raise InvalidValue(
                            name=f"{source.name}: minors.{needed}", value="", allowed="1, 2, …"
                        )
            data["minors"] = tuple(MinorLimit(**each) for each in limits)
        return cls(**data)


def _known(where: str, data: dict[str, Any], class_: type[attrs.AttrsInstance]) -> None:
    names = [each.name for each in attrs.fields(class_)]
    for key in data:
        if key not in names:
            raise InvalidValue(name=where, value=key, allowed=nearest(key, names) or ", ".join(names))
