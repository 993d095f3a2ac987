"""Reading what comes back: each inbox by one worker at a time, waiting for more while seats are free."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from drumbeat.domain.errors import InboxUnreachable, MasterKeyWrong, NotFound, Unavailable
from drumbeat.mail.imap import Cursor, OpenInbox, open_inbox
from drumbeat.operations.doubts import doubts_of_mailbox, settle_by_evidence
from drumbeat.operations.inbound import Heard, read, take_in
from drumbeat.operations.inboxes import imap_server_of
from drumbeat.store import inboxes, mailboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.transaction import Tx
from drumbeat.wiring import World

POLL_EVERY = timedelta(minutes=1)
_WAIT_FOR = 20.0  # seconds of waiting between two looks; well within the lease
_LEASE = timedelta(minutes=2)
_LOOK_EVERY = 1.0  # seconds between questions which inboxes are due
_LONGEST_PAUSE = timedelta(hours=1)
_AT_ONCE = 500

_log = structlog.get_logger()


class Ears:
    """Reads the inboxes that are due, and stays with some while nobody waits for their seats."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._busy: dict[tuple[int, int], Future[bool]] = {}
        self._wanted = 0  # seats that somebody waits for
        self._seats = threading.Lock()
        self._looked_at = 0.0

    def step(self) -> bool:
        """Look once at every inbox that is due; False if there was none."""
        looked = [self._listen(inbox, lambda: True) for inbox in self._due()]
        return any(looked)

    def turn(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Seat the inboxes that are due, as many as fit, and ask for the seats that are missing."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = time.monotonic()
        self._busy = {key: future for key, future in self._busy.items() if not future.done()}
        waiting = [inbox for inbox in self._due() if (inbox.account_id, inbox.mailbox_id) not in self._busy]
        room = self._world.settings.ears - len(self._busy)
        for inbox in waiting[:room]:
            key = inbox.account_id, inbox.mailbox_id
            self._busy[key] = pool.submit(self._listen, inbox, lambda: stop.is_set() or self._gives_seat())
        with self._seats:
            self._wanted = len(waiting[room:])

    def _gives_seat(self) -> bool:
        """Whether whoever asks is to give its seat to one that waits."""
        with self._seats:
            gives = self._wanted > 0
            self._wanted -= gives
            return gives

    def _due(self) -> list[Inbox]:
        with self._world.database.read() as snapshot:
            return inboxes.list_due(snapshot, snapshot.now, _AT_ONCE)

    def _listen(self, inbox: Inbox, ending: Callable[[], bool]) -> bool:
        """Read an inbox until it is time to end; False if another worker does."""
        reader = _Reader(self._world, inbox, secrets.token_hex(8))
        try:
            if not reader.claim():
                return False
            trouble = reader.listen(ending)
            reader.leave(trouble)
        except Unavailable as error:
            _log.warning("the database is in the way", error=str(error))
        except Exception:
            _log.exception("listening failed", account_id=inbox.account_id, mailbox_id=inbox.mailbox_id)
        return True


@dataclass(slots=True)
class _Reader:
    """One worker's hold on one inbox."""

    world: World
    inbox: Inbox
    token: str

    def claim(self) -> bool:
        """Take the inbox, or keep it; False if another worker has it."""
        return self.world.database.transact(
            lambda tx: inboxes.claim(tx, self.inbox, self.token, tx.now + _LEASE),
        )

    def listen(self, ending: Callable[[], bool]) -> str | None:
        """Take in what is new, and wait for more; returns what was in the way."""
        inbox, world = self.inbox, self.world
        try:
            with world.database.read() as snapshot:
                mailbox = mailboxes.get(snapshot, inbox.account_id, inbox.mailbox_id)
            server = imap_server_of(world.vault, mailbox, inbox, world.tokens.source(mailbox))
            with open_inbox(server) as session:
                self._stay(session, ending)
        except MasterKeyWrong as error:
            return str(error)
        except InboxUnreachable as error:
            _log.warning("inbox unreachable", mailbox_id=inbox.mailbox_id, error=error.detail)
            return error.detail
        except NotFound:  # taken away meanwhile
            return None
        return None

    def _stay(self, session: OpenInbox, ending: Callable[[], bool]) -> None:
        known = self.inbox.uid_validity is not None and self.inbox.uid is not None
        cursor = Cursor(self.inbox.uid_validity or 0, self.inbox.uid or 0) if known else session.end
        if not known and not self._advance(cursor):
            return
        while True:
            for reached, raw in session.new_since(cursor, self._last_day()):
                if not self._take_in(raw, reached):
                    return
                cursor = reached
            if cursor.uid_validity != session.end.uid_validity:
                cursor = session.end
                self._advance(cursor)
            self._look_for_sent(session)
            if ending() or not session.can_wait or session.wait(_WAIT_FOR, ending) or not self.claim():
                return

    def _look_for_sent(self, session: OpenInbox) -> None:
        """Settle the doubts about letters whose copy the mail server kept when it took them."""
        account_id, world = self.inbox.account_id, self.world
        with world.database.read() as snapshot:
            doubts = doubts_of_mailbox(snapshot, account_id, self.inbox.mailbox_id)
        evidence = "a copy of it is in the folder of sent mail"
        for id in session.sent_among(list(doubts)) if doubts else []:
            world.database.transact(lambda tx, key=doubts[id]: settle_by_evidence(tx, account_id, key, evidence))  # type: ignore[misc]

    def _last_day(self) -> datetime:
        return self.inbox.heard_at or datetime.fromtimestamp(0, UTC)

    def _take_in(self, raw: bytes, reached: Cursor) -> bool:
        """Let one message have its effect, and remember that it was read, or neither; False if another worker reads."""
        heard = read(raw) if raw else None
        try:
            return self._advance(reached, heard)
        except Unavailable:
            raise
        except Exception:
            # A message that a defect of ours stumbles over must not keep the next ones from being heard.
            _log.exception("message not taken in", mailbox_id=self.inbox.mailbox_id, uid=reached.uid)
            return self._advance(reached)

    def _advance(self, reached: Cursor, heard: Heard | None = None) -> bool:
        inbox, world = self.inbox, self.world

        def work(tx: Tx) -> bool:
            lease_until = tx.now + _LEASE
            if not inboxes.advance(tx, inbox, self.token, lease_until, reached.uid_validity, reached.uid):
                return False
            if heard is not None:
                take_in(tx, world.hash_key, inbox.account_id, inbox.mailbox_id, heard)
            return True

        return world.database.transact(work)

    def leave(self, trouble: str | None) -> None:
        """Let the inbox go until its next look; with trouble after growing pauses, up to an hour."""
        pause = POLL_EVERY
        if trouble is not None:
            pause = min(POLL_EVERY * 2 ** min(self.inbox.failures, 10), _LONGEST_PAUSE)
        self.world.database.transact(
            lambda tx: inboxes.leave(tx, self.inbox, self.token, tx.now + pause, trouble),
        )
