"""Texts for people, by stable code, in Chinese (zh-CN) and English (en).

A code never changes; its texts may. Every area has one TOML file beside this module whose tables are
codes and whose keys are languages, so that a missing translation is visible on the same screen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

__all__ = ["LANGUAGES", "catalogue", "in_language", "language", "text"]

LANGUAGES = ("zh-CN", "en")

_chosen: ContextVar[str | None] = ContextVar("volunteerkit_language", default=None)


def __dir__() -> list[str]:
    return __all__


def language() -> str:
    """Return the language texts are written in: the one in force here, else the environment's.

    ``VOLUNTEERKIT_LANG`` goes before ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``; whatever begins with
    ``zh`` is Chinese, everything else English.

    >>> with in_language("zh-CN"):
    ...     language()
    'zh-CN'
    """
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    for name in ("VOLUNTEERKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh-CN" if value.lower().startswith("zh") else "en"
    return "en"


@contextmanager
def in_language(name: str) -> Iterator[None]:
    """Write texts in ``name`` (``"zh-CN"`` or ``"en"``) inside the block; other threads are untouched.

    Raises ValueError for any other name.
    """
    if name not in LANGUAGES:
        raise ValueError(f"{name!r} is not one of {', '.join(LANGUAGES)}")
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every text: ``{code: {language: template}}``; templates use ``str.format`` names."""
    import tomllib

    found: dict[str, Mapping[str, str]] = {}
    for entry in sorted(files("volunteerkit.messages").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            for code, texts in tomllib.loads(entry.read_text("utf-8")).items():
                if code in found:
                    raise ValueError(f"message code {code!r} stands in two files")
                found[code] = texts
    return found


def text(code: str, /, in_: str | None = None, **values: object) -> str:
    """Return the text of ``code`` with ``values`` filled in, in language ``in_`` or the one in force.

    An unknown code, or one whose text asks for other values, is shown as it is, with its values: a missing
    text must never hide an error.

    >>> text("storage_full", in_="en")
    'The disk is full; nothing was written. Make room and run it again.'
    """
    template = catalogue().get(code, {}).get(in_ or language())
    try:
        if template is not None:
            return template.format(**values)
    except (LookupError, ValueError, TypeError, AttributeError):
        pass  # a plugin's finding may lack a value that the text asks for
    return code + "".join(f" {name}={value}" for name, value in values.items())
