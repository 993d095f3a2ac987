"""Carrying the letters of one mailbox: claim a batch, write it, hand it over with the dot held."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import cast

import structlog

from drumbeat.domain.delivery import FailureReason, Outcome, Reply
from drumbeat.domain.errors import MissingTags, Unavailable, Unsendable
from drumbeat.domain.happening import CannotSend
from drumbeat.mail.compose import ascii_address
from drumbeat.mail.outgoing import post_of
from drumbeat.mail.session import Server
from drumbeat.mail.smtp import Envelope
from drumbeat.operations.deliveries import Answered, commit_turn, release, renew_leases
from drumbeat.operations.dispatch import ClaimedLetter, claim
from drumbeat.operations.replay import Entry, without_addresses
from drumbeat.store.deliveries import Key
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.stamps import to_stamp
from drumbeat.store.transaction import Tx
from drumbeat.wiring import World
from drumbeat.worker.journal import Journal

GRACE = 25.0  # seconds in which a stopping worker waits for answers

_log = structlog.get_logger()


class Carrier:
    """Carries the letters of one mailbox: claims a batch, writes it, and hands it over with the dot held."""

    def __init__(self, world: World, mailbox: StoredMailbox, server: Server, journal: Journal | None) -> None:
        self.mailbox = mailbox
        self._journal = journal
        self._world = world
        self._token = secrets.token_hex(8)
        self._post = post_of(server)
        self._claimed: deque[ClaimedLetter] = deque()
        self._in_air: dict[Hashable, tuple[ClaimedLetter, str]] = {}
        self._out: dict[Hashable, int] = {}  # those whose dot was written, and when they were let go
        self._noted: dict[Hashable, Entry] = {}
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
        if self._journal is not None:
            self._journal.leave(self._token)

    def _take(self, count: int) -> Sequence[Envelope]:
        envelopes: list[Envelope] = []
        if self._yields() or self._cannot_note():
            return envelopes
        try:
            while len(envelopes) < count and (self._claimed or self._claim_more()):
                letter = self._next()
                if letter is None and self._claimed:
                    break  # all that is left is for domains that have as much as they may on its way
                envelope = None if letter is None else self._written(letter)
                envelopes += [envelope] if envelope else []
        except Unavailable:
            if not envelopes:
                raise
            # What was written can go; the next take meets the database again.
        return envelopes

    def _cannot_note(self) -> bool:
        """Whether answers cannot be kept: then no letter may be let go, and none is begun."""
        return self._journal is not None and self._journal.trouble() is not None

    def _next(self) -> ClaimedLetter | None:
        """The first claimed letter whose domain may have one more on its way; None if there is none."""
        most = self.mailbox.per_domain
        if most is None:
            return self._claimed.popleft() if self._claimed else None
        on_their_way = Counter(_domain(letter) for letter, _ in self._in_air.values())
        for index, letter in enumerate(self._claimed):
            if on_their_way[_domain(letter)] < most:
                del self._claimed[index]
                return letter
        return None

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
        self._note(outcomes)
        if ready and self._journal is not None:
            self._journal.reserve(self._token, len(self._in_air))
        answered = [Answered(self._in_air[outcome.key][0], outcome) for outcome in outcomes]
        found_before = list(self._unwritable)
        standing = [self._in_air[key] for key in ready]
        account_id, mailbox_id = self.mailbox.account_id, self.mailbox.id

        def work(tx: Tx) -> tuple[frozenset[Key], int]:
            endings = answered + found_before
            return commit_turn(tx, account_id, mailbox_id, endings, standing, token=self._token), to_stamp(tx.now)

        granted, at = self._world.database.transact(work)
        # Forgotten only now: a commit that failed is made again with the same letters.
        del self._unwritable[: len(found_before)]
        self._forget(outcomes)
        for key in ready:
            if key not in granted:
                self._in_air.pop(key)
        self._out |= dict.fromkeys(granted, at)
        return cast(Collection[Hashable], granted)

    def _note(self, outcomes: Sequence[Outcome]) -> None:
        """What servers answered is on this machine's disk before anything else is done about it."""
        if self._journal is None:
            return
        fresh = [each for each in outcomes if each.key in self._out and each.key not in self._noted and each.reply]
        noted = {each.key: self._entry(each.key, each.reply) for each in fresh}
        self._journal.note(self._token, list(noted.values()))
        self._noted |= noted

    def _entry(self, key: Hashable, reply: Reply | None) -> Entry:
        delivery = self._in_air[key][0].delivery
        code, enhanced, text = (0, None, "") if reply is None else (reply.code, reply.enhanced, reply.text)
        return Entry(
            delivery.account_id,
            delivery.mailbox_id,
            *delivery.key,
            self._token,
            self._out[key],
            code,
            enhanced,
            without_addresses(text),
        )

    def _forget(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._in_air.pop(outcome.key)
            self._out.pop(outcome.key, None)
        noted = [entry for entry in (self._noted.pop(each.key, None) for each in outcomes) if entry is not None]
        if noted and self._journal is not None:
            self._journal.settled(noted)

    def out(self) -> list[Entry]:
        """The letters whose dot was written and whose answer is not in, for the look at a database that was away."""
        return [self._entry(key, None) for key in list(self._out) if key in self._in_air]

    def _renew(self) -> None:
        letters = [*self._claimed, *(letter for letter, _ in self._in_air.values())]
        self._world.database.transact(lambda tx: renew_leases(tx, self.mailbox.account_id, letters, self._token))

    def _give_back(self) -> None:
        """Letters claimed and never tried go back at once; those whose answer is unsettled keep their lease."""
        untried = list(self._claimed)
        self._claimed.clear()
        account_id = self.mailbox.account_id
        self._world.database.transact(lambda tx: release(tx, account_id, untried, self._token))


def _domain(letter: ClaimedLetter) -> str:
    return letter.frozen.recipient_email.rpartition("@")[2]
