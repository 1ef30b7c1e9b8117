"""Brands (`brands`) and activity projects: planned, published, joined (`recruiting`, `participants`), reported on."""

from volunteerkit.projects import attendance, batches, brands, codes, participants, recruiting
from volunteerkit.projects.applying import apply, check_application, copy, register
from volunteerkit.projects.changing import edit, request_change
from volunteerkit.projects.lifecycle import archive, cancel, delete, mark_template, publish, report
from volunteerkit.projects.model import (
    Brand,
    Listed,
    Position,
    PositionForm,
    Project,
    ProjectChange,
    ProjectForm,
    Series,
    Shift,
    ShiftForm,
)
from volunteerkit.projects.planning import (
    add_position,
    add_series,
    add_shift,
    cancel_position,
    cancel_shift,
    edit_position,
    edit_series,
    edit_shift,
    view_series,
)
from volunteerkit.projects.reading import (
    calendar,
    list_applications,
    list_projects,
    stranded_projects,
    view,
    view_application,
)
from volunteerkit.projects.times import local_time

__all__ = [
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
    "add_position",
    "add_series",
    "add_shift",
    "apply",
    "archive",
    "attendance",
    "batches",
    "brands",
    "calendar",
    "cancel",
    "cancel_position",
    "cancel_shift",
    "check_application",
    "codes",
    "copy",
    "delete",
    "edit",
    "edit_position",
    "edit_series",
    "edit_shift",
    "list_applications",
    "list_projects",
    "local_time",
    "mark_template",
    "participants",
    "publish",
    "recruiting",
    "register",
    "report",
    "request_change",
    "stranded_projects",
    "view",
    "view_application",
    "view_series",
]


def __dir__() -> list[str]:
    return __all__
