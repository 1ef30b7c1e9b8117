"""H7: what ``import volunteerkit`` costs beside the packages it is built on, in fresh interleaved processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

OURS = "import volunteerkit"
CONTENDERS = {
    "H7.1 import, goal <= 1.5": "import attrs, pluggy",
    "H7.1 import with database, goal <= 0.25": "import attrs, cattrs, pluggy, sqlalchemy",
}
HEAVY = ("sqlalchemy", "cattrs", "numpy", "polars", "duckdb", "narwhals")


def seconds(code: str) -> float:
    """Return the wall seconds of a fresh interpreter that runs ``code``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row a contender; the cost of an empty interpreter is taken off both."""
    codes = ["pass", OURS, *CONTENDERS.values()]
    found: dict[str, list[float]] = {code: [] for code in codes}
    for _ in range(3 if quick else 7):
        for code in codes:
            found[code].append(seconds(code))
    empty = statistics.median(found["pass"])
    cost = {code: max(statistics.median(times) - empty, 1e-6) for code, times in found.items()}
    check = f"{OURS}\nimport sys\nassert not [name for name in {HEAVY!r} if name in sys.modules]"
    same = subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
    return [
        {"name": name, "ours_s": cost[OURS], "contender": code, "contender_s": cost[code],
         "ratio": cost[OURS] / cost[code], "same_answer": same}
        for name, code in CONTENDERS.items()
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
