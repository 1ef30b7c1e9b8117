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

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pluggy

from volunteerkit.errors import Finding

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import sqlalchemy as sa

    from volunteerkit.access import Actor, Place
    from volunteerkit.clock import Calendar
    from volunteerkit.events import Event
    from volunteerkit.hours.model import Claim, Overlap
    from volunteerkit.hours.statement import Statement
    from volunteerkit.organizations.model import OrganizationForm, TeamForm
    from volunteerkit.policy import Policy
    from volunteerkit.projects.model import ProjectForm
    from volunteerkit.projects.participating import Candidate, Opening
    from volunteerkit.rules import Fact, Record, Rulebook, RuleFunction
    from volunteerkit.volunteers.model import Application
    from volunteerkit.workflow import Office, Route

__all__ = ["KINDS", "Bound", "hookimpl"]

Bound = Mapping[str, tuple[tuple[str, Callable[..., Any]], ...]]
"""Hook name -> ((plugin name, implementation), …), sorted by plugin name."""

hookspec = pluggy.HookspecMarker("volunteerkit")
hookimpl = pluggy.HookimplMarker("volunteerkit")


def __dir__() -> list[str]:
    return __all__


@hookspec
def vk_rulebooks() -> Iterable[Rulebook | Path]:  # type: ignore[empty-body]
    """Contribute rulebooks: a ladder of stars, a way of crediting hours.

    Asked once, in `Kit.load`; all facts and functions are known then. Two ladders for one question conflict.

    Example::

        from volunteerkit import Rulebook, hookimpl

        STAR = [
            'id = "city.star"',
            'decides = "star"',
            "version = [{ effective_from = 2026-01-01, citation = 'article 9', step = [{ award = 1, when = 'service_days >= 9' }] }]",
        ]

        @hookimpl
        def vk_rulebooks():
            yield Rulebook.loads(chr(10).join(STAR))  # or the path to a file: Path(__file__).with_name("star.toml")
    Added in 0.1.
    """


@hookspec
def vk_functions() -> Iterable[RuleFunction]:  # type: ignore[empty-body]
    """Contribute functions that rules may call, named ``plugin.function``.

    Asked once, in `Kit.load`, before rulebooks are checked. ``one`` works on whole numbers, the optional
    ``many`` on columns.

    Example::

        from volunteerkit import RuleFunction, hookimpl

        @hookimpl
        def vk_functions():
            yield RuleFunction("city.regular", one=lambda service_days: service_days >= 24)
    Added in 0.1.
    """


@hookspec
def vk_facts() -> Iterable[Fact]:  # type: ignore[empty-body]
    """Contribute declarations of facts that rules may mention beside the library's own.

    Asked once, in `Kit.load`, before rulebooks are checked. A name declared twice conflicts.

    Example::

        from volunteerkit import Fact, hookimpl

        @hookimpl
        def vk_facts():
            yield Fact("trained", "bool", "已完成培训", "has finished training", default=False)
    Added in 0.1.
    """


@hookspec
def vk_messages() -> Iterable[Mapping[str, Mapping[str, str]] | Path]:  # type: ignore[empty-body]
    """Contribute the texts of the plugin's findings: code -> language -> text, or the path to a TOML file of that.

    Asked once, in `Kit.load`. Every code has a text in each language, with the names of the finding's values in
    braces. A code that the library or another plugin has conflicts. A finding's own ``texts`` go first.

    Example::

        from volunteerkit import hookimpl

        @hookimpl
        def vk_messages():
            yield {"city.late": {"zh-CN": "{hour} 点后不服务。", "en": "No service after {hour}."}}
    Added in 0.1.
    """


@hookspec
def vk_tables() -> Iterable[sa.Table]:  # type: ignore[empty-body]
    """Contribute tables of the plugin's own, for what it keeps while it reacts.

    Asked once, in `Kit.load`; `Kit.migrate` makes those that the database lacks and changes none. A name that
    begins with ``vk_`` is refused, one that two plugins have conflicts.

    Example::

        import sqlalchemy as sa

        from volunteerkit import hookimpl

        SENT = sa.Table("city_sent", sa.MetaData(), sa.Column("seq", sa.BigInteger, primary_key=True))

        @hookimpl
        def vk_tables():
            yield SENT
    Added in 0.1.
    """


@hookspec
def vk_routes() -> Iterable[Route]:  # type: ignore[empty-body]
    """Contribute routes of approval: the offices, terms and public notice by which the city decides.

    Asked once, in `Kit.load`. A route takes the place of the library's own for its ``kind``, such as
    ``"volunteer.registration"``; two plugins with a route of one kind conflict, an unknown kind is refused.

    Example::

        from volunteerkit import hookimpl
        from volunteerkit.workflow import Office, Route, Step

        @hookimpl
        def vk_routes():
            yield Route("team.registration", (Step("centre", Office("centre"), days=5),))
    Added in 0.1.
    """


