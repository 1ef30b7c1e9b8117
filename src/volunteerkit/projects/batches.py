"""What a device scanned while it was offline: uploaded later, each scan signed and taken once.

A device has a key of its own, derived from the city's and stored nowhere here. It numbers its scans; the
numbers are their order, whatever its clock did meanwhile, and in which order they arrive does not matter.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.clock import aware
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.projects.attendance import checked_device, checked_instant, not_revoked, revocation, skew_of
from volunteerkit.projects.codes import checked_purpose, derived_key
from volunteerkit.projects.marking import Attended, Mark, enter_in, enter_out, find_party
from volunteerkit.projects.presence import MINUTE
from volunteerkit.projects.tables import device as devices
from volunteerkit.projects.tables import scan
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, driver, insert_rows, note
from volunteerkit.store.registering import checked_text
from volunteerkit.store.texts import seal_text
from volunteerkit.units import instant_of, plain_text, whole_number

__all__ = [
    "Answer",
    "RevokedDevice",
    "Scan",
    "device_key",
    "revoke_device",
    "revoked_devices",
    "signed",
    "upload",
]

SCANS_AT_ONCE: Final = 2000
_COLUMNS: Final = ("device", "scan_id", "signature", "attendance_id", "answer", "received_at")
_KNOWN = (
    "SELECT s.signature, s.answer, a.id, v.number, a.in_at, a.out_at, a.flags, a.distance_ok FROM vk_scan s "
    "JOIN vk_attendance a ON a.id = s.attendance_id JOIN vk_volunteer v ON v.id = a.volunteer_id "
    "WHERE s.device = ? AND s.scan_id = ?"
)


def __dir__() -> list[str]:
    return __all__


def _whole(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    whole_number(attribute.name, value)


def _id(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    checked_device(attribute.name, value)


def _text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    plain_text(attribute.name, value, 100)


@attrs.frozen
class Scan:
    """One scan of a device: its id there, its number in the device's order, whom, where, when, in or out.

    ``at`` is an aware instant by the device's clock. ``signature`` is made by `signed`. Raises InvalidValue.
    """

    scan_id: str = attrs.field(validator=_id)
    sequence: int = attrs.field(validator=_whole)
    shift_id: int = attrs.field(validator=_whole)
    volunteer: str = attrs.field(validator=_text)
    purpose: str = attrs.field(validator=lambda _, __, value: checked_purpose(value) and None)
    at: dt.datetime = attrs.field(validator=lambda _, a, value: aware(a.name, value) and None)
    signature: bytes = attrs.field(default=b"", repr=False, validator=attrs.validators.instance_of(bytes))


@attrs.frozen
class Answer:
    """What became of a scan: the pair, or the reasons why it was not taken.

    ``replayed`` tells that the same scan had been taken by an earlier upload.
    """

    scan_id: str
    attended: Attended | None = None
    findings: tuple[Finding, ...] = ()
    replayed: bool = False


@storage_errors("database")
def device_key(desk: Desk, device: str) -> bytes:
    """Return the key with which the device of that id signs: hand it over once, on a safe way.

    The same every time; nothing is written. Raises NotPermitted for whoever has not the role ``system``,
    InvalidValue, KeyProblem, and Refused for a device that was revoked.
    """
    desk.permit("project.check_in")
    not_revoked(desk, checked_device("device", device))
    return derived_key(desk, "device_key", device)


@command
def revoke_device(desk: Desk, device: str, *, reason: str) -> None:
    """Revoke a device that was lost or stolen: nothing more is taken of it, whatever its clock says.

    What it entered before stands, and an upload that comes again has its answer still. Scans that it made before and
    had not handed in are refused, for nobody can tell them from forged ones: the leader enters these. Its successor
    gets another id. ``reason`` is sealed. Raises NotPermitted, InvalidValue, and Refused for one that is revoked.
    """
    desk.permit("project.revoke_device")
    checked_device("device", device)
    said = checked_text("reason", reason, 500)
    not_revoked(desk, device)
    sealed = seal_text(desk, f"device:{device}", "revocation:1", said)
    values = {"revoked_at": microseconds(desk.now), "revoked_by": desk.actor.id, "reason": sealed}
    desk.connection.execute(sa.insert(devices).values(device=device, **values))
    note(desk, "attendance.device_revoked", f"device:{device}", {})


@attrs.frozen
class RevokedDevice:
    """A device of which nothing is taken since ``revoked_at``, an instant in the city's zone."""

    device: str
    revoked_at: dt.datetime
    revoked_by: str


