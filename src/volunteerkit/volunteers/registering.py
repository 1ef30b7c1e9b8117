"""Registration: what a form must say, who decides, and what a known identity number does not reveal."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from volunteerkit import hooks
from volunteerkit.access import Place
from volunteerkit.approvals import Case, Workflow, decide
from volunteerkit.approvals.cases import open_case, waiting_case
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused
from volunteerkit.ledger import honour_account
from volunteerkit.organizations import tables as organizations
from volunteerkit.privacy import found_by
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import hold_head, note
from volunteerkit.store.registering import checked_text, id_of, register_row
from volunteerkit.store.schema import head
from volunteerkit.store.vault import check_key, find_subjects, open_subject, seal_subject
from volunteerkit.units import day_number, fold, plain_day, plain_text
from volunteerkit.volunteers.identity import Identity, adult_on, read_identity
from volunteerkit.volunteers.model import TAG_KINDS, Application, review_age
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import Found, by_managing, find
from volunteerkit.volunteers.tables import acknowledgement, doubt, link, membership, tag, volunteer
from volunteerkit.workflow import Office, Route, Step

__all__ = ["WORKFLOWS", "admit", "approve", "check_registration", "claim", "refuse", "register", "resubmit"]

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
    return _findings(desk, application, _identity(desk, application))


def _permit(desk: Desk, application: Application) -> None:
    brought = desk.actor.id if application.by_oneself else None
    place = Place(None, (), () if application.by_oneself else (application.organization,), (), brought)
    desk.permit("volunteer.register", place)


def _identity(desk: Desk, application: Application) -> Identity | None:
    return read_identity(application.identity_number, desk.today) if application.identity_number else None


def _born_on(application: Application, identity: Identity | None) -> dt.date | None:
    return application.born_on or (identity.born_on if identity else None)


def _findings(desk: Desk, application: Application, identity: Identity | None) -> tuple[Finding, ...]:
    born_on = _born_on(application, identity)
    if born_on is not None and not dt.date(1850, 1, 1) <= born_on <= desk.today:
        raise InvalidValue(name="born_on", value="?", allowed=f"1850-01-01 … {desk.today}")
    found = review_age(application, born_on, desk.today)
    if not application.by_oneself and application.consent_on is None:
        found += (Finding("consent_day_missing", {}),)
    for day in (application.consent_on, application.guardian and application.guardian.consented_on):
        if day and day > desk.today:
            found += (Finding("consent_in_future", {"day": day, "today": desk.today}),)
    if not any(each.document == "rights_and_duties" for each in application.acknowledged):
        found += (Finding("rights_not_acknowledged", {}, "warn"),)
    if identity is None:
        found += (Finding("missing_id", {}, "warn"),)
    else:
        found += tuple(Finding(kind, {}, "warn") for kind in _doubts(application, identity))
    return found + hooks.review_registration(desk, application, desk.today)


def _doubts(application: Application, identity: Identity) -> tuple[str, ...]:
    doubts = identity.doubts
    if application.sex and application.sex != identity.sex:
        doubts += ("sex_disagrees_with_id",)
    if application.born_on and application.born_on != identity.born_on:
        doubts += ("birth_disagrees_with_id",)
    return doubts


@storage_errors("database")
def register(desk: Desk, application: Application, *, number: str | None = None) -> str:
    """Register an applicant and return the public volunteer number; a case decides about it.

    The volunteer is ``pending`` until the office of the route ``volunteer.registration`` approves; whoever
    registered cannot. Personal data go into the vault, sealed. Without ``number`` a plugin chooses one, else
    it is ``V`` and seven digits. Raises NotPermitted, NotFound for an unknown organization, InvalidValue,
    KeyProblem without a cipher, and Refused with every finding that blocks, when the number is taken, or
    with ``identity_known`` when the identity number belongs to somebody registered: nothing of theirs is
    told, and `claim` is the way for who is that person.
    """
    _permit(desk, application)
    cipher, identity = desk.needed_cipher(), _identity(desk, application)
    check_key(desk.connection, cipher)
    findings = _findings(desk, application, identity)
    blocking = any(finding.severity == "block" for finding in findings)
    if blocking:
        raise Refused(*findings)
    if identity is not None and known_identity(desk, cipher, identity.number):
        raise Refused(Finding("identity_known", {}))
    id_, given = _enter(desk, cipher, application, number, "pending")
    place = Place(given, (), (application.organization,), (application.area,) if application.area else ())
    facts = {
        "organization": application.organization,
        "area": application.area,
        "by_oneself": application.by_oneself,
    }
    open_case(desk, "volunteer.registration", f"volunteer:{id_}", place, facts=facts, findings=findings)
    return given


@storage_errors("database")
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
    application = Application(name, organization, identity_number, phone, born_on, consent_on=desk.today)
    id_ = _enter(desk, cipher, application, number, "approved")[0]
    note(desk, "volunteer.status", f"volunteer:{id_}", {"status": "approved", "on": day_number(desk.today)})
    return str(
        desk.connection.execute(sa.select(volunteer.c.number).where(volunteer.c.id == id_)).scalar_one()
    )


def _enter(
    desk: Desk, cipher: Cipher, application: Application, number: str | None, status: str
) -> tuple[int, str]:
    """Write an applicant with all that belongs to them; return id and number."""
    identity = _identity(desk, application)
    organization_id = id_of(desk, organizations.organization, "organization", application.organization)
    given = checked_text("number", _number(desk, application.organization) if number is None else number, 100)
    born_on, personal = _born_on(application, identity), _personal(application, identity)
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
    return fold(checked_text("phone", text, 40)).replace(" ", "").replace("-", "")


def _belong(desk: Desk, id_: int, organization_id: int, application: Application) -> None:
    today = day_number(desk.today)
    enter(desk, id_, organization_id, "managing", today)
    words = {"skill": application.skills, "language": application.languages,
             "service_field": application.service_fields, "availability": application.availability}  # fmt: skip
    for kind in TAG_KINDS:
        for value in words[kind]:
            told = checked_text(kind, value, 100)
            desk.connection.execute(sa.insert(tag).values(volunteer_id=id_, kind=kind, value=told))
    agreed = [(each.document, each.version, each.on) for each in application.acknowledged]
    if application.guardian and application.guardian.consented_on:
        agreed.append(("guardian_consent", "1", application.guardian.consented_on))
    if application.consent_on:
        agreed.append(("consent_to_registration", "1", application.consent_on))
    for document, version, on in agreed:
        desk.connection.execute(
            sa.insert(acknowledgement).values(
                volunteer_id=id_, document=checked_text("document", document, 100),
                version=checked_text("version", version, 100), acknowledged_on=day_number(on),
                actor_id=desk.actor.id,
            )
        )  # fmt: skip
    if application.by_oneself:
        connect(desk, desk.actor.id, id_)


def connect(desk: Desk, actor_id: str, volunteer_id: int) -> None:
    """Note which of the portal's actors is which volunteer."""
    desk.connection.execute(sa.delete(link).where(link.c.actor_id == actor_id))
    values = {"actor_id": actor_id, "volunteer_id": volunteer_id, "linked_on": day_number(desk.today)}
    desk.connection.execute(sa.insert(link).values(values))