@hookspec
def vk_records(volunteers: Sequence[str], until: dt.date) -> Iterable[tuple[str, Record]]:  # type: ignore[empty-body]
    """Contribute records beside the hours, such as training, gifts, blood donations: pairs (number, record).

    Asked once for a run of rating with the numbers of all its volunteers, where the rulebook looks at records
    up to ``until``. A way of crediting that is not the rulebook's own does not see them.

    Example::

        from volunteerkit import hookimpl
        from volunteerkit.rules import Record

        @hookimpl
        def vk_records():  # 20000 is 4 October 2024
            yield "V1", Record(1, 20000, -1, 0, 0, kind="whole_blood", quantity=400)
    Added in 0.1.
    """


@hookspec
def vk_review_access(actor: Actor, action: str, place: Place) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review what the matrix permits, to veto it: asked each time an actor was found permitted to do something.

    A finding with severity ``"block"`` refuses, and so does an exception; nothing said here ever permits.

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_access(actor, action):
            if action == "hours.export" and actor.volunteer is None:
                yield Finding("city.named_export")
    Added in 0.1.
    """


@hookspec
def vk_review_registration(application: Application, on: dt.date) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review a registration before anything is written: the city's own conditions of age, school, papers.

    A finding with severity ``"block"`` refuses, ``"warn"`` goes along to whoever decides. Values of a
    finding are codes and numbers, never a personal datum. An exception refuses (fails closed).

    ``application.born_on`` is filled from the identity number when only that was given.

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_registration(application):
            if application.student and not application.school_procedure:
                yield Finding("city.school", texts={"zh-CN": "请先办理学校的手续。", "en": "Ask the school first."})
    Added in 0.1.
    """


@hookspec
def vk_review_transfer(volunteer: str, from_: str, to: str, effective_on: dt.date) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review a volunteer's transfer from one managing organization to another before it is opened.

    Numbers of the volunteer and both organizations, and the day from which it would hold. Findings as in
    `vk_review_registration`.

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_transfer(effective_on):
            if effective_on.day != 1:
                yield Finding("city.first_of_month", severity="warn")
    Added in 0.1.
    """


@hookspec
def vk_choose_calendar() -> Calendar | None:
    """Choose the city's calendar of working days, by which terms and public notices are counted.

    Asked once, in `Kit.load`. At most one plugin may answer; None leaves it to the library: Monday to
    Friday, without holidays.

    Example::

        import datetime as dt

        from volunteerkit import hookimpl
        from volunteerkit.clock import Calendar

        @hookimpl
        def vk_choose_calendar():
            return Calendar(holidays=[dt.date(2026, 10, 1)], known_until=dt.date(2026, 12, 31))
    Added in 0.1.
    """


@hookspec
def vk_choose_lead() -> Office | None:
    """Choose the office that decides where the library's own routes say "the department".

    Asked once, in `Kit.load`. At most one plugin may answer; None leaves it to the library: the officers of
    the department for the organization's own area. A ``scope`` names one area for the whole city.

    Example::

        from volunteerkit import hookimpl
        from volunteerkit.workflow import Office

        @hookimpl
        def vk_choose_lead():
            return Office("department_officer", "新余市")
    Added in 0.1.
    """


@hookspec
def vk_choose_policy() -> Policy | None:
    """Choose what the city has settled about joining, attendance and hours.

    Asked once, in `Kit.load`. At most one plugin may answer; None leaves it to the library: `Policy` with its
    defaults.

    Example::

        from volunteerkit import hookimpl
        from volunteerkit.policy import Policy

        @hookimpl
        def vk_choose_policy():
            return Policy()
    Added in 0.1.
    """


@hookspec
def vk_review_organization(form: OrganizationForm) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review an application for an organization before its case is opened.

    A finding with severity ``"block"`` refuses it, ``"warn"`` travels with the case. An exception refuses.

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_organization(form):
            if form.kind == "hosted_group" and not form.area:
                yield Finding("city.area")
    Added in 0.1.
    """


@hookspec
def vk_review_team(form: TeamForm) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review the registration of a team before its case is opened; works as `vk_review_organization`.

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_team(form):
            if not form.area:
                yield Finding("city.team_area", severity="warn")
    Added in 0.1.
    """


@hookspec
def vk_review_project(form: ProjectForm, back_entry: bool) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review an application for a project before its case is opened; works as `vk_review_organization`.

    ``back_entry`` tells that it took place already. Here a city asks for insurance, a written agreement or
    training: the library has the findings ``statement_missing_insurance``, ``statement_missing_agreement`` and
    ``statement_missing_training`` for it.

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_project(form, back_entry):
            if not back_entry and not form.statements.get("insurance"):
                yield Finding("statement_missing_insurance")
    Added in 0.1.
    """


