"""The composition root: plugins, zone, clock and cipher in; desks out. The only place that commits."""

from __future__ import annotations

import datetime as dt
import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from volunteerkit import exchange, messages, store
from volunteerkit import plugins as loading
from volunteerkit.access import Actor, matrix
from volunteerkit.approvals import Workflow, grants
from volunteerkit.approvals.actions import DEADLINE, expired, settle_expired
from volunteerkit.calling import choose, choose_text, unless_answering, worded
from volunteerkit.clock import Calendar, Clock, aware, system_clock, zone_named
from volunteerkit.errors import (
    ImportRefused,
    InvalidValue,
    NotFound,
    NotPermitted,
    PluginConflict,
    PluginError,
    Refused,
    RetryableConflict,
    StorageError,
    StorageReadOnly,
    StorageUnavailable,
    VolunteerkitError,
    did_you_mean,
)
from volunteerkit.events import Event
from volunteerkit.exchange.quarantining import refuse_unless_whole
from volunteerkit.hooks import Bound
from volunteerkit.hours import disputes
from volunteerkit.hours.bank.actions import WORKFLOW as CREDIT_REFUND
from volunteerkit.hours.periods import WORKFLOW as REOPENING
from volunteerkit.hours.statement import Statement
from volunteerkit.organizations import routes as organizations
from volunteerkit.personal import ERASURE
from volunteerkit.plugins import Plugin
from volunteerkit.policy import Policy
from volunteerkit.projects import routes as projects
from volunteerkit.rating.tables import decision as _decision
from volunteerkit.rules import FACTS, Fact, Rulebook, RuleFunction, builtin_rulebooks
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import in_haste, only_reads, reading, self_check, storage_errors
from volunteerkit.store.posting import driver, note, replayed, request_hash, take_numbers, write_event
from volunteerkit.store.vault import rewrap
from volunteerkit.units import whole_number
from volunteerkit.volunteers import belonging, claiming, merging, registering, status, transfers
from volunteerkit.workflow import Office, Route

__all__ = ["Kit"]