def enter(
    desk: Desk, volunteer_id: int, organization_id: int, role: str, since: int, *,
    team_id: int | None = None, linked_id: int | None = None,
) -> int:  # fmt: skip
    """Write a membership that begins on the day number ``since``; return its id."""
    id_ = (desk.connection.execute(sa.select(sa.func.max(membership.c.id))).scalar() or 0) + 1
    desk.connection.execute(
        sa.insert(membership).values(
            id=id_, volunteer_id=volunteer_id, organization_id=organization_id, team_id=team_id, role=role,
            since=since, linked_id=linked_id,
        )
    )  # fmt: skip
    return id_


def _number(desk: Desk, organization: str) -> str:
    """Return the number of a new volunteer: a plugin's, else the one after the highest ``V`` and seven digits."""
    hold_head(desk)  # of two registrations at once the second sees the first one's number
    serial = desk.connection.execute(sa.select(head.c.event_seq)).scalar_one() + 1
    chosen = hooks.choose_volunteer_number(desk, organization, serial)
    if chosen is not None:
        return chosen
    # others came with the import, in a form of their own: V1 would be the highest text of all
    ours = volunteer.c.number.between("V0000000", "V9999999") & (sa.func.length(volunteer.c.number) == 8)
    highest = desk.connection.execute(sa.select(sa.func.max(volunteer.c.number)).where(ours)).scalar() or "V0"
    digits = highest[1:]
    return f"V{(int(digits) if digits.isascii() and digits.isdigit() else serial) + 1:07d}"


def _settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    status = {"granted": "approved", "refused": "refused"}.get(outcome, "deregistered")
    id_ = int(case.subject.partition(":")[2])
    guarded = sa.update(volunteer).where(volunteer.c.id == id_, volunteer.c.status == "pending")
    if desk.connection.execute(guarded.values(status=status)).rowcount:
        note(
            desk, "volunteer.status", case.subject, {"status": status, "on": day_number(on), "case": case.id}
        )