@hookspec
def vk_review_participation(volunteer: str, shift: Opening) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review whether a volunteer may have a place in a shift: when joining, accepted or promoted.

    ``volunteer`` is a number. A finding with severity ``"block"`` refuses, or passes over who waits;
    ``"warn"`` goes back with the answer. An exception refuses (fails closed).

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_participation(shift):
            if shift.starts_at.hour < 6:
                yield Finding("city.too_early")
    Added in 0.1.
    """


@hookspec
def vk_choose_matching(shift: Opening, candidates: tuple[Candidate, ...]) -> Sequence[int] | None:
    """Choose in which order those who applied for a shift suit it: their participation ids, all of them.

    At most one plugin may answer; None leaves it to the library: matching skills, then shifts served with the
    organization, then minutes served, then who applied first. ``candidates`` come in the order of application.

    Example::

        from volunteerkit import hookimpl

        @hookimpl
        def vk_choose_matching(candidates):
            most_first = sorted(candidates, key=lambda each: -each.minutes)
            return [each.participation_id for each in most_first]
    Added in 0.1.
    """


@hookspec
def vk_review_hours(claim: Claim, overlapping: tuple[Overlap, ...]) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Review a claim of hours before it is recorded.

    ``overlapping`` are the volunteer's other records at the same time. A finding with severity ``"block"``
    refuses the claim; ``"warn"`` goes back with the answer, and its code stays with the record for those who
    inspect hours (`hours.inspect`): that is how a city's own signs of fraud are reported. An exception refuses
    (fails closed).

    Example::

        from volunteerkit import Finding, hookimpl

        @hookimpl
        def vk_review_hours(claim, overlapping):
            if overlapping and claim.claimed_minutes > 480:
                yield Finding("city.too_long", {"minutes": claim.claimed_minutes}, severity="warn")
    Added in 0.1.
    """


@hookspec
def vk_choose_volunteer_number(organization: str, serial: int) -> str | None:
    """Choose the public number of a new volunteer registered without one.

    ``organization`` is the number of the managing organization, ``serial`` a whole number never used
    before. At most one plugin may answer; None leaves it to the library (``"V"`` and ten random digits).

    Example::

        from volunteerkit import hookimpl

        @hookimpl
        def vk_choose_volunteer_number(organization, serial):
            return f"{organization}-{serial:06d}"
    Added in 0.1.
    """


@hookspec
def vk_choose_number(kind: str, serial: int) -> str | None:
    """Choose the public number of something new that came without one.

    ``kind`` is ``"organization"``, ``"team"``, ``"project"`` or ``"brand"``, ``serial`` a whole number never used
    for that kind before. At most one plugin may answer; None leaves it to the library (a letter and the serial).

    Example::

        from volunteerkit import hookimpl

        @hookimpl
        def vk_choose_number(kind, serial):
            return f"XY-{serial:05d}" if kind == "project" else None
    Added in 0.1.
    """


@hookspec
def vk_choose_rendering(document: Statement, language: str) -> str | None:
    """Choose how a document looks that is handed to somebody: a volunteer's statement of hours.

    Asked by `Kit.render`, with the language ``"zh-CN"`` or ``"en"``. The answer is the whole page as text, HTML for
    instance. At most one plugin may answer; None leaves it to whoever shows it.

    Example::

        from volunteerkit import hookimpl

        @hookimpl
        def vk_choose_rendering(document, language):
            title = {"zh-CN": "志愿服务时长", "en": "Hours served"}[language]
            return f"{title}: {document.credited_minutes // 60} h"
    Added in 0.1.
    """


@hookspec
def vk_react(event: Event) -> None:
    """React to something that happened, after its transaction was committed.

    Delivered at least once, in order, by ``kit.deliver(engine)``; use ``event.seq`` to notice repeats.
    No transaction is open meanwhile, so it may take its time and use the database itself.

    Example::

        from volunteerkit import hookimpl

        COUNTED = {}

        @hookimpl
        def vk_react(event):
            COUNTED[event.type] = COUNTED.get(event.type, 0) + 1
    Added in 0.1.
    """


_OTHERS = ("review", "choose", "react")
KINDS: Final = {name: kind if (kind := name.split("_")[1]) in _OTHERS else "contribute"
                for name in tuple(globals()) if name.startswith("vk_")}  # fmt: skip
"""Every hook with its kind: contribute, review, choose or react."""
