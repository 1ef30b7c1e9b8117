"""One process of a race: checks in, out or uploads as each line of its input says, and answers with a code."""

from __future__ import annotations

import datetime as dt
import json
import runpy
import sys
from pathlib import Path

import attrs

import volunteerkit
from volunteerkit import KeyCipher, Kit, Refused, VolunteerkitError, fixed_clock
from volunteerkit.hours import claim_attendance
from volunteerkit.projects.attendance import check_in, check_out
from volunteerkit.projects.batches import Scan, device_key, signed, upload

shared = runpy.run_path(str(Path(__file__).with_name("attending.py")), run_name="attending")


def done(desk: volunteerkit.Desk, verb: str, shift_id: int, given: str) -> str:
    """Do one thing and say what it came to."""
    if verb == "claim":
        return f"claimed {len(claim_attendance(desk, shift_id))}"
    if verb == "upload":
        one = Scan(given, 1, shift_id, "V1", "in", desk.now)
        one = signed(device_key(desk, "gate-1"), "gate-1", one)
        (answer,) = upload(desk, "gate-1", [one], clock=desk.now)
        return "replayed" if answer.replayed else "taken"
    enter = check_in if verb == "in" else check_out
    return "repeated" if enter(desk, shift_id, "V1", code=given).repeated else "done"


def main(url: str, journal: str) -> None:
    kit = Kit.load(cipher=KeyCipher(bytes(32)))
    engine = shared["engine_of"](url, journal)
    with engine.connect():  # as a portal that has been running for a while
        pass
    actors = {
        "in": shared["me"]("V1"),
        "out": shared["me"]("V1"),
        "upload": shared["GATE"],
        "claim": shared["LEADER"],
    }
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        at = attrs.evolve(kit, clock=fixed_clock(dt.datetime.fromisoformat(asked["now"])))

        def work(desk: volunteerkit.Desk, asked: dict = asked) -> str:
            return done(desk, asked["verb"], asked["shift"], asked["given"])

        try:
            answer = at.run(engine, actors[asked["verb"]], work)
        except Refused as refusal:
            answer = refusal.findings[0].code
        except VolunteerkitError as error:
            answer = error.code
        print(answer, flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
