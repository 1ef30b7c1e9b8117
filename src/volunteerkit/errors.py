"""One tree of errors, each with a stable ``code`` and a text in the reader's language.

An error carries values, never a sentence: the sentence is made from the message catalogue when somebody
reads it. No personal datum may be handed to an error: callers mask it first.
"""

from __future__ import annotations

import datetime as dt
import difflib
import errno
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final, Literal

import attrs

from volunteerkit import messages

__all__ = [
    "AlreadyResolved",
    "Finding",
    "IdempotencyConflict",
    "ImportRefused",
    "IntegrityProblem",
    "InvalidValue",
    "KeyProblem",
    "MissingExtra",
    "NotFound",
    "NotPermitted",
    "PluginConflict",
    "PluginError",
    "Refused",
    "RetryableConflict",
    "RuleSyntaxError",
    "RulebookError",
    "SchemaMismatch",
    "StorageError",
    "StorageFull",
    "StorageReadOnly",
    "StorageUnavailable",
    "VolunteerkitError",
    "cause_of",
    "did_you_mean",
    "excerpt",
    "nearest",
    "place_of_failure",
]

_ID_FORM: Final = re.compile(r"(?=[^0-9]*[0-9])(?!1[2-9][0-9]{9}$|[0-9]{17}[0-9Xx]$)[A-Za-z0-9_.:/#-]{1,100}")
"""An id has a digit and nothing but plain letters, digits and signs, and is no mobile phone or identity number."""


