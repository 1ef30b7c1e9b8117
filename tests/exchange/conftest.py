"""A city's kit and database for the import, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import KeyCipher, Kit


@pytest.fixture
def kit() -> Kit:
    return Kit.load("xinyu", cipher=KeyCipher(bytes(32)))


@pytest.fixture
def engine(database_url: str, kit: Kit) -> Iterator[sa.Engine]:
    engine = volunteerkit.create_engine(database_url)
    kit.migrate(engine)
    yield engine
    engine.dispose()
