"""The worker: a loop over single steps. Any number of workers may run; each holds what it claims by a token."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import structlog

from drumbeat.domain.delivery import FailureReason, read_outcome
from drumbeat.domain.errors import DrumbeatError, MasterKeyWrong, Unavailable
from drumbeat.mail.outgoing import check
from drumbeat.mail.session import Server
from drumbeat.operations.dispatch import claim
from drumbeat.operations.holds import examine_sender, hold_unopened, lift_hold, note_identity, prolong_hold
from drumbeat.operations.mailboxes import server_of
from drumbeat.operations.replay import Entry
from drumbeat.store import lanes, mailboxes
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.promises import SENT_JOURNAL
from drumbeat.store.transaction import Snapshot
from drumbeat.wiring import World
from drumbeat.worker.carrier import Carrier
from drumbeat.worker.ears import Ears
from drumbeat.worker.journal import Journal, installation_mark
from drumbeat.worker.notices import carry_next
from drumbeat.worker.recovery import Recovery
from drumbeat.worker.tending import Tending

_POLL_EVERY = 0.25  # seconds between looks at the lanes
_REST = 1.0  # seconds between looks when nothing is due and whoever makes work is heard
_STOP_WITHIN = 0.25  # seconds
_LEAST = 0.2  # seconds of any rest: what comes due meanwhile leaves together, at half the cost
_APART = 0.04  # seconds over which the workers that heard the same spread their looks
_LANES_AT_ONCE = 50
_TESTS_AT_ONCE = 4
_TELL_EVERY = 60.0  # seconds between lines of the log about a database that stays away
_SHARE = 2.0  # seconds after which a lane gives its seat to one that waits

_log = structlog.get_logger()


class Worker:
    """Serves lanes, reads what comes back, reaps leases, carries changes of sequences, tests held mailboxes and
    counts what happened."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._carriers: dict[tuple[int, int], Carrier] = {}
        self._busy: dict[tuple[int, int], Future[int]] = {}
        self._testing: dict[tuple[int, int], Future[None]] = {}
        self._is_crowded = False
        self._pause = _POLL_EVERY
        self._listener = world.database.listener()
        self._token = secrets.token_hex(8)
        self._journal = _journal_of(world, self._token)
        self._recovery = Recovery(world, self._journal)
        self._trouble: str | None = None
        self._told_away_at: float | None = None
        self.tending = Tending(world)
        self._ears = Ears(world)
        self._notices: Future[bool] | None = None

    def step(self) -> bool:
        """Do everything that can be done now, one after the other; False if there was nothing."""
        self._recovery.step(self._out)
        did = self.tending.step()
        did = self._ears.step() or did
        for mailbox in self._to_test():
            self._test(mailbox)
            did = True
        did = self._carry_notices() or did
        for lane in self._awake():
            did = self._serve(lane, lambda: False) > 0 or did
        return did

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; lanes are served side by side, and a stopping one gets its grace."""
        self._listener.start()
        try:
            with (
                ThreadPoolExecutor(self._world.settings.seats, thread_name_prefix="lane") as pool,
                ThreadPoolExecutor(_TESTS_AT_ONCE, thread_name_prefix="mailbox-test") as testers,
                ThreadPoolExecutor(self._world.settings.ears, thread_name_prefix="ear") as ears,
            ):
                while not stop.is_set():
                    if not self._turn(pool, testers, ears, stop):
                        self._rest(stop)
        finally:
            self.close()

    def close(self) -> None:
        """Hang up every connection."""
        self._listener.close()
        for carrier in self._carriers.values():
            carrier.close()
        self._carriers.clear()
        if self._journal is not None:
            self._journal.close()

    def _rest(self, stop: threading.Event) -> None:
        """Wait until there may be something to do, or `stop`."""
        rung, begins = self._world.database.rung, time.monotonic()
        stop.wait(_LEAST + _APART * int(self._token[:2], 16) / 256)
        while not stop.is_set() and (left := begins + self._pause - time.monotonic()) > 0:
            if rung.wait(min(left, _STOP_WITHIN)):
                break
        rung.clear()

    def _turn(
        self, pool: ThreadPoolExecutor, testers: ThreadPoolExecutor, ears: ThreadPoolExecutor, stop: threading.Event
    ) -> bool:
        try:
            self._recovery.step(self._out)
            did = self.tending.step()
            self._ears.turn(ears, stop)
            _collect(self._busy)
            _collect(self._testing)
            for mailbox in self._to_test():
                key = mailbox.account_id, mailbox.id
                if key not in self._testing:
                    self._testing[key] = testers.submit(self._test, mailbox)
            if self._notices is None or self._notices.done():
                self._notices = testers.submit(self._carry_notices)
            waiting = [lane for lane in self._awake() if lane not in self._busy]
            room = self._world.settings.seats - len(self._busy)
            for lane in waiting[:room]:
                self._busy[lane] = pool.submit(self._serve, lane, stop.is_set)
                self._busy[lane].add_done_callback(self._look_again)
            self._is_crowded = len(waiting) > room
        except Unavailable as error:
            self._pause = _POLL_EVERY
            self._tell_away(error)
            return False
        self._tell_back()
        return did

    def _tell_away(self, error: Unavailable) -> None:
        """Log that the database is in the way: at once, and again each minute that it is."""
        now = time.monotonic()
        if self._told_away_at is None or now - self._told_away_at >= _TELL_EVERY:
            _log.warning("the database is in the way", error=str(error))
            self._told_away_at = now

    def _tell_back(self) -> None:
        if self._told_away_at is not None:
            _log.info("the database is back")
            self._told_away_at = None

    def _look_again(self, served: Future[int]) -> None:
        """A seat is free, and somebody may wait for it."""
        if not served.cancelled() and served.exception() is None and served.result() > 0:
            self._world.database.rung.set()

    def _carry_notices(self) -> bool:
        """Carry the installation's own letters that are due, beside everything else: its server may be slow."""
        sender, did = self._world.sender, False
        try:
            while sender is not None and carry_next(self._world, sender):
                did = True
        except Exception:
            _log.exception("letters to users cannot be carried")
        return did

    def _out(self) -> list[Entry]:
        return [entry for carrier in list(self._carriers.values()) for entry in carrier.out()]

    def _awake(self) -> list[tuple[int, int]]:
        with self._world.database.read() as snapshot:
            found = lanes.awake(snapshot, snapshot.now, _LANES_AT_ONCE)
            self._pause = _POLL_EVERY if found else self._until_next(snapshot)
        unsettled = [lane for lane, carrier in list(self._carriers.items()) if carrier.has_unsettled]
        may_send = not self._recovery.is_due and self._can_keep_answers()
        return list(dict.fromkeys(found + unsettled)) if may_send else unsettled

    def _until_next(self, snapshot: Snapshot) -> float:
        """Seconds to rest when nothing is due: until something is, but never for long."""
        longest = _REST if self._listener.hears else _POLL_EVERY
        wakes_at = lanes.next_wake(snapshot, snapshot.now)
        return longest if wakes_at is None else min(longest, (wakes_at - snapshot.now).total_seconds())

    def _can_keep_answers(self) -> bool:
        """Whether the journal takes what servers will answer; why it does not is logged once."""
        trouble = None if self._journal is None else self._journal.trouble()
        if trouble is not None and trouble != self._trouble:
            _log.error("nothing is sent: the journal cannot be written", error=trouble)
        self._trouble = trouble
        return trouble is None

    def _serve(self, lane: tuple[int, int], stopping: Callable[[], bool]) -> int:
        ends = time.monotonic() + _SHARE

        def yields() -> bool:
            return self._recovery.is_due or (self._is_crowded and time.monotonic() >= ends)

        if lane[1] == NO_MAILBOX:
            return self._serve_without_mailbox(lane[0], lambda: stopping() or yields())
        return self._carrier(lane).serve(stopping, yields)

    def _serve_without_mailbox(self, account_id: int, ending: Callable[[], bool]) -> int:
        world, served = self._world, 0
        while not ending():
            brought = world.database.transact(
                lambda tx: claim(
                    tx,
                    world.identity,
                    account_id,
                    NO_MAILBOX,
                    limit=world.settings.batch,
                    token=self._token,
                )
            )
            served += brought.taken
            if brought.taken == 0:
                break
        return served

    def _carrier(self, lane: tuple[int, int]) -> Carrier:
        with self._world.database.read() as snapshot:
            mailbox = mailboxes.get(snapshot, *lane)
        carrier = self._carriers.get(lane)
        has_changed = carrier is not None and carrier.mailbox.server_settings != mailbox.server_settings
        if carrier is not None and has_changed and not carrier.has_unsettled:
            carrier.close()
            carrier = None
        if carrier is not None and not has_changed:
            carrier.mailbox = mailbox  # its limits may be others
        if carrier is None:
            carrier = self._carriers[lane] = Carrier(self._world, mailbox, self._server(mailbox), self._journal)
        return carrier

    def _server(self, mailbox: StoredMailbox) -> Server:
        vault, database = self._world.vault, self._world.database
        try:
            for sealed in filter(None, (mailbox.sealed_grant, mailbox.sealed_dkim_key)):
                vault.open(sealed)  # else its letters would find out one by one
            return server_of(vault, mailbox, self._world.tokens.source(mailbox))
        except MasterKeyWrong as error:
            detail = f"{error} Or set it anew: drumbeat mailbox set {mailbox.id} --password."
            database.transact(lambda tx: hold_unopened(tx, mailbox.account_id, mailbox.id, detail))
            return replace(server_of(vault, replace(mailbox, sealed_password=None, sealed_grant=None)), password="")

    def _to_test(self) -> list[StoredMailbox]:
        with self._world.database.read() as snapshot:
            return mailboxes.list_to_test(snapshot, snapshot.now)

    def _test(self, mailbox: StoredMailbox) -> None:
        """Try what holds the mailbox, or look up its sender."""
        if mailbox.needs_identity and mailbox.hold_reason in (None, FailureReason.SENDOUT_DISABLED):
            found = examine_sender(mailbox, self._world.resolver)
            self._world.database.transact(lambda tx: note_identity(tx, mailbox, found))
            return
        account_id, id = mailbox.account_id, mailbox.id
        detail: str | None = None
        if mailbox.hold_reason == FailureReason.AUTH:
            try:
                outcome = check(server_of(self._world.vault, mailbox, self._world.tokens.source(mailbox))).outcome
                detail = None if outcome is None else read_outcome(outcome).detail
            except DrumbeatError as error:
                detail = str(error)
        if detail is None:
            self._world.database.transact(lambda tx: lift_hold(tx, account_id, id, tested=mailbox))
        else:
            self._world.database.transact(lambda tx: prolong_hold(tx, mailbox, detail))


def _journal_of(world: World, token: str) -> Journal | None:
    settings = world.settings
    if SENT_JOURNAL in settings.unsafe:
        return None
    return Journal(settings.data / "journal", token, installation_mark(world.hash_key))


def _collect(futures: dict[tuple[int, int], Future[Any]]) -> None:
    """Forget what is done, and tell what failed."""
    for key in [key for key, future in futures.items() if future.done()]:
        error = futures.pop(key).exception()
        if error is not None:
            _log.error("lane failed", account_id=key[0], lane_id=key[1], exc_info=error)