def __dir__() -> list[str]:
    return __all__


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return the known word most like ``word``, or an empty string when none is near.

    ``likeness`` from 0 to 1 is how much of both words must agree.

    >>> nearest("credited_minuts", ["service_days", "credited_minutes"])
    'credited_minutes'
    """
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return found[0] if found else ""


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> messages.Phrase | str:
    """Return the end of a message that asks whether the `nearest` word was meant, nothing when none is near.

    >>> str(did_you_mean("unoin", ["plain", "union"])), did_you_mean("x", ["plain"])
    (" Did you mean 'union'?", '')
    """
    guess = nearest(word, known, likeness)
    return messages.phrase("did_you_mean", guess=guess) if guess else ""


_CAUSES = {
    errno.EACCES: "cause_rights",
    errno.EPERM: "cause_rights",
    errno.EROFS: "cause_rights",
    errno.ENOENT: "cause_missing",
    errno.ENOTDIR: "cause_no_folder",
    errno.EISDIR: "cause_folder",
    errno.ENOSPC: "cause_full",
    errno.EDQUOT: "cause_full",
    errno.ENAMETOOLONG: "cause_long",
}


def cause_of(error: OSError) -> messages.Phrase:
    """Return why the operating system refused, in the reader's language.

    >>> str(cause_of(PermissionError(13, "Permission denied")))
    'the rights do not allow it'
    """
    known = _CAUSES.get(error.errno or 0)
    if known:
        return messages.phrase(known)
    return messages.phrase("cause_other", name=errno.errorcode.get(error.errno or 0, type(error).__name__))


def place_of_failure(error: BaseException) -> str:
    """Return type and place of a failure in foreign code, never its text, which may hold a person's data.

    >>> try:
    ...     int("周小兰")
    ... except ValueError as error:
    ...     place_of_failure(error).partition(",")[0]
    'ValueError'
    """
    told, last = type(error).__name__, error.__traceback__
    if isinstance(error, ImportError) and error.name:
        told += f" {error.name}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{told}, {PurePath(error.filename).name}:{error.lineno}"
    frames = []
    while last is not None:
        frames += [(last.tb_frame.f_code.co_filename, last.tb_lineno)]
        last = last.tb_next
    # the machinery of import itself stands in angle brackets
    at = next(((file, line) for file, line in reversed(frames) if not file.startswith("<")), None)
    return f"{told}, {PurePath(at[0]).name}:{at[1]}" if at else told


_LONGEST: Final = 80
_HUGE: Final = 10**30


def excerpt(value: object) -> object:
    """Return what stands in a message for ``value``: of a long text the beginning, of a vast number its size.

    Whoever pasted a whole file into a field is not answered with the file.

    >>> excerpt("x" * 9999) == "x" * 40 + "…", excerpt(10**4999), excerpt(-12)
    (True, '> 10^30', -12)
    """
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:40] + "…"
    if isinstance(value, int) and not -_HUGE < value < _HUGE:
        return "> 10^30" if value > 0 else "< -10^30"
    return value


def _shown(name: str, value: object) -> object:
    if name in _OURS:
        return value
    plain = (str, int, float, messages.Phrase, dt.date, tuple)
    return excerpt(
        value if name != "value" or value is None or isinstance(value, plain) else type(value).__name__
    )


_OURS: Final = ("allowed", "known", "problem", "reason", "near", "place", "file", "text", "texts")
"""Values that the library itself makes, never whoever calls it."""


class VolunteerkitError(Exception):
    """Root of the tree. ``code`` is stable; ``values`` fill the text; ``str()`` is for people.

    >>> error = StorageFull()
    >>> error.code
    'storage_full'
    >>> error.message("en")
    'The disk is full; nothing was written. Make room and run it again.'
    """

    default_code = "error"

    def __init__(self, code: str | None = None, /, **values: Any) -> None:
        self.code = code or self.default_code
        self.values: dict[str, Any] = {name: _shown(name, value) for name, value in values.items()}
        super().__init__(self.code, self.values)

    def message(self, in_: str | None = None) -> str:
        """Return the text in language ``in_`` (``"zh-CN"`` or ``"en"``), by default the one in force."""
        return messages.text(self.code, in_, **self.values)

    def __str__(self) -> str:
        return self.message()


def _shortened(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shown(name, value) for name, value in values.items()}


def _texts(given: Mapping[str, str]) -> dict[str, str]:
    return dict(given)


@attrs.frozen
class Finding:
    """What a review found: a ``code`` with its values; ``severity`` ``"block"`` refuses, ``"warn"`` tells.

    ``plugin`` names who found it; empty means the library itself. A plugin's code starts with its name, and
    its ``texts`` say in each language what is the matter and how to mend it, with the values' names in braces.

    >>> Finding("city.late", {"hour": 22}, texts={"zh-CN": "{hour} 点后不服务。", "en": "None after {hour}."}).message("en")
    'None after 22.'
    """

    code: str
    values: dict[str, Any] = attrs.field(factory=dict, converter=_shortened, hash=False)
    severity: Literal["block", "warn"] = "block"
    plugin: str = ""
    texts: dict[str, str] = attrs.field(factory=dict, converter=_texts, hash=False)

    def message(self, in_: str | None = None) -> str:
        """Return the finding's text in language ``in_`` or the one in force."""
        if self.texts:
            return messages.filled(self.texts, self.code, in_, **self.values)
        return messages.text(self.code, in_, **self.values)


class Refused(VolunteerkitError):
    """A command was refused for the reasons in ``findings``; nothing was written."""

    default_code = "refused"

    def __init__(self, *findings: Finding) -> None:
        super().__init__("refused")
        self.findings = findings

    def message(self, in_: str | None = None) -> str:
        """Return all reasons, one a line; after them, marked as that, what only was noticed as well."""
        blocks = [finding.message(in_) for finding in self.findings if finding.severity != "warn"]
        hints = [finding.message(in_) for finding in self.findings if finding.severity == "warn"]
        return "\n".join((*blocks, *(messages.text("hint", in_, text=hint) for hint in hints)))


class NotPermitted(VolunteerkitError):
    """The actor may not do this here."""

    default_code = "not_permitted"


