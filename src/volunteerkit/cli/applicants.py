"""Who applies: their registration, their second try, and the claim to be somebody who is registered."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

from volunteerkit.cli.common import City, both, print_json
from volunteerkit.cli.office import case_values, findings_values, moved, print_findings, print_where
from volunteerkit.cli.typed import number_of
from volunteerkit.errors import InvalidValue
from volunteerkit.units import plain_text

if TYPE_CHECKING:
    from volunteerkit.approvals import Case
    from volunteerkit.cli.clerk import Form
    from volunteerkit.store.desk import Desk
    from volunteerkit.volunteers import Application

__all__ = ["run_claim", "run_register", "run_resubmit"]


def __dir__() -> list[str]:
    return __all__


def _application(form: Form) -> Application:
    from volunteerkit.volunteers import Acknowledgement, Application, Guardian

    plain_text("name", form.name)
    guardian = None
    if form.guardian_name or form.guardian_phone or form.guardian_consent:
        for name in ("name", "phone", "consent"):
            if not getattr(form, f"guardian_{name}"):
                raise InvalidValue("option_missing_here", command="register", name=f"--guardian-{name}")
        guardian = Guardian(
            form.guardian_name or "", form.guardian_phone or "", consented_on=form.guardian_consent
        )
    agreed: tuple[Acknowledgement, ...] = ()
    if form.rights:
        if form.consent is None:
            raise InvalidValue("option_missing_here", command="--rights", name="--consent")
        agreed = (Acknowledgement("rights_and_duties", form.rights, form.consent),)
    return Application(
        form.name, number_of("organization", form.organization), form.identity_number, form.phone, form.born_on,
        area=form.area, skills=form.skill, consent_on=form.consent, guardian=guardian, acknowledged=agreed,
    )  # fmt: skip


def run_register(form: Form, number: str | None, city: City, check: bool, json: bool) -> None:
    """Register an applicant, or with ``check`` say what speaks against it: exit code 1 when something blocks."""
    from volunteerkit import volunteers
    from volunteerkit.approvals.cases import waiting_case
    from volunteerkit.volunteers.reading import find

    application = _application(form)
    if check:
        _check(city, application, json)
        return

    def work(desk: Desk) -> tuple[str, Case | None, dict[str, Any]]:
        given = volunteers.register(desk, application, number=number)
        found = find(desk, given)
        case = waiting_case(desk, "volunteer.registration", found.subject) if found else None
        return given, case, {} if case is None else case_values(desk, case)

    given, case, values = city.kit.run(city.engine, city.actor, work)
    if json:
        print_json({"volunteer": given, **({} if case is None else values)})
        return
    print(both(f"已登记，编号 {given}。", f"Registered under number {given}."))
    if case is not None:
        print_where(values, json)
        print_findings(case.findings)


def _check(city: City, application: Application, json: bool) -> None:
    from volunteerkit import volunteers
    from volunteerkit.organizations.tables import organization
    from volunteerkit.store.registering import id_of as row_of

    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = volunteers.check_registration(desk, application)
        row_of(desk, organization, "organization", application.organization)
    blocks = any(each.severity == "block" for each in found)
    if json:
        print_json({"blocks": blocks, "findings": findings_values(found)})
    else:
        print_findings(found)
        print(
            both("不能登记；没有写入任何内容。", "Cannot be registered; nothing was written.")
            if blocks
            else both("可以登记；没有写入任何内容。", "Can be registered; nothing was written.")
        )
    if blocks:
        sys.exit(1)


def run_resubmit(typed: str, consent_on: dt.date | None, city: City, json: bool) -> None:
    """Open the registration of a refused or withdrawn applicant anew."""
    from volunteerkit import volunteers

    number = number_of("volunteer", typed)
    moved(city, lambda desk: volunteers.resubmit(desk, number, consent_on=consent_on), json)


def run_claim(identity_number: str, name: str, phone: str, city: City, json: bool) -> None:
    """Claim to be the volunteer with an identity number; the answer tells nothing of whether there is one."""
    from volunteerkit import volunteers

    city.kit.run(
        city.engine,
        city.actor,
        lambda desk: volunteers.claim(desk, identity_number=identity_number, name=name, phone=phone),
    )
    if json:
        print_json({"claimant": city.actor.id})
    else:
        print(both("已收下。如有这一证件号码的登记，由市中心核实后告知结果。",
                   "Received. If that identity number is registered, the centre looks into it and tells the outcome."))  # fmt: skip
