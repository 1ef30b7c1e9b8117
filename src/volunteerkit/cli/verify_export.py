"""Check an exported ledger with nothing but Python: python verify_export.py LEDGER.jsonl [SEQ:HASH]

Every transfer's and event's hash is computed anew in order, every account's balance and every record's state from the
transfers; likewise the time bank's accounts and lots from its own chain, which the events name. SEQ:HASH is a head that was published before: the event of that number must have that hash. The first
divergence is named and the exit code is 1. Nothing of volunteerkit is imported, so that its errors are not shared.
"""

import hashlib
import json
import sys

GENESIS = bytes(32)
OPENS = {"RECORD", "IMPORT", "MOVE"}
POSTS = {"CONFIRM", "IMPORT", "REVERSE", "ADJUST", "MOVE"}
TRANSFER = (
    "seq", "record_id", "debit_id", "credit_id", "minutes", "code", "refers_to", "effective_on", "recorded_at",
    "actor_id", "reason",
)  # fmt: skip
CREDIT = (
    "seq", "debit_id", "credit_id", "minutes", "code", "refers_to", "lot_id", "record_id", "redemption_id",
    "effective_on", "recorded_at", "actor_id", "reason",
)  # fmt: skip
EVENT = (
    "seq",
    "type",
    "recorded_at",
    "actor_id",
    "subject",
    "key",
    "request_hash",
    "payload",
    "transfer_seq",
    "transfer_hash",
)
KINDS = ("transfer", "credit", "event", "account", "record", "credit_account", "credit_lot", "head")


class Diverges(Exception):
    """What is written and what follows from the rest are not the same."""


def chained(before: bytes, fields: "list[object]") -> bytes:
    """Return SHA-256 over the hash before and the fields, joined by the unit separator; None is the byte 0xFF."""
    text = [b"\xff" if field is None else str(field).encode() for field in fields]
    return hashlib.sha256(before + b"\x1f".join(text)).digest()


