"""The hook specifications: what a city's plugin may say, and when it is asked.

A plugin is a module or object with functions marked `hookimpl`. Each hook is of one of four kinds, and the
kind fixes what an answer means:

- **contribute**: asked once, when the kit is loaded; two plugins that contribute the same name conflict.
- **review**: asked inside the transaction, before anything is written; blocking findings refuse.
- **choose**: at most one plugin answers; two answers conflict; no answer means the built-in.
- **react**: told after the commit; a failure postpones that plugin's delivery and nobody else's.

Arguments are frozen values passed by keyword; a plugin names only those it wants. Order never matters:
wrappers, tryfirst and trylast are refused when the plugin is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import pluggy

from volunteerkit.errors import Finding, place_of_failure

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from volunteerkit.access import Actor, Place
    from volunteerkit.clock import Calendar
    from volunteerkit.events import Event
    from volunteerkit.hours.model import Claim, Overlap
    from volunteerkit.organizations.model import OrganizationForm, TeamForm
    from volunteerkit.policy import Policy
    from volunteerkit.projects.model import ProjectForm
    from volunteerkit.projects.participating import Candidate, Opening
    from volunteerkit.rules import Fact, Record, Rulebook, RuleFunction
    from volunteerkit.store.desk import Desk
    from volunteerkit.volunteers.model import Application
    from volunteerkit.workflow import Office, Route

__all__ = [
    "KINDS",
    "choose",
    "choose_volunteer_number",
    "hookimpl",
    "records",
    "review",
    "review_hours",
    "review_registration",
    "review_transfer",
    "vk_choose_calendar",
    "vk_choose_lead",
    "vk_choose_matching",
    "vk_choose_policy",
    "vk_choose_volunteer_number",
    "vk_facts",
    "vk_functions",
    "vk_react",
    "vk_records",
    "vk_review_access",
    "vk_review_hours",
    "vk_review_organization",
    "vk_review_participation",
    "vk_review_project",
    "vk_review_registration",
    "vk_review_team",
    "vk_review_transfer",
    "vk_routes",
    "vk_rulebooks",
]

hookspec = pluggy.HookspecMarker("volunteerkit")
hookimpl = pluggy.HookimplMarker("volunteerkit")


def __dir__() -> list[str]:
    return __all__


@hookspec
def vk_rulebooks() -> Iterable[Rulebook | Path]:  # type: ignore[empty-body]
    """Contribute rulebooks: a ladder of stars, a way of crediting hours.

    Asked once, in `Kit.load`. A path to a TOML file is read with the facts and functions of all plugins; a
    `Rulebook` is taken as it is. Two plugins with a ladder for the same question (``decides``) conflict.

    Example: ``yield Path(__file__).with_name("star.toml")``
    """


@hookspec
def vk_functions() -> Iterable[RuleFunction]:  # type: ignore[empty-body]
    """Contribute functions that rules may call, named ``plugin.function``.

    Asked once, in `Kit.load`, before rulebooks are checked. ``one`` works on whole numbers, the optional
    ``many`` on columns.

    Example: ``yield RuleFunction("xinyu.regular", one=lambda service_days: service_days >= 24)``
    """


@hookspec
def vk_facts() -> Iterable[Fact]:  # type: ignore[empty-body]
    """Contribute declarations of facts that rules may mention beside the library's own.

    Asked once, in `Kit.load`, before rulebooks are checked. A name declared twice conflicts.

    Example: ``yield Fact("trained", "bool", "已完成培训", "has finished training", default=False)``
    """


@hookspec
def vk_records(volunteers: Sequence[str], until: dt.date) -> Iterable[tuple[str, Record]]:  # type: ignore[empty-body]
    """Contribute records that count beside the hours: training, gifts, blood donations, points.

    Asked once for a whole run of rating, with the numbers of all volunteers it is about, and only for
    rulebooks that look at records. Yields pairs (number, record) in any order, of days up to ``until``; they
    come into the volunteer's stream with the ``kind`` the plugin gives them. A way of crediting that is not the
    rulebook's own does not see them.

    Example: ``yield "V1", Record(1, day_number(date(2026, 3, 5)), -1, 0, 0, kind="whole_blood", quantity=400)``
    """


@hookspec
def vk_routes() -> Iterable[Route]:  # type: ignore[empty-body]
    """Contribute routes of approval: the offices, terms and public notice by which the city decides.

    Asked once, in `Kit.load`. A route takes the place of the library's own for its ``kind``, such as
    ``"volunteer.registration"``; two plugins with a route of one kind conflict, an unknown kind is refused.

    Example: ``yield Route("team.registration", (Step("centre", Office("centre"), days=5),))``
    """


@hookspec
def vk_review_access(actor: Actor, action: str, place: Place) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Veto what the matrix would permit: asked each time an actor was found permitted to do something.

    A finding with severity ``"block"`` refuses, and so does an exception; nothing said here ever permits.

    Example: ``if action == "hours.export" and not actor.volunteer: yield Finding("xinyu.named_export")``
    """


