"""Draw the states and routes of cases by trying them out; run it to write them into the pages.

``python tests/docs/diagrams.py`` puts the diagrams between the marks in ``docs/*/reference/cases.md``.
"""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import attrs

import volunteerkit
from volunteerkit import Actor, Kit, Refused, VolunteerkitError, approvals, fixed_clock
from volunteerkit.access import Place
from volunteerkit.approvals import Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.workflow import Office, Route, Step

PAGES = sorted(Path(__file__).resolve().parents[2].glob("docs/*/reference/cases.md"))
KIND = "example"
FIRST = dt.date(2026, 11, 23)
OPENER, PUBLIC = Actor.of("opener", "centre"), Actor.of("citizen", "public")
CENTRE = Office("centre")
TRIED = (
    Route(KIND),
    Route(KIND, notice_days=1),
    Route(KIND, (Step("a", CENTRE, quorum=2), Step("b", CENTRE, days=1, at_deadline="refuse")), 1),
    Route(KIND, (Step("a", CENTRE, days=1, at_deadline="grant"),)),
    Route(KIND, (Step("a", CENTRE, days=1, at_deadline="escalate", escalate_to=CENTRE),)),
)
COMMANDS = ("approve", "refuse", "withdraw", "object", "dismiss", "uphold", "wait")


@cache
def _kit() -> Kit:
    return Kit.load()


@cache
def _empty() -> bytes:
    """A database with the tables: to copy it is much quicker than to make them for every trial."""
    with sqlite3.connect(":memory:", isolation_level=None) as raw:
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("BEGIN")
        engine = volunteerkit.create_engine("sqlite://", borrowed=lambda: raw)
        _kit().migrate(engine)
        raw.execute("COMMIT")
        found = raw.serialize()
    raw.close()
    return found


class Trial:
    """One case on a route, to which commands are given one after the other."""

    def __init__(self, route: Route) -> None:
        workflow = Workflow(route, "team.decide", lambda desk, case, outcome, on: None)
        self.kit = attrs.evolve(_kit(), workflows={KIND: workflow})
        self.engine = volunteerkit.create_engine("sqlite://")
        with self.engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.deserialize(_empty())
        self.day, self.objection, self.number = FIRST, 0, 0
        self.id = self.at(OPENER, lambda desk: open_case(desk, KIND, "x:1", Place())).id

    def at(self, actor: Actor, work: Any) -> Any:
        clock = fixed_clock(dt.datetime.combine(self.day, dt.time(4), dt.UTC))
        with attrs.evolve(self.kit, clock=clock).open(self.engine, actor) as desk:
            return work(desk)

    def stands(self) -> tuple[str, int, bool, int]:
        """Return its state, step, whether that was escalated, and how many have decided."""
        at = self.at(OPENER, lambda desk: approvals.view(desk, self.id)).standing.position
        return (
            at.state,
            at.step,
            at.escalated,
            len(self.at(OPENER, lambda desk: approvals.decisions(desk, self.id))),
        )

    def give(self, command: str) -> bool:
        """Give a command; tell whether it was taken."""
        self.number += 1
        decider, number = Actor.of(f"centre-{self.number}", "centre"), self.objection
        try:
            if command == "wait":
                self.day += dt.timedelta(7)
            elif command == "withdraw":
                self.at(OPENER, lambda desk: approvals.withdraw(desk, self.id))
            elif command == "object":
                self.objection = self.at(PUBLIC, lambda desk: approvals.object_to(desk, self.id, reason="x"))
            elif command in ("dismiss", "uphold"):
                self.at(
                    decider,
                    lambda desk: approvals.answer_objection(desk, self.id, number, command, reason="x"),
                )
            else:
                self.at(decider, lambda desk: approvals.decide(desk, self.id, command, reason="x"))
        except (VolunteerkitError, Refused):
            return False
        return True


def replayed(route: Route, path: tuple[str, ...]) -> Trial:
    """Return a trial that was given the commands of ``path``."""
    trial = Trial(route)
    for command in path:
        trial.give(command)
    return trial


@cache
def moves() -> set[tuple[str, str, str]]:
    """Return every (state, command, state) that some route allows."""
    found: set[tuple[str, str, str]] = set()
    for route in TRIED:
        first = Trial(route).stands()
        found.add(("[*]", "open", first[0]))
        paths: dict[tuple[str, int, bool, int], tuple[str, ...]] = {first: ()}
        for at in (waiting := [first]):
            for command in COMMANDS:
                trial = replayed(route, paths[at])
                taken = trial.give(command)
                after = trial.stands()
                trial.engine.dispose()
                if taken and (command != "wait" or after != at):
                    found.add((at[0], command, after[0]))
                if after not in paths:
                    paths[after] = (*paths[at], command)
                    waiting.append(after)
    return found


def states() -> str:
    """Return the diagram of states; a state that nothing leaves is an end."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for before, command, after in sorted(moves()):
        grouped.setdefault((before, after), []).append(command)
    lines = [
        f"    {before} --> {after}: {', '.join(commands)}"
        for (before, after), commands in sorted(grouped.items())
    ]
    left = {before for before, _ in grouped}
    lines += [f"    {after} --> [*]" for after in sorted({after for _, after in grouped} - left)]
    return "\n".join(["stateDiagram-v2", *lines])


def _office(office: Any) -> str:
    return (
        (office.role + (f" {office.scope}" if office.scope else ""))
        if isinstance(office, Office)
        else "by its facts"
    )


def routes() -> str:
    """Return a chart of every route of the library."""
    lines = ["flowchart LR"]
    for index, (kind, workflow) in enumerate(sorted(Kit.load().workflows.items())):
        route, boxes = workflow.route, [f"{kind}<br/>{workflow.action}"]
        for step in route.steps:
            term = f"{step.days} {'days' if step.calendar_days else 'working days'}" if step.days else ""
            end = f", then {step.at_deadline}" if step.at_deadline else ""
            to = f" to {_office(step.escalate_to)}" if step.escalate_to else ""
            boxes.append(
                "<br/>".join(
                    filter(None, (f"{step.name}: {step.quorum} of {_office(step.office)}", term + end + to))
                )
            )
        boxes += [f"public notice<br/>{route.notice_days} working days"] * bool(route.notice_days)
        names = [f'r{index}s{number}["{text}"]' for number, text in enumerate(boxes)]
        lines.append("    " + " --> ".join([*names, f"r{index}end([granted])"]))
    return "\n".join(lines)


def drawn(page: str) -> str:
    """Return the text of a page with its diagrams drawn anew."""
    for mark, draw in (("states", states), ("routes", routes)):
        block = f"<!-- {mark} -->\n```mermaid\n{draw()}\n```\n<!-- end -->"
        page = re.sub(rf"<!-- {mark} -->.*?<!-- end -->", lambda _, block=block: block, page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(drawn(path.read_text("utf-8")), "utf-8", newline="\n")
