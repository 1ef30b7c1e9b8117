"""Commands that look and check: verify, plugins, hooks, doctor."""

from __future__ import annotations

import datetime as dt
import inspect
import io
import platform
import sqlite3
import sys
from contextlib import redirect_stderr
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from volunteerkit import messages
from volunteerkit.cli.common import both, find_key_file, open_city, print_json, word
from volunteerkit.cli.tables import print_table
from volunteerkit.errors import InvalidValue, KeyProblem, VolunteerkitError, did_you_mean

__all__ = ["run_doctor", "run_hooks", "run_plugins", "run_verify"]

_EXTRAS = (
    ("cli", "cyclopts"), ("secure", "cryptography"), ("fast", "numpy"), ("qr", "segno"), ("plots", "altair"), ("postgresql", "psycopg"),
)  # fmt: skip
_CALENDAR_SOON = dt.timedelta(60)
"""The next year's holidays are published each autumn: time to write them down."""


def __dir__() -> list[str]:
    return __all__


def run_verify(db: str, rebuild: bool, head: str | None, json: bool) -> None:
    """Verify the store, after computing its balances anew if so asked; exit code 1 when something diverges."""
    from volunteerkit import hours
    from volunteerkit.hours import verify_store

    city = open_city(db)
    mended = city.kit.run(city.engine, city.actor, hours.rebuild) if rebuild else None
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        desk.permit("store.verify")
        found = verify_store(desk.connection, published=head)
    if json:
        told = {} if mended is None else {"rebuilt": mended}
        print_json({"holds": found.holds, **told, **attrs.asdict(found)})
    else:
        if mended is not None:
            print(
                both(
                    f"已按转账重新计算余额，更正了 {mended:,} 个账户。",
                    f"Computed balances anew from the transfers; {mended:,} accounts mended.",
                )
            )
        print(both(f"已核对 {found.transfers:,} 笔转账、{found.events:,} 条事件、{found.accounts:,} 个账户、{found.records:,} 条记录。",
                   f"Checked {found.transfers:,} transfers, {found.events:,} events, {found.accounts:,} accounts, {found.records:,} records."))  # fmt: skip
        print(both(f"链头：{found.head}", f"Head: {found.head}"))
        if found.holds:
            print(
                both(
                    "全部一致。请抄录并公布链头，以后用 --head 比对。",
                    "Everything agrees. Publish the head, and compare it later by --head.",
                )
            )
        else:
            print(both(f"第一处不一致：{found.where}\n  存储：{found.stored}\n  应为：{found.expected}",
                       f"First divergence: {found.where}\n  stored:   {found.stored}\n  expected: {found.expected}"))  # fmt: skip
    if not found.holds:
        sys.exit(1)


def run_plugins(plugin: tuple[str, ...], plugins_dir: Path | None, json: bool) -> None:
    """List installed plugins, what those named contribute, and why one cannot be used: exit code 1 then."""
    from volunteerkit.kit import Kit
    from volunteerkit.plugins import installed

    known = installed()
    good: list[Any] = []
    failed: list[dict[str, Any]] = []
    for asked in _named(plugin, plugins_dir):
        try:
            Kit.load(asked)
        except VolunteerkitError as error:
            text = "\n".join((error.message(), *getattr(error, "__notes__", ())))
            name = asked.name if plugins_dir and isinstance(asked, Path) else str(asked)
            failed.append({"name": name, "code": error.code, "text": text})
        else:
            good.append(asked)
    kit = Kit.load(*good)  # raises for two that are good alone and contradict each other
    active = [
        {"name": each.name, "origin": each.origin,
         "hooks": sorted(hook for hook, bound in kit.hooks.items() if any(name == each.name for name, _ in bound))}
        for each in kit.plugins
    ]  # fmt: skip
    books: list[dict[str, Any]] = [
        {"id": book.id, "decides": book.decides, "versions": [
            {"effective_from": str(each.effective_from), "digest": each.digest, "citation": each.citation} for each in book.versions]}
        for book in kit.rulebooks.values()
    ]  # fmt: skip
    if json:
        print_json({"installed": known, "loaded": active, "failed": failed, "rulebooks": books})
    else:
        for each in active:
            print(f"{each['name']}  ({each['origin']})  {', '.join(each['hooks'])}")
        for each in failed:
            print(both(f"{each['name']}  不能使用：", f"{each['name']}  cannot be used: ") + f"{each['text']} [{each['code']}]")  # fmt: skip
        for book in books:
            for version_ in book["versions"]:
                print(f"  {book['id']}  {version_['effective_from']}  [{version_['digest'][:12]}]  {version_['citation']}")  # fmt: skip
    if failed:
        sys.exit(1)