class Ledger:
    """What was read so far: the chains, the balances, and where each record stands."""

    def __init__(self, published: str = "") -> None:
        self.published = published
        self.last = {"transfer": (0, GENESIS), "event": (0, GENESIS), "credit": (0, GENESIS)}
        self.hashes: dict[int, str] = {}
        self.claims: dict[int, int] = {}
        self.posted: dict[int, int] = {}
        self.pending: dict[int, int] = {}
        self.records: dict[int, tuple[str, int]] = {}
        self.credit_hashes: dict[int, str] = {0: GENESIS.hex()}
        self.named = 0
        self.banked: dict[int, list[int]] = {}
        self.lots: dict[int, int] = {}
        self.seen = {"account": 0, "record": 0}
        self.found_head = False

    def chain(self, kind: str, line: "dict[str, object]", fields: "list[object]") -> None:
        """Take the next line of a chain."""
        seq, before = self.last[kind]
        if line["seq"] != seq + 1:
            raise Diverges(f"{kind} {seq + 1} is missing")
        made = chained(before, fields)
        if made.hex() != line["hash"]:
            raise Diverges(f"{kind} {seq + 1}: hash {line['hash']}, computed {made.hex()}")
        self.last[kind] = (seq + 1, made)

    def transfer(self, line: "dict[str, object]") -> None:
        """Check one transfer and move its minutes."""
        fields: list[object] = [line[name] for name in TRANSFER]
        code, minutes, record = str(line["code"]), int(str(line["minutes"])), int(str(line["record_id"]))
        if line.get("journal") is not None:
            fields.append(line["journal"])
        if code in OPENS:
            fixed = line["fixed"]
            assert isinstance(fixed, list)
            fields += fixed
        self.chain("transfer", line, fields)
        self.hashes[int(str(line["seq"]))] = str(line["hash"])
        debit, credit = int(str(line["debit_id"])), int(str(line["credit_id"]))
        if debit == credit or not 0 < minutes <= 1440:
            raise Diverges(f"transfer {line['seq']}: {minutes} minutes from {debit} to {credit}")
        if code == "RECORD":
            self.claims[record] = minutes
            self.move(self.pending, debit, credit, minutes)
        elif code in ("CONFIRM", "REJECT"):
            self.move(self.pending, debit, credit, -self.claims.pop(record))
        total = self.records.get(record, ("", 0))[1]
        if code in POSTS:
            self.move(self.posted, debit, credit, minutes)
            total += minutes if credit % 16 == 1 else -minutes
        self.records[record] = (code, total)

    def credit(self, line: "dict[str, object]") -> None:
        """Check one transfer of the time bank and move its minutes."""
        fields: list[object] = [line[name] for name in CREDIT]
        code, minutes, lot = str(line["code"]), int(str(line["minutes"])), line["lot_id"]
        seq, debit, credit = (int(str(line[name])) for name in ("seq", "debit_id", "credit_id"))
        if code in ("DEPOSIT", "GIFT"):
            terms = line["terms"]
            assert isinstance(terms, list)
            fields += terms
            self.lots[seq] = minutes
        self.chain("credit", line, fields)
        self.credit_hashes[seq] = str(line["hash"])
        if debit == credit or minutes <= 0:
            raise Diverges(f"credit {seq}: {minutes} minutes from {debit} to {credit}")
        held = {"HOLD": minutes, "CANCEL": -minutes, "REDEEM": -minutes}.get(code, 0)
        posted = 0 if code in ("HOLD", "CANCEL") else minutes
        for account, more, holding in ((debit, -posted, held), (credit, posted, 0)):
            sums = self.banked.setdefault(account, [0, 0])
            sums[0] += more
            sums[1] += holding
        if lot is not None and code in ("HOLD", "TAKE_BACK", "GIFT", "EXPIRE", "CANCEL", "REFUND"):
            self.lots[int(str(lot))] += minutes if code in ("CANCEL", "REFUND") else -minutes

    @staticmethod
    def move(balances: "dict[int, int]", debit: int, credit: int, minutes: int) -> None:
        """Move minutes between two balances."""
        balances[debit] = balances.get(debit, 0) - minutes
        balances[credit] = balances.get(credit, 0) + minutes

    def event(self, line: "dict[str, object]") -> None:
        """Check one event, and that it names the transfer that was last then."""
        self.chain("event", line, [line[name] for name in EVENT])
        seq = int(str(line["transfer_seq"]))
        if seq and self.hashes.get(seq) != line["transfer_hash"]:
            raise Diverges(f"event {line['seq']}: transfer {seq} is another one")
        if str(line["type"]).startswith("credit."):
            told = json.loads(str(line["payload"]))
            self.named = told["credit_seq"]
            if self.credit_hashes.get(self.named) != told["credit_hash"]:
                raise Diverges(f"event {line['seq']}: credit {self.named} is another one")
        if self.published == f"{line['seq']}:{line['hash']}":
            self.found_head = True

    def account(self, line: "dict[str, object]") -> None:
        """Compare one balance."""
        id_ = int(str(line["id"]))
        expected = (self.posted.pop(id_, 0), self.pending.pop(id_, 0))
        if (line["posted"], line["pending"]) != expected:
            raise Diverges(
                f"account {id_}: {line['posted']}, {line['pending']}; computed {expected[0]}, {expected[1]}"
            )
        self.seen["account"] += 1

    def record(self, line: "dict[str, object]") -> None:
        """Compare where one record stands."""
        code, total = self.records.pop(int(str(line["id"])), ("", 0))
        expected = {"RECORD": "pending", "REJECT": "rejected"}.get(code, "confirmed" if total else "reversed")
        if (line["state"], line["confirmed"]) != (expected, total):
            raise Diverges(
                f"record {line['id']}: {line['state']} {line['confirmed']}; computed {expected} {total}"
            )
        self.seen["record"] += 1

    def credit_account(self, line: "dict[str, object]") -> None:
        """Compare one account of the time bank."""
        expected = self.banked.pop(int(str(line["id"])), [0, 0])
        if [line["posted"], line["held"]] != expected:
            raise Diverges(
                f"credit account {line['id']}: {line['posted']}, {line['held']}; computed {expected}"
            )

    def credit_lot(self, line: "dict[str, object]") -> None:
        """Compare what is left of one lot, free or given for what was missing."""
        expected = self.lots.pop(int(str(line["id"])))
        if int(str(line["left"])) + int(str(line["repaid"])) != expected:
            raise Diverges(f"credit lot {line['id']}: {line['left']}, {line['repaid']}; computed {expected}")

    def head(self, line: "dict[str, object]") -> None:
        """Compare the head, and that nothing is left over."""
        for kind in ("transfer", "event", "credit"):
            seq, made = self.last[kind]
            if (line[f"{kind}s"], line[f"{kind}_hash"]) != (seq, made.hex()):
                raise Diverges(f"head of the {kind}s: {line[f'{kind}s']}, computed {seq}")
        if self.named != self.last["credit"][0]:
            raise Diverges(f"credit {self.last['credit'][0]}: no event names it")
        left_over = {id_: any(sums) for id_, sums in self.banked.items()}
        for name, left in (("account", {**self.posted, **self.pending}), ("record", self.records),
                           ("credit account", left_over), ("credit lot", dict.fromkeys(self.lots, 1))):  # fmt: skip
            if missing := sorted(id_ for id_, value in left.items() if value):
                raise Diverges(f"{name} {missing[0]} is missing")
        if self.published and not self.found_head:
            raise Diverges(f"published head {self.published} is not in this ledger")


def verify(lines: "object", published: str = "") -> Ledger:
    """Check the lines of an export; raises Diverges with the first divergence."""
    ledger, ended = Ledger(published), False
    for text in lines:  # type: ignore[attr-defined]
        line = json.loads(text)
        if ended or line["kind"] not in KINDS:
            raise Diverges(f"unexpected line: {text[:80]}")
        getattr(ledger, line["kind"])(line)
        ended = line["kind"] == "head"
    if not ended:
        raise Diverges("the head is missing: the file was cut off")
    return ledger


def main(arguments: "list[str]") -> int:
    """Check the file named first, against the published head named second; return the exit code."""
    if len(arguments) not in (1, 2):
        print(__doc__)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            ledger = verify(file, *arguments[1:])
    except (Diverges, KeyError, ValueError, TypeError, AssertionError) as problem:
        print(f"DIVERGES  {type(problem).__name__}: {problem}")
        return 1
    seq, last = ledger.last["event"]
    print(f"OK  {ledger.last['transfer'][0]} transfers, {seq} events, {ledger.seen['account']} accounts, "
          f"{ledger.seen['record']} records; head {seq}:{last.hex()}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
