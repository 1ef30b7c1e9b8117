"""One process of a race: does what each line of its input says, and answers with a code or a number."""

from __future__ import annotations

import datetime as dt
import json
import operator
import sys

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, Refused, VolunteerkitError, approvals, fixed_clock, projects
from volunteerkit.projects import ShiftForm

START = dt.datetime(2026, 12, 1, 1, tzinfo=dt.UTC)


def free(desk: volunteerkit.Desk, number: str) -> int | None:
    """Return how many places of a project's first shift are free."""
    return projects.view(desk, number).shifts[0].free


def capacity(desk: volunteerkit.Desk, shift: int, places: int) -> int | None:
    """Give a shift so many places."""
    return projects.edit_shift(desk, shift, ShiftForm(START, START + dt.timedelta(hours=2), places)).free


def main(url: str, id: str) -> None:
    kit = Kit.load(
        clock=fixed_clock(dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)), cipher=KeyCipher(bytes(32))
    )
    engine = volunteerkit.create_engine(url)
    own = {"free": free, "capacity": capacity}
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        name = asked["verb"]
        place = {"approvals": approvals, "projects": projects}
        verb = own.get(name) or operator.attrgetter(name.partition(".")[2])(place[name.partition(".")[0]])

        def work(desk: volunteerkit.Desk, asked: dict = asked, verb: object = verb) -> object:
            answer = verb(desk, *asked["given"], **asked["named"])
            return answer if isinstance(answer, int) else "done"

        try:
            answer = str(kit.run(engine, Actor.of(id, "centre"), work))
        except Refused as refusal:
            answer = refusal.findings[0].code
        except VolunteerkitError as error:
            answer = error.code
        print(answer, flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
