"""Organizations and teams, their offices and their end, and the incubation base (`teams`, `base`)."""

from volunteerkit.organizations import base, teams
from volunteerkit.organizations.actions import (
    answering_for,
    apply,
    check_application,
    edit,
    list_applications,
    list_organizations,
    register,
    view,
    view_application,
)
from volunteerkit.organizations.administrators import administrators, propose_admin, remove_admin
from volunteerkit.organizations.contacts import contact, forget_contacts, unmask_contact
from volunteerkit.organizations.model import (
    Administrator,
    Applied,
    Contact,
    Organization,
    OrganizationForm,
    Seat,
    Team,
    TeamForm,
    Tenancy,
)
from volunteerkit.organizations.standing import (
    propose_dissolution,
    propose_lifting,
    propose_merger,
    propose_suspension,
)

__all__ = [
    "Administrator",
    "Applied",
    "Contact",
    "Organization",
    "OrganizationForm",
    "Seat",
    "Team",
    "TeamForm",
    "Tenancy",
    "administrators",
    "answering_for",
    "apply",
    "base",
    "check_application",
    "contact",
    "edit",
    "forget_contacts",
    "list_applications",
    "list_organizations",
    "propose_admin",
    "propose_dissolution",
    "propose_lifting",
    "propose_merger",
    "propose_suspension",
    "register",
    "remove_admin",
    "teams",
    "unmask_contact",
    "view",
    "view_application",
]


def __dir__() -> list[str]:
    return __all__