class NotFound(VolunteerkitError):
    """Nothing with that id, or nothing the actor may know of; ``kind`` is a word such as ``"volunteer"``.

    An ``id`` without the form of one is not repeated: somebody typed a name, a phone or an identity number.

    >>> NotFound(kind="volunteer", id="V9").message("zh-CN")
    '找不到志愿者“V9”。请核对编号。'
    >>> NotFound(kind="volunteer", id="欧阳雪").values["id"]
    '＊'
    """

    default_code = "not_found"

    def __init__(self, code: str | None = None, /, **values: Any) -> None:
        id_ = values.get("id")
        if isinstance(id_, str) and not _ID_FORM.fullmatch(id_):
            values["id"] = "＊"
        elif id_ is not None and not isinstance(id_, str | int | float):
            values["id"] = type(id_).__name__
        super().__init__(code, **values)

    def message(self, in_: str | None = None) -> str:
        """Return the text, with the word for ``kind`` in the same language."""
        kind = messages.phrase(f"kind_{self.values['kind']}")
        return messages.text(self.code, in_, **self.values | {"kind": kind})


class AlreadyResolved(VolunteerkitError):
    """Somebody decided this before; the values say who, when and how."""

    default_code = "already_resolved"


class IdempotencyConflict(VolunteerkitError):
    """The same key came with another payload; the first one stands."""

    default_code = "idempotency_conflict"


class RetryableConflict(VolunteerkitError):
    """Another unit of work was in the way; the whole unit may be run again."""

    default_code = "retryable_conflict"


class InvalidValue(VolunteerkitError, ValueError):
    """A value from outside cannot be taken; the text says which and what is allowed."""

    default_code = "invalid_value"


class ImportRefused(VolunteerkitError):
    """A file or directory cannot be imported as a whole; nothing of it was written."""

    default_code = "import_refused"


class RuleSyntaxError(VolunteerkitError, ValueError):
    """A rule's text cannot be read; ``column`` is 1-based, ``text`` is the rule."""

    default_code = "rule_syntax"

    def __init__(self, code: str | None = None, /, *, text: str, column: int, **values: Any) -> None:
        super().__init__(code, **values)
        self.text = text
        self.column = column

    def message(self, in_: str | None = None) -> str:
        """Return the text, then the rule with a caret under the column."""
        said = messages.text(self.code, in_, column=self.column, **self.values)
        return f"{said}\n  {self.text}\n  {' ' * (self.column - 1)}^"


class RulebookError(VolunteerkitError, ValueError):
    """A rulebook has the problems in ``problems``: pairs of path (``$.version[0].when``) and error."""

    default_code = "rulebook_invalid"

    def __init__(self, source: str, *problems: tuple[str, VolunteerkitError]) -> None:
        super().__init__("rulebook_invalid", source=source, count=len(problems))
        self.problems = problems

    def message(self, in_: str | None = None) -> str:
        """Return one line for the rulebook, then each problem with its path."""
        lines = [messages.text(self.code, in_, **self.values)]
        for path, problem in self.problems:
            lines += [f"{path}: {problem.message(in_)}"]
        return "\n".join(lines)


class PluginError(VolunteerkitError):
    """A plugin cannot be loaded or failed; the text names it."""

    default_code = "plugin_failed"


class PluginConflict(VolunteerkitError):
    """Two plugins claim the same thing; the text names both."""

    default_code = "plugin_conflict"


class MissingExtra(VolunteerkitError, ImportError):
    """An optional dependency is not installed; the text gives the install command."""

    default_code = "missing_extra"


class KeyProblem(VolunteerkitError):
    """The key for personal data is missing, unreadable, or not the one this database was sealed with."""

    default_code = "key_missing"


class StorageError(VolunteerkitError):
    """The database could not do what was asked; nothing was half written."""

    default_code = "storage_failed"


class StorageFull(StorageError):
    """No room left on the disk."""

    default_code = "storage_full"


class StorageReadOnly(StorageError):
    """The database or its folder may not be written, or the desk was opened to read only."""

    default_code = "storage_read_only"


class StorageUnavailable(StorageError):
    """The database cannot be reached, opened or logged in to, or is locked for too long."""

    default_code = "storage_unavailable"


class SchemaMismatch(StorageError):
    """The database's schema is newer or older than this version of the library."""

    default_code = "schema_newer"


class IntegrityProblem(StorageError):
    """What is stored breaks a promise; work stops here rather than being mended silently."""

    default_code = "integrity_problem"