def _named(plugin: tuple[str, ...], plugins_dir: Path | None) -> tuple[str | Path, ...]:
    """Return what is to be loaded: those named and those of the folder, every installed one without either."""
    from volunteerkit.plugins import in_folder, installed

    if not plugin and plugins_dir is None:
        return tuple(installed())
    return (*plugin, *(() if plugins_dir is None else in_folder(plugins_dir)))


def run_hooks(name: str | None, plugin: tuple[str, ...], plugins_dir: Path | None, json: bool) -> None:
    """List every hook with its kind, signature and implementers, or print the manual of one, with its example."""
    from volunteerkit import calling, hooks
    from volunteerkit.plugins import bind, find

    if name is not None and name not in hooks.KINDS:
        raise InvalidValue("hook_unknown", hook=name, near=did_you_mean(name, hooks.KINDS))
    bound = bind([find(each) for each in _named(plugin, plugins_dir)])
    rows: list[dict[str, Any]] = [
        {"hook": hook, "kind": kind, "arguments": list(calling.arguments(hook)), "signature": calling.signature(hook),
         "when": inspect.getdoc(getattr(hooks, hook)) or "", "implemented_by": [who for who, _ in bound[hook]]}
        for hook, kind in hooks.KINDS.items() if name in (None, hook)
    ]  # fmt: skip
    if json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['signature']}  [{row['kind']}]  ← {', '.join(row['implemented_by']) or '-'}")
        print("    " + (row["when"] if name else row["when"].splitlines()[0]).replace("\n", "\n    ") + "\n")


def run_doctor(db: str | None, key_file: Path | None, json: bool) -> None:
    """Check what the library needs; exit code 1 when something is wrong."""
    python, sqlite = sys.version_info >= (3, 11), sqlite3.sqlite_version_info >= (3, 37)
    rows = [
        ("python", "ok" if python else "wrong", platform.python_version(), "" if python else both("需要 3.11 以上", "3.11 or newer")),
        ("sqlite", "ok" if sqlite else "wrong", sqlite3.sqlite_version, "" if sqlite else both("需要 3.37 以上", "3.37 or newer")),
    ]  # fmt: skip
    for extra, module in _EXTRAS:
        try:
            found = version(module) if find_spec(module) else ""
        except PackageNotFoundError:
            found = "?"
        mend = "" if found else f"pip install 'volunteerkit[{extra}]'"
        rows.append((module, "ok" if found else "missing", found, mend))
    if db is not None:
        rows += _database_rows(db, key_file)
    if json:
        print_json([dict(zip(("what", "state", "found", "mend"), row, strict=True)) for row in rows])
    else:
        heads = (("项目", "what"), ("状态", "state"), ("所见", "found"), ("如何修正", "how to mend"))
        print_table(
            [both(zh, en) for zh, en in heads],
            ((word("doctor", what), word("doctor", state), found, mend) for what, state, found, mend in rows),
        )
    if any(row[1] == "wrong" for row in rows):
        sys.exit(1)


def _database_rows(db: str, key_file: Path | None) -> list[tuple[str, str, str, str]]:
    from volunteerkit.store import get_meta

    try:
        with redirect_stderr(io.StringIO()):  # a missing key has a row of its own here
            city = open_city(db, key_file=key_file)
        with city.kit.open(city.engine, city.actor, read_only=True) as desk:
            sealed, today = get_meta(desk.connection, "key_print"), desk.today
    except VolunteerkitError as error:
        what = "key" if isinstance(error, KeyProblem) else "database"
        notes = getattr(error, "__notes__", ())
        return [(what, "wrong", error.code, "\n".join((error.message(), *notes)))]
    rows = [("database", "ok", city.engine.dialect.name, "")]
    if until := city.kit.calendar.known_until:
        ending = until - today < _CALENDAR_SOON
        mend = messages.text("calendar_ends", day=until) if ending else ""
        rows.append(("calendar", "ok" if today <= until else "missing", str(until), mend))
    place = str(find_key_file(db, key_file))
    if city.kit.cipher is not None:
        rows.append(("key", "ok", city.kit.cipher.key_print, ""))
    elif sealed is None:  # nothing is sealed yet, the first import makes a key
        rows.append(("key", "missing", "", messages.text("key_none_yet", place=place)))
    else:
        rows.append(("key", "wrong", "", messages.text("key_file_missing", place=place)))
    return rows
