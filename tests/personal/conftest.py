"""What a whole database holds, to look for what should not be there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa


@pytest.fixture
def dump() -> Callable[[sa.Engine], str]:
    """Return every value of every table as text, bytes as far as they are text."""

    def dumped(engine: sa.Engine) -> str:
        with engine.connect() as connection:
            names = sa.inspect(connection).get_table_names()
            rows = [row for name in names for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')]
        values = [bytes(each) if isinstance(each, memoryview) else each for row in rows for each in row]
        return "\n".join(
            each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in values
        )

    return dumped
