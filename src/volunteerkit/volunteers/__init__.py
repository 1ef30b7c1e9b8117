"""Volunteers: registration, approval, status, transfer, record."""

from volunteerkit.volunteers.belonging import (
    Membership,
    add_to_team,
    appoint,
    ask_to_join,
    leaderless_teams,
    leave_team,
    members,
    memberships,
)
from volunteerkit.volunteers.claiming import claim
from volunteerkit.volunteers.consent import answer_consent
from volunteerkit.volunteers.duplicates import Likeness, duplicates
from volunteerkit.volunteers.merging import MergePlan, plan_merge, propose_merge, propose_unmerge
from volunteerkit.volunteers.model import Acknowledgement, Application, Guardian
from volunteerkit.volunteers.record import (
    Qualification,
    add_commendation,
    add_qualification,
    add_training,
    evaluate,
    qualifications,
)
from volunteerkit.volunteers.registering import (
    admit,
    approve,
    check_registration,
    refuse,
    register,
    resubmit,
)
from volunteerkit.volunteers.status import (
    blacklist,
    deregister,
    end_period,
    lift_blacklist,
    propose_blacklist,
    put_on_probation,
    reactivate,
    suspend,
    take_leave,
)
from volunteerkit.volunteers.transfers import request_transfer

__all__ = [
    "Acknowledgement",
    "Application",
    "Guardian",
    "Likeness",
    "Membership",
    "MergePlan",
    "Qualification",
    "add_commendation",
    "add_qualification",
    "add_to_team",
    "add_training",
    "admit",
    "answer_consent",
    "appoint",
    "approve",
    "ask_to_join",
    "blacklist",
    "check_registration",
    "claim",
    "deregister",
    "duplicates",
    "end_period",
    "evaluate",
    "leaderless_teams",
    "leave_team",
    "lift_blacklist",
    "members",
    "memberships",
    "plan_merge",
    "propose_blacklist",
    "propose_merge",
    "propose_unmerge",
    "put_on_probation",
    "qualifications",
    "reactivate",
    "refuse",
    "register",
    "request_transfer",
    "resubmit",
    "suspend",
    "take_leave",
]


def __dir__() -> list[str]:
    return __all__
