"""One process of a race: does what each line of its input says, and answers with a code."""

from __future__ import annotations

import datetime as dt
import json
import operator
import sys

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, Refused, VolunteerkitError, fixed_clock, organizations
from volunteerkit.organizations import OrganizationForm


def main(url: str, id: str) -> None:
    kit = Kit.load(
        clock=fixed_clock(dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)), cipher=KeyCipher(bytes(32))
    )
    engine = volunteerkit.create_engine(url)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        verb = operator.attrgetter(asked["verb"])(organizations)

        def work(desk: volunteerkit.Desk, asked: dict = asked, verb: object = verb) -> None:
            given = [OrganizationForm(**each) if isinstance(each, dict) else each for each in asked["given"]]
            verb(desk, *given, **asked["named"])

        try:
            kit.run(engine, Actor.of(id, "centre"), work)
            answer = "done"
        except Refused as refusal:
            answer = refusal.findings[0].code
        except VolunteerkitError as error:
            answer = error.code
        print(answer, flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
