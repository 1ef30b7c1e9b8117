"""The command ``key``: a new master key, with the database in use as before at every moment of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from cyclopts import App

from volunteerkit.cli.common import both, find_key_file, open_city, print_json
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Db, Json, Key, Plugins, Zone, in_chinese
from volunteerkit.errors import KeyProblem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["key", "run_rotate"]

_TRIES = 5


def __dir__() -> list[str]:
    return __all__


key = App(
    name="key",
    help=both(
        "个人信息的主密钥：更换（key rotate）。",
        "The master key of the personal data: take a new one (key rotate).",
    ),
    **groups(),
)


@key.command(help=in_chinese("换一把新的主密钥。中断后再运行一次，就从中断处继续。"))
def rotate(
    *, db: Db, key_file: Key = None, plugin: Plugins = (), zone: Zone = "Asia/Shanghai", json: Json = False
) -> None:
    """Take a new master key into use. Interrupted, run it again: it goes on where it was."""
    run_rotate(db, key_file, plugin, zone, json)


def run_rotate(db: str, key_file: Path | None, plugin: tuple[str, ...], zone: str, json: bool) -> None:
    """Write a new key, seal every subject's key under it, then put the old one aside.

    At every moment the key file opens everything in the database. Whatever changes the file does so while
    nobody else can seal or rotate, so that of two rotations at once both end with the same key.
    """
    from volunteerkit.store.cipher import KeyCipher, add_key, drop_older
    from volunteerkit.store.vault import hold, rewrap

    city = open_city(db, key_file=key_file, plugin=plugin, zone=zone)
    place = find_key_file(db, key_file)
    if city.kit.cipher is None:
        raise KeyProblem("key_file_missing", place=str(place))
    with city.engine.begin() as connection:
        hold(connection)
        add_key(place)
    for again in range(_TRIES):
        cipher = KeyCipher.from_file(place)
        count = attrs.evolve(city.kit, cipher=cipher).rewrap(city.engine, city.actor)
        try:
            with city.engine.begin() as connection:
                # Raises when a program that still runs with the old key has sealed something meanwhile.
                rewrap(connection, KeyCipher.from_file(place).newest())
                kept = drop_older(place)
        except KeyProblem as error:
            if error.code != "key_wrong" or again == _TRIES - 1:
                raise
            continue
        break
    _tell(json, {"key": cipher.key_print, "keys": count, "file": str(place),
                 "kept": [str(each) for each in kept]})  # fmt: skip


def _tell(json: bool, done: dict[str, Any]) -> None:
    if json:
        print_json(done)
        return
    print(both(f"主密钥已更换：现用密钥 {done['key']}，重新加密了 {done['keys']} 把个人密钥。",
               f"The master key was changed: {done['key']} is in use; {done['keys']} keys of persons were sealed anew."))  # fmt: skip
    for each in done["kept"]:
        print(both(f"旧密钥存于 {each}，只有此前的备份还需要它：请移到别处保管，备份到期后销毁。",
                   f"The old key lies in {each}; only backups made before need it: store it elsewhere, and destroy it with them."))  # fmt: skip
    print(both(f"请另行备份 {done['file']}，并重新启动正在运行的程序：它们还拿着旧密钥。",
               f"Back up {done['file']} elsewhere, and restart the programs that run: they still hold the old key."))  # fmt: skip