@hookspec
def vk_review_registration(application: Application, on: dt.date) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review a registration before anything is written: the city's own conditions of age, school, papers.

    A finding with severity ``"block"`` refuses, ``"warn"`` goes along to whoever decides. Values of a
    finding are codes and numbers, never a personal datum. An exception refuses (fails closed).

    ``application.born_on`` is filled from the identity number when only that was given.

    Example: ``if application.student and not application.school_procedure: yield Finding("xinyu.school")``
    """


@hookspec
def vk_review_transfer(volunteer: str, from_: str, to: str, effective_on: dt.date) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review a volunteer's transfer from one managing organization to another before it is opened.

    Numbers of the volunteer and both organizations, and the day from which it would hold. Findings as in
    `vk_review_registration`.

    Example: ``if effective_on.day != 1: yield Finding("xinyu.first_of_month")``
    """


@hookspec
def vk_choose_calendar() -> Calendar | None:
    """Choose the city's calendar of working days, by which terms and public notices are counted.

    Asked once, in `Kit.load`. At most one plugin may answer; None leaves it to the library: Monday to
    Friday, without holidays.

    Example: ``return Calendar(holidays=…, extra_workdays=…, known_until=date(2026, 12, 31))``
    """


@hookspec
def vk_choose_lead() -> Office | None:
    """Choose the office that decides where the library's own routes say "the department".

    Asked once, in `Kit.load`. At most one plugin may answer; None leaves it to the library: the officers of
    the department for the organization's own area. A ``scope`` names one area for the whole city.

    Example: ``return Office("department_officer", "新余市")``
    """


@hookspec
def vk_choose_policy() -> Policy | None:
    """Choose what the city has settled about joining, attendance and hours.

    Asked once, in `Kit.load`. At most one plugin may answer; None leaves it to the library: `Policy` with its
    defaults.

    Example: ``return Policy.read(Path(__file__).with_name("policy.toml"))``
    """


@hookspec
def vk_review_organization(form: OrganizationForm) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review an application for an organization before its case is opened.

    A finding with severity ``"block"`` refuses it, ``"warn"`` travels with the case. An exception refuses.

    Example: ``if form.kind == "hosted_group" and not form.area: yield Finding("xinyu.area")``
    """


@hookspec
def vk_review_team(form: TeamForm) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review the registration of a team before its case is opened; works as `vk_review_organization`.

    Example: ``if form.area == "": yield Finding("xinyu.team_area")``
    """


@hookspec
def vk_review_project(form: ProjectForm, back_entry: bool) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review an application for a project before its case is opened; works as `vk_review_organization`.

    ``back_entry`` tells that it took place already. Here a city asks for insurance, a written agreement or
    training: the library has the findings ``statement_missing_insurance``, ``statement_missing_agreement`` and
    ``statement_missing_training`` for it.

    Example: ``if not form.statements.get("insurance"): yield Finding("statement_missing_insurance")``
    """


@hookspec
def vk_review_participation(volunteer: str, shift: Opening) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review whether a volunteer may have a place in a shift: when joining, accepted or promoted.

    ``volunteer`` is a number. A finding with severity ``"block"`` refuses, or passes over who waits;
    ``"warn"`` goes back with the answer. An exception refuses (fails closed).

    Example: ``if shift.starts_at.hour < 6: yield Finding("xinyu.too_early")``
    """


@hookspec
def vk_choose_matching(shift: Opening, candidates: tuple[Candidate, ...]) -> Sequence[int] | None:
    """Choose in which order those who applied for a shift suit it: their participation ids, all of them.

    At most one plugin may answer; None leaves it to the library: matching skills, then shifts served with the
    organization, then minutes served, then who applied first. ``candidates`` come in the order of application.

    Example: ``return [each.participation_id for each in sorted(candidates, key=lambda one: -one.minutes)]``
    """