def _registration(desk: Desk, number: str) -> tuple[Found, Case]:
    found = find(desk, number)
    desk.permit_on("volunteer.decide", "volunteer", number, by_managing(found) if found else None)
    assert found is not None
    case = waiting_case(desk, "volunteer.registration", f"volunteer:{found.id}")
    if case is None:
        raise Refused(Finding("not_pending_registration", {"volunteer": number, "status": found.status}))
    return found, case


def approve(desk: Desk, number: str, *, reason: str = "") -> Case:
    """Approve the present step of a pending registration. Raises what `approvals.decide` raises."""
    return decide(desk, _registration(desk, number)[1].id, "approve", reason=reason)


def refuse(desk: Desk, number: str, *, reason: str) -> Case:
    """Refuse a pending registration; it can be submitted again. Raises what `approvals.decide` raises."""
    return decide(desk, _registration(desk, number)[1].id, "refuse", reason=reason)


def resubmit(desk: Desk, number: str) -> Case:
    """Open the registration of a refused or withdrawn applicant anew, linked to the case before.

    Raises NotFound, NotPermitted, Refused when it was neither.
    """
    found = find(desk, number)
    place = by_managing(found) if found else None
    desk.permit_on("volunteer.edit", "volunteer", number, place)
    assert found is not None
    if found.status not in ("refused", "deregistered"):
        raise Refused(Finding("not_refused", {"volunteer": number, "status": found.status}))
    guarded = sa.update(volunteer).where(volunteer.c.id == found.id, volunteer.c.status == found.status)
    desk.connection.execute(guarded.values(status="pending"))
    subject = f"volunteer:{found.id}"
    facts = {
        "organization": found.organization,
        "area": next(iter(found.place.areas), ""),
        "by_oneself": False,
    }
    return open_case(
        desk, "volunteer.registration", subject, by_managing(found), facts=facts,
        previous_id=last_case(desk, "volunteer.registration", subject),
    )  # fmt: skip


def last_case(desk: Desk, kind: str, subject: str) -> int | None:
    """Return the id of the newest case of this kind about ``subject``."""
    from volunteerkit.approvals.tables import case

    query = sa.select(sa.func.max(case.c.id)).where(case.c.kind == kind, case.c.subject == subject)
    found: int | None = desk.connection.execute(query).scalar()
    return found


def claim(desk: Desk, *, identity_number: str, name: str, phone: str = "") -> int | None:
    """Claim to be the volunteer with that identity number; the centre looks into it.

    The answer is the same whether there is such a person or not, and whatever was given of them: the
    claimant learns the outcome from the centre. Returns None always but for the centre's own eyes: the
    case stands in its list. Raises NotPermitted, InvalidValue, KeyProblem.
    """
    desk.permit("volunteer.claim", Place(None, (), (), (), desk.actor.id))
    cipher, identity = desk.needed_cipher(), read_identity(identity_number, desk.today)
    checked_text("name", name, 100)
    known = known_identity(desk, cipher, identity.number)
    if known:
        subject = f"volunteer:{known[0]}"
        row = desk.connection.execute(sa.select(volunteer.c.number).where(volunteer.c.id == known[0])).one()
        agrees = _agrees(open_subject(desk.connection, cipher, subject), name, phone)
        try:
            with desk.connection.begin_nested():
                open_case(
                    desk, "volunteer.claim", subject, Place(None, (), (), (), None),
                    facts={"volunteer": row.number, "claimant": desk.actor.id, **agrees},
                )  # fmt: skip
        except Refused:
            pass  # a claim is waiting already, which the claimant need not know
    return None


def _agrees(personal: dict[str, Any], name: str, phone: str) -> dict[str, bool]:
    return {
        "name_agrees": personal.get("name") == name.strip(),
        "phone_agrees": bool(phone) and personal.get("phone") == fold(phone).replace(" ", ""),
    }


def _settle_claim(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome == "granted":
        who = together(desk.connection, int(case.subject.partition(":")[2]))[0]
        connect(desk, case.facts["claimant"], who)
        note(desk, "volunteer.claimed", case.subject, {"actor": case.facts["claimant"], "case": case.id})


WORKFLOWS = (
    Workflow(
        Route("volunteer.registration", (
            Step("review", Office("organization_admin", also=("centre",)), days=5),
        )),
        "volunteer.decide", _settle,
    ),
    Workflow(Route("volunteer.claim", (Step("centre", Office("centre"), days=10),)), "volunteer.decide", _settle_claim),
)  # fmt: skip
"""How a registration is decided unless a plugin gives another route: by its organization or the centre."""


def required(found: Found | None, number: str) -> Found:
    """Return ``found``; raise NotFound when it is None."""
    if found is None:
        raise NotFound(kind="volunteer", id=number)
    return found
