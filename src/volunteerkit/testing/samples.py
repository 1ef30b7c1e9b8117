"""Sample calls of the hooks: a plugin's answers to them must have the right types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from volunteerkit.access import Actor, Place
from volunteerkit.errors import Finding, VolunteerkitError, place_of_failure
from volunteerkit.hooks import KINDS
from volunteerkit.hours.model import Claim, Overlap
from volunteerkit.messages import LANGUAGES, catalogue
from volunteerkit.organizations.model import OrganizationForm, TeamForm
from volunteerkit.projects.model import ProjectForm
from volunteerkit.projects.participating import Candidate, Opening
from volunteerkit.volunteers.model import Application

if TYPE_CHECKING:
    from volunteerkit import Kit

__all__ = ["sample_calls", "wrong_answers"]

DAY: Final = dt.date(2026, 11, 8)
_AT: Final = dt.datetime(2026, 11, 8, 1, tzinfo=dt.UTC)
_SHIFT: Final = Opening(1, "P0001", "O0001", None, None, "急救", _AT, _AT + dt.timedelta(hours=2), 10, 3)
_NUMBERS: Final = ("vk_choose_volunteer_number", "vk_choose_number")
_CANDIDATES: Final = (
    Candidate(7, "V0000007", "applied", ("急救",), 2, 600),
    Candidate(3, "V0000003", "applied", (), 0, 0),
    Candidate(5, "V0000005", "waiting", (), 9, 6000),
)


def __dir__() -> list[str]:
    return __all__


def sample_calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (hook, its arguments) for every hook that reviews or chooses from arguments.

    Reactions are not called: they may send something to somebody.
    """
    for begin in (None, dt.time(0), dt.time(5, 59), dt.time(9), dt.time(22), dt.time(23, 59)):
        end = None if begin is None else dt.time((begin.hour + 2) % 24, begin.minute)
        claim = Claim("V0000001", "P0001", DAY, 120, begin, end)
        yield "vk_review_hours", {"claim": claim, "overlapping": ()}
    overlap = Overlap(5, "P0002", DAY, 540, 60)
    yield "vk_review_hours", {"claim": Claim("V0000001", "P0001", DAY, 1440), "overlapping": (overlap,)}
    for actor in (Actor.of("经办-7", "centre"), Actor("V0000001", (), "V0000001")):
        for action in ("hours.confirm", "hours.export", "volunteer.view"):
            place = Place("V0000001", (), ("O0001",), ("渝水区",))
            yield "vk_review_access", {"actor": actor, "action": action, "place": place}
    for born in (None, dt.date(2020, 2, 29), dt.date(2011, 11, 8), dt.date(1990, 5, 1), dt.date(1930, 1, 1)):
        application = Application("周小兰", "O0001", born_on=born, consent_on=DAY, student=born is not None)
        yield "vk_review_registration", {"application": application, "on": DAY}
    yield (
        "vk_review_transfer",
        {"volunteer": "V0000001", "from_": "O0001", "to": "O0002", "effective_on": DAY},
    )
    yield "vk_review_organization", {"form": OrganizationForm("渝水区志愿服务联合会", "registered", "渝水区")}
    yield "vk_review_team", {"form": TeamForm("助老队", "渝水区", "O0001")}
    for back_entry in (False, True):
        form = ProjectForm("社区敬老", "O0001", DAY, DAY, {"place": "社区食堂"})
        yield "vk_review_project", {"form": form, "back_entry": back_entry}
    yield "vk_review_participation", {"volunteer": "V0000001", "shift": _SHIFT}
    yield "vk_choose_matching", {"shift": _SHIFT, "candidates": _CANDIDATES}
    for serial in (1, 999_999):
        yield "vk_choose_volunteer_number", {"organization": "O0001", "serial": serial}
        for kind in ("organization", "team", "project", "brand"):
            yield "vk_choose_number", {"kind": kind, "serial": serial}


def wrong_answers(kit: Kit) -> Iterator[tuple[str, str, str]]:
    """Yield (hook, what it should answer, what it did answer) for each sample call that came out wrong."""
    for hook, values in sample_calls():
        for plugin, implementation in kit.hooks.get(hook, ()):
            try:
                answer = implementation(**values)
                answer = tuple(answer) if KINDS[hook] == "review" and answer is not None else answer
            except VolunteerkitError as error:
                yield hook, _wanted(hook), error.code
                continue
            except Exception as error:
                yield hook, _wanted(hook), place_of_failure(error)
                continue
            if problem := _problem(plugin, hook, answer, values):
                yield hook, _wanted(hook), problem


def _wanted(hook: str) -> str:
    if KINDS[hook] == "review":
        return "Finding"
    return "str | None" if hook in _NUMBERS else "participation_id …"


def _problem(plugin: str, hook: str, answer: Any, values: Mapping[str, Any]) -> str:
    if answer is None:
        return ""
    if KINDS[hook] == "review":
        return next((problem for each in answer if (problem := _finding(plugin, each))), "")
    if hook in _NUMBERS:
        return "" if isinstance(answer, str) else type(answer).__name__
    ids = sorted(each.participation_id for each in values["candidates"])
    try:
        return "" if sorted(answer) == ids else str(list(answer))
    except TypeError:
        return type(answer).__name__


def _finding(plugin: str, found: Any) -> str:
    """Return what is wrong with a finding: its type, its severity, a code that is not its own, its texts."""
    if not isinstance(found, Finding):
        return type(found).__name__
    if found.severity not in ("block", "warn"):
        return f"severity = {found.severity!r}"
    if found.code not in catalogue() and not found.code.startswith(f"{plugin}."):
        return f"code = {found.code!r}, not {plugin}.…"
    if not isinstance(found.values, dict):
        return f"values: {type(found.values).__name__}"
    if found.texts and set(found.texts) != set(LANGUAGES):
        return f"texts: {', '.join(found.texts)}"
    for language, template in found.texts.items():
        try:
            template.format(**found.values)
        except (KeyError, IndexError, ValueError, AttributeError):
            return f"texts: {language}"
    return ""
