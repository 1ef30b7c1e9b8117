"""One process of a race: does what each line of its input says, and answers with what came of it and who was told."""

from __future__ import annotations

import datetime as dt
import json
import operator
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import attrs

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Grant,
    KeyCipher,
    Kit,
    Policy,
    Refused,
    VolunteerkitError,
    fixed_clock,
    hours,
    projects,
)
from volunteerkit.approvals import Workflow
from volunteerkit.organizations import OrganizationForm
from volunteerkit.projects import ShiftForm
from volunteerkit.projects.batches import Scan, device_key, signed, upload
from volunteerkit.workflow import Office, Route, Step

Asked = tuple[Any, ...]
"""(actor, verb, given, named), and if need be under which clock and policy; an actor is (id, grants, volunteer)."""

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
engine_of = runpy.run_path(
    str(Path(__file__).resolve().parents[1] / "projects" / "attending.py"), run_name="attending"
)["engine_of"]


def _quorum(kind: str, count: int) -> Workflow:
    return Workflow(Route(kind, (Step("centre", Office("centre"), count),)), "team.decide", lambda *_: None)


def _kit() -> Kit:
    kit = Kit.load(clock=fixed_clock(NOW), cipher=KeyCipher(bytes(32)))
    # cases that settle nothing, decided by one officer or by two
    quorums = {kind: _quorum(kind, n) for n, kind in ((1, "team.registration"), (2, "team.membership"))}
    return attrs.evolve(kit, workflows={**kit.workflows, **quorums})


KIT = _kit()
TYPES = {each.__name__: each for each in (Claim, OrganizationForm, ShiftForm)}


def free(desk: volunteerkit.Desk, number: str) -> str:
    """Return how many places of a project's first shift are free."""
    return str(projects.view(desk, number).shifts[0].free)


def capacity(desk: volunteerkit.Desk, shift: int, places: int) -> str:
    """Give a shift so many places and return how many are free."""
    row = desk.connection.exec_driver_sql(f"SELECT starts_at, ends_at FROM vk_shift WHERE id = {shift}").one()
    begin, end = (dt.datetime.fromtimestamp(each // 1_000_000, dt.UTC) for each in row)
    return str(projects.edit_shift(desk, shift, ShiftForm(begin, end, places)).free)


def claimed(desk: volunteerkit.Desk, shift: int) -> str:
    """Claim what was attended and return how many records that made."""
    return str(sum(each.record_id is not None for each in hours.claim_attendance(desk, shift)))


def uploaded(desk: volunteerkit.Desk, shift: int, scan_id: str) -> str:
    """Upload one scan of a device, and say whether it was known."""
    one = signed(device_key(desk, "gate-1"), "gate-1", Scan(scan_id, 1, shift, "V1", "in", desk.now))
    (answer,) = upload(desk, "gate-1", [one], clock=desk.now)
    return "replayed" if answer.replayed else "taken"


OWN = {each.__name__: each for each in (free, capacity, claimed, uploaded)}


def meant(value: Any) -> Any:
    """Return what a value of JSON stands for: days and instants are texts, a claim is {"Claim": […]}."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return dt.date.fromisoformat(value)
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return dt.datetime.fromisoformat(value)
    if isinstance(value, dict) and set(value) <= set(TYPES):
        ((name, fields),) = value.items()
        if isinstance(fields, dict):
            return TYPES[name](**{key: meant(each) for key, each in fields.items()})
        return TYPES[name](*map(meant, fields))
    return value


def do(engine: Any, asked: Asked) -> tuple[str, dict[str, str]]:
    """Do a verb in a unit of work of its own; return the state or code it came to, and what an error tells."""
    (id_, grants, volunteer), verb, given, named, *under = asked
    actor = Actor(id_, tuple(Grant(*each) for each in grants), volunteer=volunteer)
    settled = under[0] if under else {}
    kit = attrs.evolve(KIT, policy=Policy(**settled.get("policy", {})))
    if "at" in settled:
        kit = attrs.evolve(kit, clock=fixed_clock(meant(settled["at"])))
    more = {name: meant(value) for name, value in named.items()}
    try:
        if verb == "import":
            files = kit.import_directory(engine, actor, *given, **more).files
            return " ".join(f"{each.new}+{each.unchanged}" for each in files), {}
        call = OWN.get(verb) or operator.attrgetter(verb)(volunteerkit)
        answer = kit.run(engine, actor, lambda desk: call(desk, *map(meant, given), **more))
    except Refused as refused:
        return refused.findings[0].code, {}
    except VolunteerkitError as error:
        return error.code, {name: str(value) for name, value in error.values.items()}
    if getattr(answer, "repeated", False):
        return "repeated", {}
    return answer if isinstance(answer, str) else str(getattr(answer, "state", "done")), {}


def main(url: str, journal: str) -> None:
    """Serve until the input ends."""
    engine = engine_of(url, journal)
    with engine.connect():  # as a portal that has been running for a while
        pass
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(do(engine, json.loads(line))), flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
