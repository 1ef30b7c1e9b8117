"""Registration: what a form must say, and who decides."""

from __future__ import annotations

import datetime as dt
import secrets
from contextlib import suppress
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit import calling
from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case, Workflow, decide
from volunteerkit.approvals.cases import last_case, open_case
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.ledger import honour_account
from volunteerkit.organizations import tables as organizations
from volunteerkit.organizations.reading import cannot_take_in
from volunteerkit.privacy import found_by, normal, public_number, read_phone
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, hold_head, note
from volunteerkit.store.registering import checked_text, id_of, next_id, register_row
from volunteerkit.store.schema import head
from volunteerkit.store.vault import (
    check_key,
    find_subjects,
    open_subject,
    seal_subject,
)
from volunteerkit.units import day_number, day_of, of_type, plain_day, plain_text
from volunteerkit.volunteers.identity import Identity, adult_on, read_identity
from volunteerkit.volunteers.model import (
    TAG_KINDS,
    Acknowledgement,
    Application,
    Guardian,
    review_age,
    review_guardian,
)
from volunteerkit.volunteers.persons import connect, linked
from volunteerkit.volunteers.reading import Found, reached
from volunteerkit.volunteers.status import GONE, consent_withdrawn, put_status
from volunteerkit.volunteers.tables import acknowledgement, doubt, membership, tag, volunteer
from volunteerkit.workflow import Office, Route, Step

__all__ = ["WORKFLOWS", "admit", "approve", "check_registration", "refuse", "register", "resubmit"]

CONSENT: Final = "consent_to_registration"
"""The document by which somebody agrees to be registered, in as many versions as they agreed."""
_WORDS = dict(zip(TAG_KINDS, ("skills", "languages", "service_fields", "availability"), strict=True))
_PERSONAL = ("name", "phone", "email", "address", "political_status", "education", "employer")


def __dir__() -> list[str]:
    return __all__


@storage_errors("database")
def check_registration(desk: Desk, application: Application) -> tuple[Finding, ...]:
    """Return everything that speaks against an application, for a form: nothing is written.

    Findings of severity ``"block"`` would refuse it. Whether the identity number is known already is not
    told here: only a real registration says that it cannot be taken. Raises NotPermitted, InvalidValue for
    a value that cannot be read.
    """
    _permit(desk, application)
    return _findings(desk, application, first=True)


def _permit(desk: Desk, application: Application) -> None:
    of_type("application", application, Application)
    plain_text("organization", application.organization)
    brought = desk.actor.id if application.by_oneself else None
    place = Place(None, (), () if application.by_oneself else (application.organization,), (), brought)
    desk.permit("volunteer.register", place)


def _identity(desk: Desk, application: Application) -> Identity | None:
    return read_identity(application.identity_number, desk.today) if application.identity_number else None


def _born_by(born_on: dt.date, today: dt.date) -> None:
    if not dt.date(1850, 1, 1) <= born_on <= today:
        raise InvalidValue(name="born_on", value="?", allowed=f"1850-01-01 … {today}")


def _born_on(application: Application, identity: Identity | None) -> dt.date | None:
    return application.born_on or (identity.born_on if identity else None)


def _findings(desk: Desk, application: Application, *, first: bool) -> tuple[Finding, ...]:
    identity = _identity(desk, application)
    born_on = _born_on(application, identity)
    if born_on is not None:
        _born_by(born_on, desk.today)
    found = _unreadable(application) + review_age(application, born_on, desk.today)
    found += review_guardian(application, born_on)
    if first and application.by_oneself and linked(desk) is not None:
        found += (Finding("actor_registered", {}),)
    if application.organization:  # whom an import left without one may be submitted again
        found += cannot_take_in(desk, application.organization, desk.today)
    if not application.by_oneself and application.consent_on is None:
        found += (Finding("consent_day_missing", {}),)
    consented_on = application.guardian and application.guardian.consented_on
    days = {application.consent_on, consented_on, *(each.on for each in application.acknowledged)}
    for day in sorted(each for each in days if each):
        if day > desk.today:
            found += (Finding("consent_in_future", {"day": day, "today": desk.today}),)
    if not any(each.document == "rights_and_duties" for each in application.acknowledged):
        found += (Finding("rights_not_acknowledged", {}, "warn"),)
    if identity is None:
        found += (Finding("missing_id", {}, "warn"),)
    else:
        found += tuple(Finding(kind, {}, "warn") for kind in _doubts(application, identity))
    return found + calling.review_registration(desk, attrs.evolve(application, born_on=born_on), desk.today)


