"""Texts for people, by stable code, in Chinese (zh-CN) and English (en).

A code never changes; its texts may. Every area has one TOML file beside this module whose tables are
codes and whose keys are languages, so that a missing translation is visible on the same screen.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

import attrs

__all__ = ["LANGUAGES", "Phrase", "catalogue", "codes", "filled", "in_language", "language", "phrase", "text"]

LANGUAGES = ("zh-CN", "en")

# What has a word in the reader's language, by the name under which it comes: areas of ``word_AREA_CODE``.
_WORDED = {
    "action": ("action",),
    "kind": ("volunteer_status",),
    "name": ("parameter",),
    "outcome": ("participation_state",),
    "state": ("case_state", "record_state", "participation_state"),
    "status": ("volunteer_status", "organization_status"),
}

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


def codes(area: str) -> list[str]:
    """Return the codes of one area, such as ``"reasons"``, in the order in which they stand there.

    >>> "check_out_forgotten" in codes("flags")
    True
    """
    import tomllib

    return list(tomllib.loads(files("volunteerkit.messages").joinpath(f"{area}.toml").read_text("utf-8")))


@attrs.frozen
class Phrase:
    """A part of a message that has a text of its own, said in the language of the message it stands in."""

    code: str
    values: Mapping[str, object] = attrs.field(factory=dict, hash=False)

    def __str__(self) -> str:
        return text(self.code, None, **self.values)


def phrase(code: str, /, **values: object) -> Phrase:
    """Return the phrase ``code`` with its values.

    >>> text("invalid_value", "en", name="zone", value="Peking", allowed=phrase("allowed_zone"))
    "zone cannot be 'Peking'. Allowed: a zone's name such as Asia/Shanghai."
    """
    return Phrase(code, values)


def text(code: str, /, in_: str | None = None, **values: object) -> str:
    """Return the text of ``code`` with ``values`` filled in, in language ``in_`` or the one in force.

    A `Phrase` among the values is said in the same language, a tuple of them one a line; so are the codes of
    states and actions. A day is 2026-11-23 and an instant 2026-11-23 08:30, in the zone it comes with.

    An unknown code, or one whose text asks for other values, is shown as it is, with its values: a missing
    text must never hide an error.

    >>> text("storage_full", in_="en")
    'The disk is full; nothing was written. Make room and run it again.'
    """
    return filled(catalogue().get(code, {}), code, in_, **values)


def filled(texts: Mapping[str, str], code: str, /, in_: str | None = None, **values: object) -> str:
    """Return the text among ``texts`` (by language) as `text` does; ``code`` is shown where none can be told.

    >>> filled({"en": "No service after {hour}."}, "city.late", "en", hour=22)
    'No service after 22.'
    """
    template = texts.get(in_ or language())
    said = {name: _said(value, in_, name) for name, value in values.items()}
    try:
        if template is not None:
            return template.format(**said)
    except (LookupError, ValueError, TypeError, AttributeError):
        pass  # a plugin's finding may lack a value that the text asks for
    return code + "".join(f" {name}={value}" for name, value in said.items())


def _said(value: object, in_: str | None, name: str = "") -> object:
    if isinstance(value, Phrase):
        return text(value.code, in_, **value.values)
    if isinstance(value, tuple):
        return "\n".join(str(_said(part, in_)) for part in value)
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, dt.date):
        return value.isoformat()
    words = (f"word_{area}_{value}" for area in _WORDED.get(name, ()))
    return next((text(word, in_) for word in words if word in catalogue()), value)
