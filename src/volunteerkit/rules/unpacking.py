"""Columns as records again, for versions whose parts go record by record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from volunteerkit.rules.plan import Record

__all__ = ["records_of", "said"]

# No rule can ask for it: rules have no such characters.
_OTHER_WORD = "\0"


def __dir__() -> list[str]:
    return __all__


def said(codes: Sequence[Any], words: tuple[str, ...] | None) -> Sequence[Any]:
    """Return a column's codes as words again; without ``words`` it has none."""
    return codes if words is None else [words[code] if code >= 0 else _OTHER_WORD for code in codes]


def records_of(
    columns: Mapping[str, Sequence[Any]],
    volunteers: int,
    as_of: int | None,
    vocabulary: Mapping[str, tuple[str, ...]],
) -> list[list[Record]]:
    """Return each volunteer's records, up to the day ``as_of``, in the order in which they stand in ``columns``.

    Columns are those of `kernel.credit_columns` as lists; word facts are codes into ``vocabulary``, -1 for any
    other word. Raises KeyError with the name of a missing column.
    """
    volunteer, served_on, _ = (columns[name] for name in ("volunteer", "served_on", "claimed_minutes"))
    fields: dict[str, Sequence[Any]] = {
        "start_minute": [-1] * len(volunteer),
        "clock_minutes": [0] * len(volunteer),
    }
    beside: dict[str, Sequence[Any]] = {}
    for name, column in columns.items():
        (fields if name in Record._fields else beside)[name] = said(column, vocabulary.get(name))
    del beside["volunteer"]
    own: list[list[Record]] = [[] for _ in range(volunteers)]
    for i, (person, day) in enumerate(zip(volunteer, served_on, strict=True)):
        if as_of is None or day <= as_of:
            facts = {name: column[i] for name, column in beside.items()}
            made = {name: column[i] for name, column in fields.items()}
            own[person].append(Record(i, **made, facts=facts))
    return own