@storage_errors("database")
def revoked_devices(desk: Desk) -> tuple[RevokedDevice, ...]:
    """Return the devices that were revoked, the first one first. Raises NotPermitted."""
    desk.permit("project.revoke_device")
    rows = desk.connection.execute(sa.select(devices).order_by(devices.c.revoked_at, devices.c.device))
    return tuple(
        RevokedDevice(row.device, instant_of(row.revoked_at).astimezone(desk.zone), row.revoked_by)
        for row in rows
    )


def signed(key: bytes, device: str, scan: Scan) -> Scan:
    """Return the scan with its signature: an HMAC-SHA256 over the device's id and every other field.

    >>> noon = dt.datetime(2026, 11, 30, 4, tzinfo=dt.UTC)
    >>> one = Scan("S-1", 1, 7, "V0000001", "in", noon)
    >>> len(signed(bytes(16), "gate-1", one).signature)
    32
    """
    fields = (
        device,
        scan.scan_id,
        scan.sequence,
        scan.shift_id,
        scan.volunteer,
        scan.purpose,
        microseconds(scan.at),
    )
    text = "\x1f".join(map(str, fields))
    return attrs.evolve(scan, signature=hmac.digest(key, text.encode(), "sha256"))


@command
def upload(desk: Desk, device: str, scans: Sequence[Scan], *, clock: dt.datetime) -> tuple[Answer, ...]:
    """Take up to 2000 scans that a device made while it was offline; each has its answer, in the order given.

    ``clock`` is what the device's clock shows now (aware): when it is wrong by more than
    ``Policy.clock_skew_minutes``, what it says is flagged. All is one transaction, and the same upload may come
    again: a scan that was taken is taken once. One that was refused may come again, too. What was entered
    meanwhile stands. Of a device that was revoked nothing new is taken.

    Raises NotPermitted for whoever has not the role ``system``, InvalidValue, KeyProblem.
    """
    desk.permit("project.check_in")
    checked_device("device", device)
    if not isinstance(scans, Sequence) or not 0 < len(scans) <= SCANS_AT_ONCE:
        shown = len(scans) if isinstance(scans, Sequence) else type(scans).__name__
        raise InvalidValue(name="scans", value=shown, allowed=f"1 … {SCANS_AT_ONCE}")
    for each in scans:
        if not isinstance(each, Scan):
            raise InvalidValue(name="scans", value=type(each).__name__, allowed="Scan")
    revoked = revocation(desk, device)
    taking = _Taking(desk, device, skew_of(desk, clock), derived_key(desk, "device_key", device), revoked)
    ordered = sorted({*scans}, key=lambda each: (each.sequence, each.at, each.scan_id, each.signature))
    taking.take(ordered)
    return tuple(taking.answers[each] for each in scans)


