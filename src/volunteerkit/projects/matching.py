"""Who would suit a shift best: what speaks for each, and the order."""

from __future__ import annotations

from volunteerkit.calling import choose
from volunteerkit.errors import PluginError
from volunteerkit.projects.eligibility import Shift
from volunteerkit.projects.participating import Candidate
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import driver

__all__ = ["ranked"]

_HOOK = "vk_choose_matching"
# minutes of a shift that was completed, or of the part served of one from which somebody was discharged
_MINUTES = "SUM(CASE e.state WHEN 'completed' THEN s.ends_at - s.starts_at ELSE e.served_until - s.starts_at END) / 60000000"
_CANDIDATES = (
    "SELECT a.id, v.number, a.state, (SELECT count(*) FROM vk_volunteer_tag g WHERE g.volunteer_id = v.id "
    "AND g.kind = 'skill' AND g.value = ?), "
    "(SELECT count(*) FROM vk_participation e JOIN vk_shift s ON s.id = e.shift_id JOIN vk_project p ON p.id = s.project_id "
    "JOIN vk_organization o ON o.id = p.organization_id WHERE e.volunteer_id = v.id "
    "AND e.state IN ('completed', 'discharged') AND o.number = ?), "
    f"(SELECT {_MINUTES} FROM vk_participation e JOIN vk_shift s ON s.id = e.shift_id "
    "WHERE e.volunteer_id = v.id AND e.state IN ('completed', 'discharged')) "
    "FROM vk_participation a JOIN vk_volunteer v ON v.id = a.volunteer_id "
    "WHERE a.shift_id = ? AND a.state IN ('applied', 'waiting') ORDER BY a.rank"
)


def __dir__() -> list[str]:
    return __all__


def ranked(desk: Desk, shift: Shift) -> tuple[Candidate, ...]:
    """Return who applied or waits, the most suitable first; raises PluginError for a plugin that loses somebody."""
    rows = driver(desk.connection)(_CANDIDATES, (shift.skill or "", shift.organization, shift.id)).fetchall()
    found = tuple(
        Candidate(
            id_, number, state, (shift.skill,) if shift.skill and skilled else (), served, int(minutes or 0)
        )
        for id_, number, state, skilled, served, minutes in rows
    )
    chosen = choose(desk.hooks, _HOOK, shift=shift.opening(desk), candidates=found)
    if chosen is None:
        return tuple(sorted(found, key=lambda each: (-len(each.skills), -each.served_here, -each.minutes)))
    plugin, order = chosen
    by_id = {each.participation_id: each for each in found}
    if (
        not isinstance(order, list | tuple)
        or any(type(each) is not int for each in order)
        or sorted(order) != sorted(by_id)
    ):
        raise PluginError(plugin=plugin, hook=_HOOK, problem=f"{len(by_id)} ids")
    return tuple(by_id[each] for each in order)
