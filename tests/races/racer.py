"""One process of a race: does what each line of its input says, and answers with a state or what stood in the way."""

from __future__ import annotations

import datetime as dt
import json
import operator
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import volunteerkit
from volunteerkit import Actor, Claim, Grant, KeyCipher, Kit, Refused, VolunteerkitError, fixed_clock

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
KIT = Kit.load(clock=fixed_clock(NOW), cipher=KeyCipher(bytes(32)))
engine_of = runpy.run_path(
    str(Path(__file__).resolve().parents[1] / "projects" / "attending.py"), run_name="attending"
)["engine_of"]


def meant(value: Any) -> Any:
    """Return what a value of JSON stands for: days are texts, a claim is {"claim": […]}."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return dt.date.fromisoformat(value)
    if isinstance(value, dict) and "claim" in value:
        return Claim(*map(meant, value["claim"]))
    return value


def do(engine: Any, actor: Actor, verb: str, given: list[Any], named: dict[str, Any]) -> str:
    """Do a verb in a unit of work of its own."""
    call = operator.attrgetter(verb)(volunteerkit)
    more = {name: meant(value) for name, value in named.items()}
    try:
        answer = KIT.run(engine, actor, lambda desk: call(desk, *map(meant, given), **more))
    except Refused as refused:
        return refused.findings[0].code
    except VolunteerkitError as error:
        return type(error).__name__
    return str(getattr(answer, "state", "done"))


def main(url: str, journal: str) -> None:
    """Serve until the input ends."""
    engine = engine_of(url, journal)
    with engine.connect():  # as a portal that has been running for a while
        pass
    print("ready", flush=True)
    for line in sys.stdin:
        (id_, role, scope, volunteer), verb, given, named = json.loads(line)
        actor = Actor(id_, (Grant(role, scope),), volunteer=volunteer)
        print(do(engine, actor, verb, given, named), flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