@hookspec
def vk_review_hours(claim: Claim, overlapping: tuple[Overlap, ...]) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review a claim of hours before it is recorded.

    ``overlapping`` are the volunteer's other records at the same time. A finding with severity ``"block"``
    refuses the claim; ``"warn"`` goes back with the answer, and its code stays with the record for those who
    inspect hours (`hours.inspect`): that is how a city's own signs of fraud are reported. An exception refuses
    (fails closed).

    Example: ``if overlapping: yield Finding("xinyu.overlap")``
    """


@hookspec
def vk_choose_volunteer_number(organization: str, serial: int) -> str | None:
    """Choose the public number of a new volunteer registered without one.

    ``organization`` is the number of the managing organization, ``serial`` a whole number never used
    before. At most one plugin may answer; None leaves it to the library (``"V"`` and ten random digits).

    Example: ``return f"{organization}-{serial:06d}"``
    """


@hookspec
def vk_react(event: Event) -> None:
    """React to something that happened, after its transaction was committed.

    Delivered at least once, in order, by ``kit.deliver(engine)``; use ``event.seq`` to notice repeats.
    No transaction is open meanwhile, so it may take its time and use the database itself.

    Example: ``if event.type == "hours.confirmed": queue.put(event.subject)``
    """


KINDS: Final = {
    "vk_facts": "contribute",
    "vk_functions": "contribute",
    "vk_rulebooks": "contribute",
    "vk_routes": "contribute",
    "vk_records": "contribute",
    "vk_review_access": "review",
    "vk_review_hours": "review",
    "vk_review_registration": "review",
    "vk_review_transfer": "review",
    "vk_review_organization": "review",
    "vk_review_team": "review",
    "vk_review_project": "review",
    "vk_review_participation": "review",
    "vk_choose_calendar": "choose",
    "vk_choose_lead": "choose",
    "vk_choose_matching": "choose",
    "vk_choose_policy": "choose",
    "vk_choose_volunteer_number": "choose",
    "vk_react": "react",
}
"""Every hook with its kind; the order is the order in which contributions are asked for."""


def _ask(desk: Desk, hook: str, **values: Any) -> Iterable[tuple[str, Any]]:
    """Yield (plugin, answer) in order of the plugins' names; a plugin's failure becomes a PluginError."""
    for plugin, implementation in desk.hooks.get(hook, ()):
        try:
            answer = implementation(**values)
            yield (
                plugin,
                tuple(answer) if KINDS[hook] in ("review", "contribute") and answer is not None else answer,
            )
        except Exception as error:
            from volunteerkit.errors import PluginError, VolunteerkitError

            if isinstance(error, VolunteerkitError):
                raise
            raise PluginError(plugin=plugin, hook=hook, problem=place_of_failure(error)) from error


def review(desk: Desk, hook: str, **values: Any) -> tuple[Finding, ...]:
    """Return every plugin's findings of a review hook, each with its plugin's name; a misspelt severity blocks."""
    import attrs

    from volunteerkit.errors import InvalidValue, PluginError
    from volunteerkit.units import plain_text

    found = []
    for plugin, findings in _ask(desk, hook, **values):
        for finding in findings or ():
            if not isinstance(finding, Finding):
                raise PluginError(plugin=plugin, hook=hook, problem=type(finding).__name__)
            try:
                plain_text("code", finding.code, 100)  # some are stored
            except InvalidValue:
                raise PluginError(plugin=plugin, hook=hook, problem="Finding.code") from None
            if not isinstance(finding.values, dict):
                raise PluginError(plugin=plugin, hook=hook, problem="Finding.values")
            severity: Literal["block", "warn"] = "warn" if finding.severity == "warn" else "block"
            found.append(attrs.evolve(finding, plugin=plugin, severity=severity))
    return tuple(found)


def records(desk: Desk, volunteers: Sequence[str], until: dt.date) -> dict[str, list[Record]]:
    """Return what plugins contribute to the streams of these volunteers, by number; a wrong value names its plugin."""
    from volunteerkit.errors import PluginError
    from volunteerkit.rules import Record

    hook, wanted, found = "vk_records", set(volunteers), dict[str, list[Record]]()
    for plugin, given in _ask(desk, hook, volunteers=tuple(volunteers), until=until):
        for pair in given or ():
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Record)):
                raise PluginError(plugin=plugin, hook=hook, problem=type(pair).__name__)
            number, record = pair
            whole = (record.served_on, record.start_minute, record.clock_minutes, record.claimed_minutes)
            if any(type(each) is not int for each in whole) or record.claimed_minutes < 0:
                raise PluginError(plugin=plugin, hook=hook, problem="Record")
            if number in wanted:
                found.setdefault(number, []).append(record)
    return found


def review_hours(desk: Desk, claim: Claim, overlapping: tuple[Overlap, ...]) -> tuple[Finding, ...]:
    """Return every plugin's findings about ``claim``."""
    return review(desk, "vk_review_hours", claim=claim, overlapping=overlapping)


def review_registration(desk: Desk, application: Application, on: dt.date) -> tuple[Finding, ...]:
    """Return every plugin's findings about an application to be registered."""
    return review(desk, "vk_review_registration", application=application, on=on)


def review_transfer(
    desk: Desk, volunteer: str, from_: str, to: str, effective_on: dt.date
) -> tuple[Finding, ...]:
    """Return every plugin's findings about a transfer from one managing organization to another."""
    values = {"volunteer": volunteer, "from_": from_, "to": to, "effective_on": effective_on}
    return review(desk, "vk_review_transfer", **values)


def choose(desk: Desk, hook: str, **values: Any) -> tuple[str, Any] | None:
    """Return who chose and what, None when no plugin did; raises PluginConflict for two."""
    from volunteerkit.errors import PluginConflict

    chosen = [(plugin, answer) for plugin, answer in _ask(desk, hook, **values) if answer is not None]
    if len(chosen) > 1:
        raise PluginConflict(what=hook, first=chosen[0][0], second=chosen[1][0])
    return chosen[0] if chosen else None


def choose_volunteer_number(desk: Desk, organization: str, serial: int) -> str | None:
    """Return the one number a plugin chose, None when none did; raises PluginConflict for two."""
    from volunteerkit.errors import PluginError

    hook = "vk_choose_volunteer_number"
    chosen = choose(desk, hook, organization=organization, serial=serial)
    if chosen is not None and not isinstance(chosen[1], str):
        raise PluginError(plugin=chosen[0], hook=hook, problem=type(chosen[1]).__name__)
    return None if chosen is None else chosen[1]