@attrs.define
class _Taking:
    """One upload: what of it is genuine and new, then one after the other as the device counted them."""

    desk: Desk
    device: str
    skewed: tuple[str, ...]
    key: bytes = attrs.field(repr=False)
    revoked: tuple[Finding, ...]
    answers: dict[Scan, Answer] = attrs.Factory(dict)
    rows: list[tuple[Any, ...]] = attrs.Factory(list)
    last: dict[tuple[int, str], int] = attrs.Factory(dict)
    ids: set[str] = attrs.Factory(set)

    def take(self, ordered: Sequence[Scan]) -> None:
        fresh = [each for each in ordered if self._is_new(each)]
        marks = {each: self._mark(each) for each in fresh}
        ends = self._ends(marks)
        for each, mark in marks.items():
            if mark is not None and each not in self.answers:
                self._enter(each, mark, ends.get(each), marks)
        if self.rows:
            insert_rows(self.desk.connection, scan.name, _COLUMNS, self.rows)
            refused = sum(each.attended is None for each in self.answers.values())
            payload = {"taken": len(self.rows), "refused": refused}
            note(self.desk, "attendance.uploaded", f"device:{self.device}", payload)

    def _refuse(self, each: Scan, *findings: Finding) -> None:
        self.answers[each] = Answer(each.scan_id, None, findings)

    def _is_new(self, each: Scan) -> bool:
        """Tell whether a scan is genuine and was never taken; answer it otherwise."""
        if not hmac.compare_digest(signed(self.key, self.device, each).signature, each.signature):
            self._refuse(each, Finding("scan_not_signed", {"scan": each.scan_id}))
            return False
        row = driver(self.desk.connection)(_KNOWN, (self.device, each.scan_id)).fetchone()
        if row is not None and bytes(row[0]) == each.signature:
            came, left = (
                None if at is None else instant_of(at).astimezone(self.desk.zone) for at in row[4:6]
            )
            assert came is not None
            known = Attended(row[2], row[3], came, left,
                             tuple(filter(None, row[6].split(","))), None if row[7] is None else bool(row[7]),
                             row[1] == "repeated")  # fmt: skip
            self.answers[each] = Answer(each.scan_id, known, replayed=True)
        elif self.revoked:
            self._refuse(each, *self.revoked)
        elif row is not None or each.scan_id in self.ids:
            self._refuse(each, Finding("scan_reused", {"scan": each.scan_id}))
        else:
            self.ids.add(each.scan_id)
            return True
        return False

    def _mark(self, each: Scan) -> Mark | None:
        """Return when it was: never before the scan that the device counted before, of the same person there."""
        try:
            at = checked_instant(self.desk, each.at)
        except Refused as refusal:
            self._refuse(each, *refusal.findings)
            return None
        whose = (each.shift_id, each.volunteer)
        back = at < self.last.get(whose, at)
        self.last[whose] = at = max(at, self.last.get(whose, at))
        flags = self.skewed or (("clock_skew",) if back else ())
        return Mark(at, "device", f"device:{self.device}", flags)

    def _ends(self, marks: Mapping[Scan, Mark | None]) -> dict[Scan, Scan]:
        """Return for a check-in the check-out of this upload that ended it, for whoever checked out in time."""
        most = self.desk.policy.forgotten_check_out_minutes * MINUTE
        begun: dict[tuple[int, str], tuple[Scan, int]] = {}
        ends: dict[Scan, Scan] = {}
        for each, mark in marks.items():
            whose = (each.shift_id, each.volunteer)
            if mark is None:
                continue
            if each.purpose == "in":
                if whose not in begun or mark.at > begun[whose][1] + most:
                    begun[whose] = (each, mark.at)
            elif whose in begun:
                first, at = begun.pop(whose)
                if mark.at <= at + most:
                    ends[first] = each
        return ends

    def _enter(self, each: Scan, mark: Mark, end: Scan | None, marks: Mapping[Scan, Mark | None]) -> None:
        party = find_party(self.desk, each.shift_id, each.volunteer)
        if party is None:
            self._refuse(each, Finding("scan_no_shift", {"shift": each.shift_id}))
            return
        try:
            if each.purpose == "out":
                self._take(each, enter_out(self.desk, each.shift_id, party, mark))
                return
            until = None if end is None else marks[end]
            done = enter_in(self.desk, each.shift_id, party, mark, until)
        except Refused as refusal:
            self._refuse(each, *refusal.findings)
            return
        self._take(each, done)
        if end is not None and done.out_at is not None and not done.repeated:
            self._take(end, done)

    def _take(self, each: Scan, done: Attended) -> None:
        self.answers[each] = Answer(each.scan_id, done)
        answer = "repeated" if done.repeated else "taken"
        self.rows.append((self.device, each.scan_id, each.signature, done.attendance_id, answer,
                          microseconds(self.desk.now)))  # fmt: skip
