"""The planned city stands."""

from __future__ import annotations

import datetime as dt
from typing import Any


def test_a_shift_is_planned(planned: Any) -> None:
    first = planned.shift(dt.datetime(2026, 11, 30, 1, tzinfo=dt.UTC), capacity=2)
    assert planned.shift(dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)) == first + 1