def _unreadable(application: Application) -> tuple[Finding, ...]:
    """Return what cannot be a name or a phone; raises InvalidValue for what is no text at all."""
    found: tuple[Finding, ...] = ()
    guardian = application.guardian
    names = [("name", application.name), *([("guardian", guardian.name)] if guardian else [])]
    for field, name in names:
        # somebody's number in the place of the name would be shown as a name is
        if normal("name", checked_text(field, name, 100)).isdigit():
            found += (Finding("name_is_number", {"field": field}),)
    given = (application.phone, guardian and guardian.phone)
    for text in [checked_text("phone", each, 40) for each in given if each]:
        try:
            read_phone(text)
        except InvalidValue as unreadable:
            found += (Finding(unreadable.code, {}),)
    return found


def _doubts(application: Application, identity: Identity) -> tuple[str, ...]:
    doubts = identity.doubts
    if application.sex and application.sex != identity.sex:
        doubts += ("sex_disagrees_with_id",)
    if application.born_on and application.born_on != identity.born_on:
        doubts += ("birth_disagrees_with_id",)
    return doubts


@command
def register(desk: Desk, application: Application, *, number: str | None = None) -> str:
    """Register an applicant and return the public volunteer number; a case decides about it.

    The volunteer is ``pending`` until the office of the route ``volunteer.registration`` approves; whoever
    registered cannot. Personal data go into the vault, sealed. Without ``number`` a plugin chooses one, else
    it is ``V`` and ten digits drawn by chance. Raises NotPermitted, InvalidValue,
    KeyProblem without a cipher, and Refused with every finding that blocks, when the number is taken, or
    with ``identity_known`` when the identity number belongs to somebody registered: nothing of theirs is
    told, and `claim` is the way for who is that person.
    """
    _permit(desk, application)
    cipher = desk.needed_cipher()
    check_key(desk.connection, cipher)
    # of two with one identity number the second sees the first
    findings = _reviewed(desk, cipher, application)
    id_, given = _enter(desk, cipher, application, number, "pending")
    _open(desk, f"volunteer:{id_}", given, application, findings)
    return given


def _reviewed(
    desk: Desk, cipher: Cipher, application: Application, *, but: int | None = None
) -> tuple[Finding, ...]:
    """Return what the office is told of an application; raise Refused for one that cannot be taken.

    ``but`` is the volunteer's own id, when they are registered already.
    """
    findings, identity = _findings(desk, application, first=but is None), _identity(desk, application)
    if any(finding.severity == "block" for finding in findings):
        raise Refused(*findings)
    if identity is not None and set(known_identity(desk, cipher, identity.number)) - {but}:
        raise Refused(Finding("identity_known", {}))
    return findings


def _open(
    desk: Desk, subject: str, number: str, application: Application, findings: tuple[Finding, ...],
    previous_id: int | None = None,
) -> Case:  # fmt: skip
    organizations_ = (application.organization,) if application.organization else ()
    place = Place(number, (), organizations_, (application.area,) if application.area else ())
    facts = {
        "organization": application.organization,
        "area": application.area,
        "by_oneself": application.by_oneself,
    }
    return open_case(desk, "volunteer.registration", subject, place, facts=facts, findings=findings,
                     previous_id=previous_id)  # fmt: skip


