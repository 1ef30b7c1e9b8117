"""One process of a race: does what it is told, line by line, and says how it went. Run by test_races.py."""

from __future__ import annotations

import json
import sys
from typing import Any

import attrs

import volunteerkit
from volunteerkit import Actor, Kit, Refused, VolunteerkitError, approvals
from volunteerkit.approvals import Workflow
from volunteerkit.workflow import Office, Route, Step

KIND = "team.registration"


def kit(quorum: int) -> Kit:
    route = Route(KIND, (Step("centre", Office("centre"), quorum),))
    workflow = Workflow(route, "team.decide", lambda desk, case, outcome, on: None)
    loaded = Kit.load()
    return attrs.evolve(loaded, workflows={**loaded.workflows, KIND: workflow})


def act(desk: Any, verb: str, case_id: int) -> str:
    if verb == "withdraw":
        return approvals.withdraw(desk, case_id).state
    return approvals.decide(desk, case_id, verb, reason="理由").state


def main(url: str) -> None:
    engine, kits = (
        volunteerkit.create_engine(url, busy_seconds=60),
        {quorum: kit(quorum) for quorum in (1, 2)},
    )
    for line in sys.stdin:
        quorum, verb, case_id, actor_id, roles = json.loads(line)
        try:
            with kits[quorum].open(engine, Actor.of(actor_id, *roles)) as desk:
                said = ["done", act(desk, verb, case_id)]
        except Refused as error:
            said = ["refused", error.findings[0].code]
        except VolunteerkitError as error:
            said = [error.code, error.values.get("actor"), error.values.get("at"), error.values.get("state")]
        print(json.dumps(said, default=str), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
