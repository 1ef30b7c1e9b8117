"""What is said about somebody in free words: sealed, and named by an address where it was said.

A reason may tell anything about a person, so it stands in no table and no event. The row that it belongs to
holds its address, which is opaque; the text lies in the vault under a key of its own, which goes when the
data of the subject are erased.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from volunteerkit.access import Cell, Place, holding
from volunteerkit.privacy import HIDDEN, checked, mask, retention
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import insert_rows
from volunteerkit.store.vault import check_key, closed, open_subjects, vault

__all__ = ["is_address", "only_masked", "open_texts", "seal_text", "texts_about"]

_ADDRESS: Final = re.compile(r"([a-z_]+:[a-z0-9_]+)(#[a-z]+:[0-9].*)", re.ASCII | re.DOTALL)


def __dir__() -> list[str]:
    return __all__


def seal_text(desk: Desk, subject: str, place: str, text: str) -> str:
    """Seal a text about ``subject`` and return its address; an empty text has none.

    ``place`` says where it was said, once: ``"decision:3"``. A subject may name more than a person
    (``"volunteer:12:team:3"``): the text goes with the first. Nothing is kept about somebody whose data are
    erased. Raises KeyProblem; only in a city without a cipher, which keeps no persons, what is said about
    something else stands as it is.
    """
    owner = ":".join(subject.split(":")[:2])
    if not text or closed(desk.connection, [owner], "erased"):
        return ""
    checked({"reason": text})
    if desk.cipher is None and not owner.startswith("volunteer:") and not _ADDRESS.fullmatch(text):
        return text
    cipher, address = desk.needed_cipher(), f"{owner}#{place}"
    check_key(desk.connection, cipher)
    row = (address, *cipher.seal(address, {"reason": text}))
    insert_rows(desk.connection, "vk_vault", ("subject", "wrapped_key", "sealed"), [row])
    return address


def only_masked(desk: Desk, cell: Cell, place: Place) -> bool:
    """Tell whether the actor, to whom ``cell`` shows something at ``place``, sees of its reasons only that they exist."""
    if not cell.masked:
        return False
    roles = retention("reason").full
    return not any(holding(desk.acting, role, desk.today, place, desk.stored_grants) for role in roles)


def open_texts(desk: Desk, held: Iterable[str | None], *, masked: bool = False) -> dict[str | None, str]:
    """Return the text for each of ``held``: an address, a code that stands for itself, or nothing.

    With ``masked`` (see `only_masked`) a text comes in its mask.

    Of somebody whose data are erased or merely stored there is none. Without a cipher only that there is
    something is told: a program that sweeps or counts needs no key. Raises KeyProblem for a wrong one.
    """
    found = {each: each or "" for each in held}
    owners = {each: match[1] for each in found if each and (match := _ADDRESS.fullmatch(each))}
    if not owners:
        return found
    if desk.cipher is None:
        return found | dict.fromkeys(owners, HIDDEN)
    shut = closed(desk.connection, list(owners.values()))
    there = [each for each, owner in owners.items() if owner not in shut]
    opened = open_subjects(desk.connection, desk.needed_cipher(), there)
    said = {each: str(opened.get(each, {}).get("reason", "")) for each in owners}
    return found | ({each: mask("reason", text) for each, text in said.items()} if masked else said)


def is_address(held: str) -> bool:
    """Tell whether ``held`` is the address of a sealed text.

    >>> is_address("volunteer:12#decision:3"), is_address("grant:auditor#withdrawal:2"), is_address("left")
    (True, True, False)
    """
    return _ADDRESS.fullmatch(held) is not None


def texts_about(desk: Desk, subjects: Sequence[str]) -> dict[str, str]:
    """Return all that was said about ``subjects`` by its address, for their own eyes. Raises KeyProblem."""
    theirs = [vault.c.subject.startswith(f"{each}#", autoescape=True) for each in subjects]
    addresses = desk.connection.execute(sa.select(vault.c.subject).where(sa.or_(*theirs))).scalars().all()
    opened = open_subjects(desk.connection, desk.needed_cipher(), addresses)
    return {address: str(data["reason"]) for address, data in opened.items()}