@command
def admit(
    desk: Desk,
    *,
    name: str,
    organization: str,
    number: str | None = None,
    identity_number: str | None = None,
    phone: str | None = None,
    born_on: dt.date | None = None,
) -> str:
    """Take over a volunteer who was approved elsewhere before, as one row of an import; return the number.

    By the centre alone; who is new applies by `register`. Raises what `register` raises.
    """
    desk.permit("volunteer.admit")
    cipher = desk.needed_cipher()
    check_key(desk.connection, cipher)
    if identity_number:
        plain_text("identity_number", identity_number)
    if born_on is not None:
        plain_day("born_on", born_on)
        _born_by(born_on, desk.today)
    application = Application(name, organization, identity_number, phone, born_on, consent_on=desk.today)
    unreadable = _unreadable(application)
    if unreadable:
        raise Refused(*unreadable)
    id_, given = _enter(desk, cipher, application, number, "approved")
    note(desk, "volunteer.status", f"volunteer:{id_}", {"status": "approved", "on": day_number(desk.today)})
    return given


def _enter(
    desk: Desk, cipher: Cipher, application: Application, number: str | None, status: str
) -> tuple[int, str]:
    """Write an applicant with all that belongs to them; return id and number."""
    identity = _identity(desk, application)
    organization_id = id_of(desk, organizations.organization, "organization", application.organization)
    given = (
        checked_text("number", _number(desk, application.organization), 100)
        if number is None else public_number(number)
    )  # fmt: skip
    born_on, personal = _born_on(application, identity), _personal(application, identity)
    if _is_personal(given, personal):
        raise InvalidValue("number_is_personal")
    id_ = register_row(desk, volunteer, "volunteer.registered", given, {
        "district": checked_text("area", application.area) if application.area else "",
        "status": status, "organization_id": organization_id, "registered_on": day_number(desk.today),
        "adult_on": adult_on(born_on) if born_on else None,
    }, honour_account)  # fmt: skip
    seal_subject(desk.connection, cipher, f"volunteer:{id_}", personal, found_by=found_by(personal))
    _belong(desk, id_, organization_id, application)
    for kind in _doubts(application, identity) if identity else ("missing_id",):
        desk.connection.execute(sa.insert(doubt).values(volunteer_id=id_, kind=kind))
    return id_, given


def _is_personal(number: str, personal: dict[str, Any]) -> bool:
    """Tell whether what is to be the public number is the person's phone, or anybody's identity number."""
    if personal["phone"] and normal("phone", number) == personal["phone"]:
        return True
    try:
        return read_identity(number).doubts == ()
    except InvalidValue:
        return False


def known_identity(desk: Desk, cipher: Cipher, identity_number: str) -> list[int]:
    """Return the ids of the volunteers with that identity number (in its 18-character form)."""
    found = find_subjects(desk.connection, cipher, "identity_number", identity_number)
    return [int(subject.partition(":")[2]) for subject in found if subject.startswith("volunteer:")]


def _personal(application: Application, identity: Identity | None) -> dict[str, Any]:
    born_on, guardian = _born_on(application, identity), application.guardian
    texts = ((name, getattr(application, name)) for name in _PERSONAL)
    given: dict[str, Any] = {name: checked_text(name, text) if text else "" for name, text in texts}
    given |= {
        "name": checked_text("name", application.name, 100),
        "phone": _phone(application.phone) if application.phone else "",
        "sex": application.sex or (identity.sex if identity else ""),
        "born_on": born_on.isoformat() if born_on else "",
        "identity_number": identity.number if identity else "",
    }
    if guardian is not None:
        given["guardian"] = {
            "name": checked_text("guardian", guardian.name, 100),
            "phone": _phone(guardian.phone) if guardian.phone else "",
            "relation": checked_text("relation", guardian.relation, 100),
            "identity_number": checked_text("identity_number", guardian.identity_number, 40)
            if guardian.identity_number
            else "",
            "consented_on": guardian.consented_on.isoformat() if guardian.consented_on else "",
        }
    return given


def _phone(text: str) -> str:
    return read_phone(checked_text("phone", text, 40))