T = TypeVar("T")
_TABLES = (_decision,)  # imported so that they belong to the schema before it is created
_WORKFLOWS = (
    grants.WORKFLOW,
    ERASURE,
    *registering.WORKFLOWS,
    *claiming.WORKFLOWS,
    *status.WORKFLOWS,
    *transfers.WORKFLOWS,
    *belonging.WORKFLOWS,
    *merging.WORKFLOWS,
    CREDIT_REFUND,
    REOPENING,
    *disputes.WORKFLOWS,
)
# The day up to which an engine's expired approvals were settled: a case never ends on the day it is opened.
_settled: WeakKeyDictionary[sa.Engine, dt.date] = WeakKeyDictionary()
_log = logging.getLogger("volunteerkit.refusals")
_TRIES = 10
_DEADLINE_SECONDS = 30.0


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Kit:
    """What a city has decided on: its plugins, rulebooks, zone and clock. Immutable, thread-safe.

    Make one with `Kit.load` when the portal starts; it holds no connection.

    >>> kit = Kit.load(zone="Asia/Shanghai")
    >>> sorted(kit.rulebooks)
    ['plain', 'union']
    """

    plugins: tuple[Plugin, ...]
    zone: ZoneInfo
    clock: Clock = attrs.field(repr=False)
    cipher: Cipher | None
    rulebooks: Mapping[str, Rulebook] = attrs.field(repr=False)
    functions: Mapping[str, RuleFunction] = attrs.field(repr=False)
    hooks: Bound = attrs.field(repr=False)
    workflows: Mapping[str, Workflow] = attrs.field(repr=False)
    calendar: Calendar = attrs.field(repr=False)
    grant_rest_days: int = 1
    policy: Policy = attrs.field(factory=Policy, repr=False)
    tables: tuple[sa.Table, ...] = attrs.field(default=(), repr=False)

    @classmethod
    def load(
        cls,
        *plugins: str | Path | ModuleType | object,
        zone: str = "Asia/Shanghai",
        clock: Clock = system_clock,
        cipher: Cipher | None = None,
        grant_rest_days: int = 1,
        plugins_dir: str | Path | None = None,
    ) -> Kit:
        """Load the named plugins and freeze what they contribute.

        A plugin is the name of an installed one, a module, an object, a path to one ``.py`` file, to a package
        or to a ``.toml`` rulebook; ``plugins_dir`` is a folder of such files, all of which are loaded. Raises
        PluginError naming the plugin that cannot be used, PluginConflict naming two that claim the same thing,
        RulebookError for a rulebook with problems.

        ``grant_rest_days`` (0 for none) is for how many days a new grant decides nothing that its holder had to
        do with before.
        """
        whole_number("grant_rest_days", grant_rest_days)
        asked = (*plugins, *(() if plugins_dir is None else loading.in_folder(plugins_dir)))
        found = tuple(sorted((loading.find(each) for each in asked), key=lambda plugin: plugin.name))
        bound = loading.bind(found)
        bound = worded(bound, loading.catalogue(loading.contributed(bound, "vk_messages")))
        given = [(plugin, loading.guarded(plugin, value) if isinstance(value, RuleFunction) else value)
                 for plugin, value in loading.contributed(bound, "vk_functions")]  # fmt: skip
        functions = _unique(given, RuleFunction, {}, "rule function")
        facts = _unique(loading.contributed(bound, "vk_facts"), Fact, dict(FACTS), "fact")
        books = _rulebooks(loading.contributed(bound, "vk_rulebooks"), functions, facts)
        lead = _chosen(bound, "vk_choose_lead", Office, lambda: organizations.DEPARTMENT)
        workflows = _workflows(loading.contributed(bound, "vk_routes"), lead)
        return cls(found, zone_named(zone), clock, cipher, MappingProxyType(books), MappingProxyType(functions),
                   bound, MappingProxyType(workflows), _chosen(bound, "vk_choose_calendar", Calendar, Calendar), grant_rest_days,
                   _chosen(bound, "vk_choose_policy", Policy, Policy),
                   loading.own_tables(loading.contributed(bound, "vk_tables")))  # fmt: skip

    def desk(self, connection: sa.Connection, actor: Actor, *, now: dt.datetime | None = None) -> Desk:
        """Return a desk on the portal's own open transaction; nothing is committed here.

        A connection without one begins it. Approvals whose term ran out are settled first, in the same
        transaction. ``now`` is an aware instant (default: the kit's clock). Raises InvalidValue for what is
        no connection, actor or instant, IntegrityProblem for an engine that would break a promise,
        SchemaMismatch and StorageUnavailable for a database not made by `migrate`.
        """
        for name, value, wanted in (("connection", connection, sa.Connection), ("actor", actor, Actor)):
            if not isinstance(value, wanted):
                raise InvalidValue(name=name, value=type(value).__name__, allowed=wanted.__name__)
        unless_answering()
        with storage_errors(connection.engine.url):
            if not connection.in_transaction():
                connection.begin()
            self_check(connection)
            store.check_schema(connection)
            desk = self._desk(connection, actor, now)
            # what is settled here stands only if the portal commits: then the day is not remembered yet
            if _settled.get(connection.engine) != desk.today and not settle_expired(desk):
                _settled[connection.engine] = desk.today
        return desk

    def _desk(self, connection: sa.Connection, actor: Actor, now: dt.datetime | None) -> Desk:
        return Desk(
            connection,
            actor,
            aware("now", self.clock() if now is None else now),
            self.zone,
            self.hooks,
            self.rulebooks,
            self.functions,
            self.cipher,
            self.workflows,
            self.calendar,
            self.grant_rest_days,
            self.policy,
        )

    @contextmanager
    def open(self, engine: sa.Engine, actor: Actor, *, read_only: bool = False) -> Iterator[Desk]:
        """Begin a transaction, yield its desk, commit; roll back if the block raises.

        What was refused is logged by ``volunteerkit.refusals`` at level INFO, with the actor's id and codes only.

        With ``read_only`` no writer is waited for and nothing is committed: a verb that writes raises
        StorageReadOnly there. Driver errors come out as
        StorageError and its kin.
        """
        settled = not read_only or _settled.get(engine) == self._today() or self._settle(engine)
        with self._transaction(engine, mark=reading if read_only else None) as connection:
            desk = self._desk(connection, actor, None)
            if not read_only and _settled.get(engine) != desk.today:
                settle_expired(desk)
            try:
                yield desk
            except (NotFound, NotPermitted, Refused) as refusal:
                # nothing of it was written, so no event tells of it; ids and codes only
                found = [each.code for each in getattr(refusal, "findings", ())] or refusal.code
                _log.info("%s was refused: %s %s", actor.id, found, refusal.values.get("action", ""))
                raise
        if settled:
            _settled[engine] = desk.today

    def _settle(self, engine: sa.Engine) -> bool:
        """Write for a reader what a sweeper would have written, where that can be written now; tell if it was."""
        with self._transaction(engine, mark=reading) as connection:
            waiting = expired(self._desk(connection, DEADLINE, None))
        try:
            if waiting:
                with self._transaction(engine, mark=in_haste) as connection:
                    settle_expired(self._desk(connection, DEADLINE, None))
        except StorageReadOnly:  # nor will it be tomorrow
            pass
        except (StorageUnavailable, RetryableConflict):  # somebody writes: the next reader will see it
            return False
        return True

    @contextmanager
    def _transaction(
        self, engine: sa.Engine, *, mark: Callable[[sa.Connection], sa.Connection] | None = None
    ) -> Iterator[sa.Connection]:
        unless_answering()
        with storage_errors(engine.url), engine.connect() as connection:
            checked = mark(connection) if mark else connection
            with checked.begin() as transaction:
                self_check(checked)
                store.check_schema(checked)
                yield checked
                if only_reads(checked):
                    transaction.rollback()

    def _today(self) -> dt.date:
        return self.clock().astimezone(self.zone).date()

    def run(self, engine: sa.Engine, actor: Actor, work: Callable[[Desk], T], *, key: str | None = None) -> T:
        """Run ``work(desk)`` in a transaction of its own and return its answer; run it again on conflicts.

        ``work`` may be called several times and must not act outside the desk. With ``key`` it is done
        once for ever: later calls of the same actor return the first answer, which then must be JSON (numbers,
        texts, lists, dicts), else InvalidValue is raised and nothing kept; another actor's key raises
        IdempotencyConflict. Raises RetryableConflict after 10 tries or 30 seconds.
        """
        deadline = time.monotonic() + _DEADLINE_SECONDS
        for attempt in range(_TRIES):
            try:
                with self.open(engine, actor) as desk:
                    return self._once(desk, work, key)
            except RetryableConflict:
                if attempt == _TRIES - 1 or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable")

    def _once(self, desk: Desk, work: Callable[[Desk], T], key: str | None) -> T:
        if key is None:
            return work(desk)
        execute, request = driver(desk.connection), request_hash("unit.run", desk.actor.id)
        before = replayed(execute, "unit.run", key, request)
        if before is not None:
            answer: T = before["answer"]
            return answer
        answer = work(desk)
        try:
            text = json.dumps(answer, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            allowed = "JSON: numbers, texts, lists, dicts, None"
            raise InvalidValue(name="answer", value=type(answer).__name__, allowed=allowed) from None
        numbers = take_numbers(execute)
        write_event(
            execute,
            desk,
            numbers,
            numbers.transfer_hash,
            "unit.run",
            f"key:{key}",
            {"answer": answer},
            key,
            request,
        )
        return json.loads(text)  # type: ignore[no-any-return]

    def migrate(self, engine: sa.Engine) -> None:
        """Create the tables in an empty database, or bring an older one up to date; otherwise do nothing.

        Tables that plugins contribute are made where they are missing.
        Raises SchemaMismatch when the database is newer than this library, KeyProblem when an older one
        holds personal data and the kit has no cipher or one of another key.
        """
        unless_answering()
        with storage_errors(engine.url), engine.begin() as connection:
            self_check(connection)
            store.migrate(connection, self.cipher)
            for table in self.tables:
                table.create(connection, checkfirst=True)

    def render(self, document: Statement, language: str | None = None) -> str | None:
        """Return the page that a plugin makes of a document, None when none does.

        ``language`` is ``"zh-CN"`` or ``"en"``, by default the one in force. Raises InvalidValue for anything else,
        PluginError for a plugin that fails or answers with no text, PluginConflict for two that answer.
        """
        if not isinstance(document, Statement):
            raise InvalidValue(name="document", value=type(document).__name__, allowed="Statement")
        in_ = messages.language() if language is None else language
        if in_ not in messages.LANGUAGES:
            raise InvalidValue(name="language", value=in_, allowed=", ".join(messages.LANGUAGES))
        own = deepcopy(document)  # the values of its reasons could be changed
        return choose_text(self.hooks, "vk_choose_rendering", document=own, language=in_)

    def rewrap(self, engine: sa.Engine, actor: Actor) -> int:
        """Seal the key of every subject anew under the first master key of the kit's cipher; return how many.

        The cipher opens with the older ones too (``KeyCipher(new, old)``). No data are touched, all is done in
        one transaction, and a second call does no harm. Afterwards the older keys open nothing but backups.
        Whoever holds both keys may; ``actor`` is who did it. Raises KeyProblem when something opens under
        none of the keys: then nothing was changed.
        """
        with self._transaction(engine) as connection:
            desk = self._desk(connection, actor, None)
            count = rewrap(connection, desk.needed_cipher())
            note(desk, "vault.rewrapped", "vault", {"keys": count, "key": desk.needed_cipher().key_print})
        return count

    def deliver(self, engine: sa.Engine, *, limit: int = 1000) -> int:
        """Hand events to the react hooks, at least once and in order; return how many were delivered.

        Call it from a job of the portal's own, for example every minute. A plugin that raises waits with
        that event until the next call; the others go on. No transaction is open while a plugin reacts, so
        it may take its time and use the database itself.
        """
        delivered = 0
        for plugin, react in self.hooks.get("vk_react", ()):
            with self._transaction(engine, mark=reading) as connection:
                events = store.undelivered(connection, plugin, limit)
            done, failed = 0, False
            try:
                for event in events:
                    if failed := not _reacted(react, event):
                        break
                    done, delivered = event.seq, delivered + 1
            finally:
                if done or failed:
                    with self._transaction(engine) as connection:
                        store.note_delivery(connection, plugin, done, failed)
        return delivered

    def import_directory(
        self,
        engine: sa.Engine,
        actor: Actor,
        folder: Path | str,
        *,
        mapping: Path | str | None = None,
        as_of: dt.date | None = None,
        strict: bool = False,
        progress: Callable[[str, int], None] | None = None,
    ) -> exchange.ImportReport:
        """Import a directory of CSV files, one transaction a file, so that a crash leaves whole files.

        A file is read again when somebody else wrote at the same time (see `run`).

        ``strict`` imports everything or nothing, in one transaction: one refused row refuses the directory, and
        nothing is left of it but the error, which names file, row and column.

        ``as_of`` is the day after which a service date lies in the future (default today); ``progress``
        is called with a file's name and the rows read so far. See `volunteerkit.exchange` for what is read
        and what is refused. Running it again completes what was not done and changes nothing else.

        Raises ImportRefused for a file that cannot be read as a whole; which one and why stands in the
        quarantine until the file is imported.
        """
        reports: list[Any] = []
        try:
            plan = exchange.plan_directory(Path(folder), Path(mapping) if mapping else None)
            for files in (plan.files,) if strict else [(file,) for file in plan.files]:

                def load(desk: Desk, files: Any = files) -> list[Any]:
                    made = [
                        exchange.load_file(desk, plan, each, as_of=as_of, progress=progress) for each in files
                    ]
                    if strict:
                        refuse_unless_whole(desk, plan, made)
                    return made

                reports += self.run(engine, actor, load)
        except ImportRefused as error:
            with suppress(StorageError), self.open(engine, actor) as desk:
                exchange.note_refusal(desk, error)
            raise
        return exchange.ImportReport(plan.source, tuple(reports), plan.left_out)


def _reacted(react: Callable[..., Any], event: Event) -> bool:
    try:
        react(event=event)
    except VolunteerkitError:  # a plugin's failure postpones its own delivery and nothing else
        return False
    return True


def _workflows(given: list[tuple[str, Any]], lead: Office) -> dict[str, Workflow]:
    """Return the workflow of every kind of case; a plugin's route takes the place of the library's."""
    found = {
        workflow.route.kind: workflow
        for workflow in (*_WORKFLOWS, *organizations.workflows(lead), *projects.workflows(lead))
    }
    owners: dict[str, str] = {}
    for plugin, route in given:
        if not isinstance(route, Route):
            raise loading.wrong_value(plugin, "route", route)
        if route.kind not in found:
            raise PluginError("plugin_route_unknown", plugin=plugin, kind=route.kind,
                              known=", ".join(sorted(found)), near=did_you_mean(route.kind, found))  # fmt: skip
        if route.kind in owners:
            raise PluginConflict(what=f"route {route.kind}", first=owners[route.kind], second=plugin)
        owners[route.kind] = plugin
        _check_offices(plugin, route, found[route.kind].action)
        found[route.kind] = attrs.evolve(found[route.kind], route=route)
    return found


def _check_offices(plugin: str, route: Route, action: str) -> None:
    """Refuse a route whose office may not do the action, or that spares a second person where one is needed."""
    cells = matrix().get(action, {})
    for step in route.steps:
        for office in (step.office, step.escalate_to):
            if isinstance(office, Office) and office.role not in cells:
                raise PluginError("plugin_route_office", plugin=plugin, kind=route.kind, step=step.name,
                                  role=office.role, action=action, known=", ".join(cells))  # fmt: skip
    automatic = not route.steps or any(step.at_deadline == "grant" for step in route.steps)
    if automatic and any(cell.second for cell in cells.values()):
        raise PluginError("plugin_route_second", plugin=plugin, kind=route.kind)


def _chosen(bound: Bound, hook: str, type_: type[T], default: Callable[[], T]) -> T:
    """Return the one value that a plugin chose for the whole city, the library's own when none did."""
    chosen = choose(bound, hook)
    if chosen is None:
        return default()
    if not isinstance(chosen[1], type_):
        raise loading.wrong_value(chosen[0], hook.removeprefix("vk_choose_"), chosen[1])
    return chosen[1]


def _unique(given: list[tuple[str, Any]], type_: Any, known: dict[str, Any], what: str) -> dict[str, Any]:
    owners = dict.fromkeys(known, "volunteerkit")
    for plugin, value in given:
        if not isinstance(value, type_):
            raise loading.wrong_value(plugin, what, value)
        if value.name in owners:
            raise PluginConflict(what=f"{what} {value.name}", first=owners[value.name], second=plugin)
        owners[value.name] = plugin
        known[value.name] = value
    return known


def _rulebooks(
    given: list[tuple[str, Any]], functions: Mapping[str, RuleFunction], facts: Mapping[str, Fact]
) -> dict[str, Rulebook]:
    books = {book.id: book for book in builtin_rulebooks()}
    owners = dict.fromkeys(books, "volunteerkit")
    questions: dict[str, str] = {}
    for plugin, value in given:
        try:
            book = (
                Rulebook.read(value, functions=functions, facts=facts) if isinstance(value, Path) else value
            )
        except VolunteerkitError as error:
            error.add_note(messages.text("plugin_note", plugin=plugin, hook="vk_rulebooks"))
            raise
        if not isinstance(book, Rulebook):
            raise loading.wrong_value(plugin, "rulebook", book)
        # Several ways of crediting and checks may stand side by side; a city has one ladder for a question.
        one_only = book.decides not in ("credit", "check")
        clash = owners.get(book.id) or (questions.get(book.decides) if one_only else None)
        if clash:
            raise PluginConflict(
                what=book.decides if book.decides in questions else book.id, first=clash, second=plugin
            )
        owners[book.id] = questions[book.decides] = plugin
        books[book.id] = book
    return books
