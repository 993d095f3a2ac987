"""Letters over SMTP with the dot held: no final dot is written before its point of no return is committed."""

from __future__ import annotations

import math
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from queue import SimpleQueue

from drumbeat.domain.delivery import Outcome, Stage
from drumbeat.mail.line import Envelope, Line
from drumbeat.mail.session import (
    USUAL_TIMEOUTS,
    Checkup,
    Security,
    Server,
    Session,
    Timeouts,
    Trouble,
    check,
    in_words,
    open_session,
)

__all__ = ["Checkup", "Commit", "Envelope", "Post", "Security", "Server", "Take", "Timeouts", "check"]

Take = Callable[[int], Sequence[Envelope]]
Commit = Callable[[Sequence[Outcome], Sequence[Hashable]], Collection[Hashable]]

_LOOK_UP_EVERY = 0.25  # seconds between looks at deadlines and at `stopping`
_ASK_AGAIN_AFTER = 1.0  # seconds after an empty take, while other letters are still on their way
_DOT_WITHIN = 20.0  # seconds from asking for the point of no return; a lease is 30
_SOON = 0.1  # seconds within which an answer is worth lingering for


class Post:
    """The open connections of one mailbox, kept between calls; one thread at a time may use it."""

    def __init__(
        self,
        server: Server,
        timeouts: Timeouts = USUAL_TIMEOUTS,
        *,
        local_hostname: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        commit_waits: Sequence[float] = (0.1, 0.5, 2.0, 5.0),
    ) -> None:
        self._server = server
        self._timeouts = timeouts
        self._hostname = local_hostname
        self._monotonic = monotonic
        self._sleep = sleep
        self._commit_waits = commit_waits
        self._selector = selectors.DefaultSelector()
        self._lines: list[Line] = []
        self._outcomes: list[Outcome] = []
        self._waiting: deque[tuple[Envelope, bool]] = deque()
        self._opened: SimpleQueue[Session | Trouble] = SimpleQueue()
        self._opening = 0
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._start_round()

    def _start_round(self) -> None:
        self._most = self._server.connections
        self._dry = self._failed = self._plenty = False
        self._ask_at = self._expire_at = 0.0
        self._first_news_at: float | None = None

    def deliver(
        self,
        take: Take,
        commit: Commit,
        *,
        heartbeat: Callable[[], None] = lambda: None,
        heartbeat_every: float = 10.0,
        stopping: Callable[[], bool] = lambda: False,
        grace: float = 25.0,
    ) -> None:
        """Carry what `take` gives until it is empty, the server fails, or `stopping`.

        `commit` settles the outcomes and passes the point of no return for the ready keys in one
        transaction, and returns the keys that passed. If it keeps raising, so does this; what is not
        settled stays here for the next call.
        """
        self._start_round()
        beat_at = self._monotonic() + heartbeat_every
        stop_at = math.inf
        self._gather(0)
        while True:
            now = self._monotonic()
            if now >= beat_at:
                heartbeat()
                beat_at = now + heartbeat_every
            if stop_at == math.inf and stopping():
                stop_at = now + grace
            self._expire(now)
            if stop_at < math.inf:
                self._stop(abandon=now >= stop_at)
            is_commit_due = self._is_commit_due(now)
            if stop_at == math.inf:
                self._fetch(take, now, expecting=is_commit_due)
            if is_commit_due:
                self._settle(commit)
            if stop_at == math.inf:
                self._load()
            self._flush()
            if self._at_rest(stop_at < math.inf):
                return
            self._gather(self._patience(now))

    def close(self) -> None:
        """Hang up everywhere; letters still on their way are not told of any more."""
        for line in self._lines:
            line.quit()
        self._lines.clear()
        self._selector.close()
        self._bell.close()
        self._ear.close()
        while not self._opened.empty():
            _discard(self._opened.get())

    def _expire(self, now: float) -> None:
        if now < self._expire_at:
            return
        self._expire_at = now + _LOOK_UP_EVERY
        for line in [line for line in self._lines if line.deadline <= now]:
            if line.idle:
                self._hang_up(line)
            elif line in self._lines:
                self._lose(line, "no answer in time")

    def _hang_up(self, line: Line) -> None:
        if line in self._lines:
            self._forget(line)
            line.quit()

    def _forget(self, line: Line) -> None:
        self._lines.remove(line)
        self._selector.unregister(line.sock)

    def _lose(self, line: Line, error: str) -> None:
        self._forget(line)
        spared = line.end(error)
        if spared is not None:
            self._waiting.append((spared, True))
            for other in [other for other in self._lines if other.idle and other.spent]:
                self._hang_up(other)  # as old as the dead one, and likely as dead

    def _stop(self, *, abandon: bool) -> None:
        while self._waiting:
            letter, _ = self._waiting.popleft()
            self._outcomes.append(Outcome(letter.key, Stage.DATA, None, "not sent: stopped"))
        if abandon:
            for line in [line for line in self._lines if not line.idle]:
                line.withdraw("stopped")
                self._lose(line, "stopped while waiting for the answer")

    def _is_commit_due(self, now: float) -> bool:
        """Whether there is news, and nobody else's is worth waiting for."""
        if not self._outcomes and not any(line.ready for line in self._lines):
            self._first_news_at = None
            return False
        if self._first_news_at is None:
            self._first_news_at = now
        if now - self._first_news_at >= self._timeouts.linger:
            return True
        soon = now - _SOON
        return not any(line.since > soon and not line.ready and not line.idle for line in self._lines)

    def _settle(self, commit: Commit) -> None:
        """One transaction; then the dots of those that passed, and goodbye to those that did not.

        Nothing that can wait stands between the transaction and the dots: a dot that came after its lease
        would be a letter that somebody may have been told is in doubt.
        """
        asked_at = self._monotonic()
        granted, ready = self._commit(commit)
        is_late = self._monotonic() - asked_at > _DOT_WITHIN
        self._outcomes.clear()
        self._first_news_at = None
        for line in ready:
            if line.letter is None:
                continue
            if line.letter.key not in granted or is_late:
                line.withdraw("the database took too long" if line.letter.key in granted else None)
                self._lose(line, "not granted")
        self._gather(0)  # a connection that died meanwhile is known before its dot is written
        for line in ready:
            if line.ready and line.letter is not None:
                line.dot()

    def _commit(self, commit: Commit) -> tuple[Collection[Hashable], list[Line]]:
        for wait in (*self._commit_waits, None):
            ready = [line for line in self._lines if line.ready]
            keys = [line.letter.key for line in ready if line.letter is not None]
            try:
                return frozenset(commit(tuple(self._outcomes), keys)), ready
            except Exception:
                # Whether the commit took effect or not: no dot was written, and none will be.
                for line in ready:
                    line.withdraw("the point of no return was not recorded")
                    self._lose(line, "not granted")
                if wait is None:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _fetch(self, take: Take, now: float, *, expecting: bool) -> None:
        """Have a letter waiting for every connection that is free, or `expecting` to be once it has its dot."""
        free = sum(line.free or (expecting and line.ready) for line in self._lines)
        room = free - len(self._waiting)
        if not free and not self._waiting and not self._opening and len(self._lines) < self._most:
            room = 1  # for a connection yet to be opened
        self._plenty = False
        if room > 0 and now >= self._ask_at and not self._failed:
            letters = take(room)
            self._waiting.extend((letter, False) for letter in letters)
            self._dry, self._plenty = not letters, len(letters) >= room
            self._ask_at = now + _ASK_AGAIN_AFTER if self._dry else 0.0

    def _load(self) -> None:
        """Give every free connection a letter, and open more of them while letters are plenty."""
        free = [line for line in self._lines if line.free]
        free.sort(key=lambda line: line.dotted is not None)
        for line in free:
            while self._waiting and line.letter is None:
                line.begin(*self._waiting.popleft())
        if (self._waiting or self._plenty) and not self._opening:
            self._open_more()

    def _open_more(self) -> None:
        wanted = min(self._most - len(self._lines), max(1, len(self._lines)))
        for _ in range(wanted):
            self._opening += 1
            try:
                threading.Thread(target=self._open, name="smtp-open", daemon=True).start()
            except RuntimeError as error:  # the system gives no more threads for now
                self._tell_opened(Trouble(Stage.CONNECT, None, in_words(error)))

    def _open(self) -> None:
        try:
            found = open_session(self._server, self._timeouts, self._hostname, self._monotonic)
        except Exception as error:
            found = Trouble(Stage.CONNECT, None, in_words(error))
        self._tell_opened(found)

    def _tell_opened(self, found: Session | Trouble) -> None:
        self._opened.put(found)
        try:
            self._bell.send(b"!")
        except OSError:  # closed meanwhile
            _discard(found)

    def _flush(self) -> None:
        for line in self._lines.copy():
            if line.out:
                self._attend(line, 0)

    def _attend(self, line: Line, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                line.hear()
            line.flush()
        except OSError as error:
            self._lose(line, in_words(error))
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.out else 0)
        if events != line.events:
            self._selector.modify(line.sock, events, line)
            line.events = events

    def _at_rest(self, stopped: bool) -> bool:
        if self._outcomes or self._waiting or any(not line.idle for line in self._lines):
            return False
        return self._dry or self._failed or stopped

    def _patience(self, now: float) -> float:
        if self._first_news_at is not None:
            return max(0.0, self._first_news_at + self._timeouts.linger - now)
        return 0.0 if self._outcomes else _LOOK_UP_EVERY

    def _gather(self, timeout: float) -> None:
        for key, mask in self._selector.select(timeout):
            if key.data is None:
                self._welcome()
            elif key.data in self._lines:
                self._attend(key.data, mask)

    def _welcome(self) -> None:
        """Take in the sessions that were opened, or learn that there will be none."""
        self._ear.recv(4096)
        while not self._opened.empty():
            found = self._opened.get()
            self._opening -= 1
            if isinstance(found, Session):
                self._add_line(found)
            elif self._lines or self._opening:
                self._most = max(1, len(self._lines))
            else:
                self._fail(found)

    def _add_line(self, session: Session) -> None:
        line = Line(session, self._timeouts, self._outcomes.append, self._monotonic)
        line.events = selectors.EVENT_READ
        self._selector.register(line.sock, line.events, line)
        self._lines.append(line)

    def _fail(self, trouble: Trouble) -> None:
        """No session can be had: the letters that waited for one learn it, the others stay untouched."""
        self._failed = bool(self._waiting)
        while self._waiting:
            letter, _ = self._waiting.popleft()
            self._outcomes.append(trouble.outcome(letter.key))


def _discard(found: Session | Trouble) -> None:
    if isinstance(found, Session):
        found.close()
