"""The worker: a loop over single steps. Any number of workers may run; each holds what it claims by a token."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from drumbeat.domain.delivery import FailureReason, Outcome, read_outcome
from drumbeat.domain.errors import DrumbeatError, MasterKeyWrong, MissingTags, Unavailable, Unsendable
from drumbeat.domain.happening import CannotSend
from drumbeat.mail.compose import ascii_address
from drumbeat.mail.session import Server, Timeouts, check
from drumbeat.mail.smtp import Envelope, Post
from drumbeat.operations.deliveries import Answered, commit_turn, release, renew_leases
from drumbeat.operations.dispatch import ClaimedLetter, claim
from drumbeat.operations.doubts import reap
from drumbeat.operations.mailboxes import hold_unopened, lift_hold, prolong_hold, server_of
from drumbeat.operations.sequences import carry_replan
from drumbeat.store import deliveries, events, kept_answers, lanes, mailboxes, replans
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.wiring import World

POLL_EVERY = 0.25  # seconds between looks at the lanes when nothing is due
GRACE = 25.0  # seconds in which a stopping worker waits for answers
REAP_EVERY = timedelta(seconds=1)
FORGET_EVERY = timedelta(minutes=1)
_FORGOTTEN_AT_ONCE = 500
_REAPED_AT_ONCE = 100
_LANES_AT_ONCE = 50
_TOLD_AT_ONCE = 200
_TESTS_AT_ONCE = 4
_TEST_PATIENCE = Timeouts(connect=10.0, session=20.0, command=10.0)
_SHARE = 2.0  # seconds after which a lane gives its seat to one that waits

_log = structlog.get_logger()


class Carrier:
    """Carries the letters of one mailbox: claims a batch, writes it, and speaks SMTP with the dot held."""

    def __init__(self, world: World, mailbox: StoredMailbox, server: Server) -> None:
        self.mailbox = mailbox
        self._world = world
        self._token = secrets.token_hex(8)
        self._post = Post(server)
        self._claimed: deque[ClaimedLetter] = deque()
        self._in_air: dict[Hashable, tuple[ClaimedLetter, str]] = {}
        self._unwritable: list[Answered] = []
        self._yields: Callable[[], bool] = lambda: False
        self._carried = 0

    def serve(self, stopping: Callable[[], bool], yields: Callable[[], bool] = lambda: False) -> int:
        """Carry what is due until the lane is empty, `stopping`, or `yields` to other lanes.

        Returns how many enrollments it dealt with.
        """
        self._yields, self._carried = yields, 0
        try:
            self._post.deliver(self._take, self._commit, heartbeat=self._renew, stopping=stopping, grace=GRACE)
            if self._unwritable:
                self._commit([], [])
        finally:
            self._give_back()
        return self._carried

    @property
    def has_unsettled(self) -> bool:
        """Whether an answer still waits to be stored, as after a database that was away."""
        return bool(self._in_air or self._unwritable)

    def close(self) -> None:
        """Hang up."""
        self._post.close()

    def _take(self, count: int) -> Sequence[Envelope]:
        envelopes: list[Envelope] = []
        if self._yields():
            return envelopes
        try:
            while len(envelopes) < count and (self._claimed or self._claim_more()):
                if self._claimed:
                    envelope = self._written(self._claimed.popleft())
                    envelopes += [envelope] if envelope else []
        except Unavailable:
            if not envelopes:
                raise
            # What was written can go; the next take meets the database again.
        return envelopes

    def _claim_more(self) -> bool:
        """Whether a claim brought anything: letters, or enrollments it dealt with otherwise."""
        world, mailbox = self._world, self.mailbox
        brought = world.database.transact(
            lambda tx: claim(
                tx,
                world.identity,
                mailbox.account_id,
                mailbox.id,
                limit=world.settings.batch,
                token=self._token,
            )
        )
        # A lease that ran out while this worker slept brings its own letter back: that one is in the air still.
        held = self._held()
        self._claimed.extend(letter for letter in brought.letters if letter.delivery.key not in held)
        self._carried += brought.taken
        return brought.taken > 0

    def _held(self) -> set[Hashable]:
        claimed = [*self._claimed, *(answered.letter for answered in self._unwritable)]
        return {*self._in_air, *(letter.delivery.key for letter in claimed)}

    def _written(self, letter: ClaimedLetter) -> Envelope | None:
        """The letter ready to be carried, or None: then what is wrong with it is settled at the next commit."""
        try:
            return self._envelope(letter)
        except MissingTags as error:
            listed = ", ".join(f"{{{{ {tag} }}}}" for tag in error.tags)
            detail = f"These have no value for this person and no default: {listed}."
            self._refuse(letter, FailureReason.MISSING_MERGE_TAGS, detail)
        except Unsendable as error:
            is_recipient = error.field == "recipient"
            reason = FailureReason.RECIPIENT_INVALID if is_recipient else FailureReason.UNKNOWN
            self._refuse(letter, reason, str(error))
        except Unavailable:
            self._claimed.appendleft(letter)  # nothing is wrong with it
            raise
        except Exception as error:
            _log.exception("letter cannot be written", enrollment_id=letter.enrollment.id)
            self._refuse(letter, FailureReason.UNKNOWN, f"The letter cannot be written: {error}")
        return None

    def _envelope(self, letter: ClaimedLetter) -> Envelope:
        frozen, delivery = letter.frozen, letter.delivery
        content = self._world.writer.write(delivery.account_id, letter.enrollment.step, frozen)
        envelope = Envelope(
            key=delivery.key,
            sender=ascii_address(frozen.sender_email, "sender"),
            recipient=ascii_address(frozen.recipient_email, "recipient"),
            content=content,
        )
        self._in_air[delivery.key] = letter, hashlib.sha256(content).hexdigest()
        return envelope

    def _refuse(self, letter: ClaimedLetter, reason: FailureReason, detail: str) -> None:
        self._unwritable.append(Answered(letter, CannotSend(reason, detail)))

    def _commit(self, outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> Collection[Hashable]:
        answered = [Answered(self._in_air[outcome.key][0], outcome) for outcome in outcomes]
        found_before = list(self._unwritable)
        standing = [self._in_air[key] for key in ready]
        mailbox = self.mailbox
        granted = self._world.database.transact(
            lambda tx: commit_turn(
                tx, mailbox.account_id, mailbox.id, answered + found_before, standing, token=self._token
            )
        )
        # Forgotten only now: a commit that failed is made again with the same letters.
        del self._unwritable[: len(found_before)]
        for outcome in outcomes:
            self._in_air.pop(outcome.key)
        for key in ready:
            if key not in granted:
                self._in_air.pop(key)
        return cast(Collection[Hashable], granted)

    def _renew(self) -> None:
        letters = [*self._claimed, *(letter for letter, _ in self._in_air.values())]
        self._world.database.transact(lambda tx: renew_leases(tx, self.mailbox.account_id, letters, self._token))

    def _give_back(self) -> None:
        """Letters claimed and never tried go back at once; those whose answer is unsettled keep their lease."""
        untried = list(self._claimed)
        self._claimed.clear()
        if untried:
            account_id = self.mailbox.account_id
            self._world.database.transact(lambda tx: release(tx, account_id, untried, self._token))


class Worker:
    """Serves lanes, reaps leases, carries changes of sequences, tests held mailboxes and counts what happened."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._carriers: dict[tuple[int, int], Carrier] = {}
        self._busy: dict[tuple[int, int], Future[int]] = {}
        self._testing: dict[tuple[int, int], Future[None]] = {}
        self._is_crowded = False
        self._token = secrets.token_hex(8)
        self._reaped_at: datetime | None = None
        self._forgot_at: datetime | None = None

    def step(self) -> bool:
        """Do everything that can be done now, one after the other; False if there was nothing."""
        did = self.tend()
        for mailbox in self._to_test():
            self._test(mailbox)
            did = True
        for lane in self._awake():
            did = self._serve(lane, lambda: False) > 0 or did
        return did

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; lanes are served side by side, and a stopping one gets its grace."""
        with (
            ThreadPoolExecutor(self._world.settings.seats, thread_name_prefix="lane") as pool,
            ThreadPoolExecutor(_TESTS_AT_ONCE, thread_name_prefix="mailbox-test") as testers,
        ):
            while not stop.is_set():
                if not self._turn(pool, testers, stop):
                    stop.wait(POLL_EVERY)
        self.close()

    def close(self) -> None:
        """Hang up every connection."""
        for carrier in self._carriers.values():
            carrier.close()
        self._carriers.clear()

    def _turn(self, pool: ThreadPoolExecutor, testers: ThreadPoolExecutor, stop: threading.Event) -> bool:
        try:
            did = self.tend()
            _collect(self._busy)
            _collect(self._testing)
            for mailbox in self._to_test():
                key = mailbox.account_id, mailbox.id
                if key not in self._testing:
                    self._testing[key] = testers.submit(self._test, mailbox)
            waiting = [lane for lane in self._awake() if lane not in self._busy]
            room = self._world.settings.seats - len(self._busy)
            for lane in waiting[:room]:
                self._busy[lane] = pool.submit(self._serve, lane, stop.is_set)
            self._is_crowded = len(waiting) > room
            return did
        except Unavailable as error:
            _log.warning("the database is in the way", error=str(error))
            return False

    def _awake(self) -> list[tuple[int, int]]:
        with self._world.database.read() as snapshot:
            found = lanes.awake(snapshot, snapshot.now, _LANES_AT_ONCE)
        unsettled = [lane for lane, carrier in list(self._carriers.items()) if carrier.has_unsettled]
        return list(dict.fromkeys(found + unsettled))

    def _serve(self, lane: tuple[int, int], stopping: Callable[[], bool]) -> int:
        ends = time.monotonic() + _SHARE

        def yields() -> bool:
            return self._is_crowded and time.monotonic() >= ends

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
        if carrier is None:
            carrier = self._carriers[lane] = Carrier(self._world, mailbox, self._server(mailbox))
        return carrier

    def _server(self, mailbox: StoredMailbox) -> Server:
        vault, database = self._world.vault, self._world.database
        try:
            return server_of(vault, mailbox)
        except MasterKeyWrong as error:
            detail = f"{error} Or set it anew: drumbeat mailbox set {mailbox.id} --password."
            database.transact(lambda tx: hold_unopened(tx, mailbox.account_id, mailbox.id, detail))
            return replace(server_of(vault, replace(mailbox, sealed_password=None)), password="")

    def tend(self) -> bool:
        """What needs no lane: leases that ran out, changes of sequences, counts, answers kept long enough."""
        done = [self._tended(part) for part in (self._reap, self._replan, self._count, self._forget)]
        return any(done)

    def _tended(self, part: Callable[[], bool]) -> bool:
        try:
            return part()
        except Unavailable:
            raise
        except Exception:
            # A defect here must not keep letters from being sent.
            _log.exception("tending failed", part=part.__name__)
            return False

    def _reap(self) -> bool:
        with self._world.database.read() as snapshot:
            if _is_within(REAP_EVERY, self._reaped_at, snapshot.now):
                return False
            found = deliveries.expired(snapshot, snapshot.now, _REAPED_AT_ONCE)
            self._reaped_at = None if found else snapshot.now
        for expired in found:
            self._world.database.transact(lambda tx, expired=expired: reap(tx, expired))  # type: ignore[misc]
        return bool(found)

    def _replan(self) -> bool:
        with self._world.database.read() as snapshot:
            replan = replans.find_next(snapshot)
        if replan is None:
            return False
        return self._world.database.transact(lambda tx: carry_replan(tx, replan))

    def _to_test(self) -> list[StoredMailbox]:
        with self._world.database.read() as snapshot:
            return mailboxes.list_to_test(snapshot, snapshot.now)

    def _test(self, mailbox: StoredMailbox) -> None:
        account_id, id = mailbox.account_id, mailbox.id
        detail: str | None = None
        if mailbox.hold_reason == FailureReason.AUTH:
            try:
                outcome = check(server_of(self._world.vault, mailbox), _TEST_PATIENCE).outcome
                detail = None if outcome is None else read_outcome(outcome).detail
            except DrumbeatError as error:
                detail = str(error)
        if detail is None:
            self._world.database.transact(lambda tx: lift_hold(tx, account_id, id, tested=mailbox))
        else:
            self._world.database.transact(lambda tx: prolong_hold(tx, mailbox, detail))

    def _count(self) -> bool:
        with self._world.database.read() as snapshot:
            if not events.has_untold(snapshot):
                return False
        return self._world.database.transact(lambda tx: events.count_untold(tx, _TOLD_AT_ONCE)) > 0

    def _forget(self) -> bool:
        """Delete a batch of kept answers that are given no more, at once again while there are any."""
        with self._world.database.read() as snapshot:
            if _is_within(FORGET_EVERY, self._forgot_at, snapshot.now):
                return False
            found = kept_answers.expired(snapshot, _FORGOTTEN_AT_ONCE)
            self._forgot_at = None if found else snapshot.now
        for account_id, key_hashes in found.items():
            self._world.database.transact(
                lambda tx, a=account_id, gone=key_hashes: kept_answers.delete(tx, a, gone)  # type: ignore[misc]
            )
        return bool(found)


def _is_within(pause: timedelta, since: datetime | None, now: datetime) -> bool:
    """Whether the pause since then still lasts; a clock that was set back makes it negative, and ends it."""
    return since is not None and timedelta(0) <= now - since < pause


def _collect(futures: dict[tuple[int, int], Future[Any]]) -> None:
    """Forget what is done, and tell what failed."""
    for key in [key for key, future in futures.items() if future.done()]:
        error = futures.pop(key).exception()
        if error is not None:
            _log.error("lane failed", account_id=key[0], lane_id=key[1], exc_info=error)