def _belong(desk: Desk, id_: int, organization_id: int, application: Application) -> None:
    today = day_number(desk.today)
    enter(desk, id_, organization_id, "managing", today)
    for kind, field in _WORDS.items():
        for value in getattr(application, field):
            told = checked_text(kind, value, 100)
            desk.connection.execute(sa.insert(tag).values(volunteer_id=id_, kind=kind, value=told))
    agreed = [(each.document, each.version, each.on) for each in application.acknowledged]
    if application.guardian and application.guardian.consented_on:
        agreed.append(("guardian_consent", "1", application.guardian.consented_on))
    if application.consent_on:
        agreed.append((CONSENT, "1", application.consent_on))
    once = {(checked_text("document", each[0]), checked_text("version", each[1])): each[2] for each in agreed}
    for (document, version), on in once.items():
        agree(desk, id_, document, version, on)
    if application.by_oneself:
        connect(desk, desk.actor.id, id_)


def agree(desk: Desk, id_: int, document: str, version: str, on: dt.date) -> None:
    """Note that a volunteer agreed to a document in a version on a day; raises InvalidValue."""
    values = {
        "volunteer_id": id_, "document": checked_text("document", document, 100),
        "version": checked_text("version", version, 100), "acknowledged_on": day_number(on), "actor_id": desk.actor.id,
    }  # fmt: skip
    desk.connection.execute(sa.insert(acknowledgement).values(**values))


def enter(
    desk: Desk, volunteer_id: int, organization_id: int | None, role: str, since: int, *,
    team_id: int | None = None, linked_id: int | None = None,
) -> int:  # fmt: skip
    """Write a membership that begins on the day number ``since``; return its id."""
    id_ = next_id(desk, membership)
    desk.connection.execute(
        sa.insert(membership).values(
            id=id_, volunteer_id=volunteer_id, organization_id=organization_id, team_id=team_id, role=role,
            since=since, linked_id=linked_id,
        )
    )  # fmt: skip
    return id_


def _number(desk: Desk, organization: str) -> str:
    """Return the number of a new volunteer: a plugin's, else ``V`` and ten digits drawn by chance.

    A number is public: one that is counted on would tell how many came before, and whose is the next one.
    Digits alone, because a letter may be read as a digit and is hard to say on the telephone; no 0 in front,
    or they may look like a telephone's, which is hidden wherever it is typed.
    """
    hold_head(desk)  # of two registrations at once the second sees the first one's number
    serial = desk.connection.execute(sa.select(head.c.event_seq)).scalar_one() + 1
    chosen = calling.choose_text(
        desk.hooks, "vk_choose_volunteer_number", organization=organization, serial=serial
    )
    if chosen is not None:
        return chosen
    while True:
        drawn = f"V{10**9 + secrets.randbelow(9 * 10**9)}"  # with a 0 in front it may look like a phone
        if (
            desk.connection.execute(sa.select(volunteer.c.id).where(volunteer.c.number == drawn)).first()
            is None
        ):
            return drawn


def _settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    status = {"granted": "approved", "refused": "refused"}.get(outcome, "deregistered")
    id_ = int(case.subject.partition(":")[2])
    pending = sa.select(volunteer.c.id).where(volunteer.c.id == id_, volunteer.c.status == "pending")
    if desk.connection.execute(pending).first() is not None:
        if outcome == "granted" and case.facts["organization"]:
            stopped = cannot_take_in(desk, case.facts["organization"], on)
            if stopped:
                raise Refused(*stopped)
        put_status(desk, id_, ("pending",), status, on=on, case=case.id)


def _registration(desk: Desk, number: str) -> Case:
    found, _ = reached(desk, "volunteer.decide", number, managing=True)
    case = last_case(desk, "volunteer.registration", f"volunteer:{found.id}")
    if case is None:
        raise Refused(Finding("not_pending_registration", {"volunteer": number, "status": found.status}))
    return case  # a closed one tells who decided it, and when


@command
def approve(desk: Desk, number: str, *, reason: str = "") -> Case:
    """Approve the present step of a pending registration. Raises what `approvals.decide` raises."""
    return decide(desk, _registration(desk, number).id, "approve", reason=reason)


@command
def refuse(desk: Desk, number: str, *, reason: str) -> Case:
    """Refuse a pending registration; it can be submitted again. Raises what `approvals.decide` raises."""
    return decide(desk, _registration(desk, number).id, "refuse", reason=reason)


@command
def resubmit(
    desk: Desk, number: str, *, consent_on: dt.date | None = None, student: bool = False, own_income: bool = False,
    school_procedure: bool = False,
) -> Case:  # fmt: skip
    """Open the registration of a refused or withdrawn applicant anew, linked to the case before.

    It is reviewed as `register` reviews it, with what is kept of the applicant; what is asked here is not
    kept and is said anew, ``consent_on`` only when the person agreed again: after a consent that was
    withdrawn, on that day or later. Raises NotFound, NotPermitted, InvalidValue, KeyProblem, and Refused when
    it was neither, when the personal data are restricted or erased, and with every finding that blocks.
    """
    found, _ = reached(desk, "volunteer.edit", number, managing=True)
    cipher = desk.needed_cipher()
    if found.status not in (*GONE, "erased"):  # the erased are told so
        raise Refused(Finding("not_refused", {"volunteer": number, "status": found.status}))
    withdrawn_on = consent_withdrawn(desk, found)
    if (
        consent_on is not None
        and withdrawn_on is not None
        and plain_day("consent_on", consent_on) < withdrawn_on
    ):
        raise Refused(Finding("consent_before_withdrawal", {"day": consent_on, "withdrawn": withdrawn_on}))
    put_status(desk, found.id, GONE, "pending")
    application = attrs.evolve(
        _kept(desk, cipher, found), student=student, own_income=own_income, school_procedure=school_procedure
    )  # fmt: skip
    if withdrawn_on is not None:  # what was agreed to before counts no more
        application = attrs.evolve(application, consent_on=None)
    if consent_on is not None:
        again = sum(each.document == CONSENT for each in application.acknowledged) + 1
        application = attrs.evolve(application, consent_on=consent_on)
        agree(desk, found.id, CONSENT, str(again), consent_on)
    findings = _reviewed(desk, cipher, application, but=found.id)
    before = last_case(desk, "volunteer.registration", found.subject)
    return _open(desk, found.subject, found.number, application, findings, before.id if before else None)


def _kept(desk: Desk, cipher: Cipher, found: Found) -> Application:
    """Return the application as it would be given again from what is kept of the volunteer."""
    personal = open_subject(desk.connection, cipher, found.subject)
    given: dict[str, Any] = {name: personal.get(name, "") for name in (*_PERSONAL, "sex")}
    tags = sa.select(tag.c.kind, tag.c.value).where(tag.c.volunteer_id == found.id)
    for kind, value in desk.connection.execute(tags):
        given[_WORDS[kind]] = (*given.get(_WORDS[kind], ()), value)
    query = sa.select(acknowledgement).where(acknowledgement.c.volunteer_id == found.id)
    agreed = tuple(
        Acknowledgement(row.document, row.version, day_of(row.acknowledged_on))
        for row in desk.connection.execute(query.order_by(acknowledgement.c.acknowledged_on))
    )
    if personal.get("guardian"):
        day = personal["guardian"].get("consented_on")
        consented = dt.date.fromisoformat(day) if day else None
        given["guardian"] = Guardian(**{**personal["guardian"], "consented_on": consented})
    if personal.get("born_on"):
        given["born_on"] = dt.date.fromisoformat(personal["born_on"])
    with suppress(InvalidValue):  # what an import kept unread counts as missing
        given["identity_number"] = read_identity(personal.get("identity_number", ""), desk.today).number
    return Application(
        organization=found.organization, area=next(iter(found.place.areas), ""), acknowledged=agreed,
        by_oneself=desk.is_one_of(Person(None, found.number)),
        consent_on=max((each.on for each in agreed if each.document == CONSENT), default=None), **given,
    )  # fmt: skip


WORKFLOWS = (
    Workflow(
        Route("volunteer.registration", (
            Step("review", Office("organization_admin", also=("centre",)), days=5),
        )),
        "volunteer.decide", _settle, by_subject=True,
    ),
)  # fmt: skip
"""How a registration is decided unless a plugin gives another route: by its organization or the centre."""
