"""Carrying a mailbox's letters to a provider over HTTP, with the point of no return before each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from typing import Final

import httpx2
import msgspec

from drumbeat.clock import host_now
from drumbeat.domain.delivery import Outcome, Reply, Stage
from drumbeat.domain.errors import Unavailable
from drumbeat.mail.parse import LARGEST
from drumbeat.mail.providers import Access, Ask, knows_key, looking, read_refusal, repeats_safely, sending
from drumbeat.mail.session import Checkup, Security, Server, in_words, is_loopback
from drumbeat.mail.smtp import Commit, Envelope, Take

_TIMEOUT: Final = httpx2.Timeout(20.0, connect=10.0)  # seconds; a lease is 30 and renewed
_KEPT_OPEN: Final = 3.0  # seconds: a connection the provider closes meanwhile would leave a letter in doubt
_LONGEST_ANSWER: Final = 30.0  # seconds from its first byte on
_LARGEST_ANSWER: Final = 64 * 1024
_TRIES: Final = 3  # of the same request, where the provider knows it again
_NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_UNTAKEN = frozenset({503})  # the server says itself that it handled nothing


class Courier:
    """What a `Post` is for SMTP: hands letters to a provider, as many at once as the mailbox has connections.

    A letter has no conversation before its request, so all of it stands behind the point of no return: without an
    answer nobody can tell whether the provider took it, unless the provider knows the request again.
    """

    def __init__(self, server: Server, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._access = _access(server)
        self._most = server.connections
        self._sleep = sleep
        self._outcomes: list[Outcome] = []
        self._client = _client(server)

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
        """Carry what `take` gives until it is empty or `stopping`; what a failed commit left is settled next time.

        Who stops waits for the answers to what was asked, whatever the `grace`: they end by themselves.
        """
        with ThreadPoolExecutor(self._most, thread_name_prefix="courier") as pool:
            while True:
                letters = [] if stopping() else list(take(self._most))
                if not letters and not self._outcomes:
                    return
                passed = self._settle(commit, letters)
                waiting = [pool.submit(self._carry, letter) for letter in letters if letter.key in passed]
                pending = set(waiting)
                while pending:
                    _, pending = wait(pending, timeout=heartbeat_every)
                    if pending:
                        with suppress(Unavailable):  # the answers are waited for all the same
                            heartbeat()
                self._outcomes += [each.result() for each in waiting]

    def _settle(self, commit: Commit, letters: Sequence[Envelope]) -> frozenset[object]:
        try:
            passed = frozenset(commit(self._outcomes, [letter.key for letter in letters]))
        except BaseException:
            words = "not sent: the database was away"
            self._outcomes += [Outcome(letter.key, Stage.DATA, None, words) for letter in letters]
            raise
        self._outcomes = []
        return passed

    def _carry(self, letter: Envelope) -> Outcome:
        try:
            ask = sending(self._access, letter)
        except Exception as error:
            return Outcome(letter.key, Stage.DOT, Reply(554, "5.6.0", f"cannot be written for the provider: {error}"))
        tries = _TRIES if repeats_safely(self._access.provider) else 1
        for attempt in range(1, tries + 1):
            outcome = self._tried(letter, ask)
            if attempt == tries or outcome.stage is not Stage.DOT or outcome.reply is not None:
                break
            self._sleep(attempt)
        return outcome

    def _tried(self, letter: Envelope, ask: Ask) -> Outcome:
        provider = self._access.provider
        try:
            status, body = _said(self._client, ask)
        except _NEVER_LEFT as error:
            return Outcome(letter.key, Stage.CONNECT, None, f"{provider.value}: {_words(error)}")
        except (httpx2.HTTPError, OSError) as error:
            return Outcome(letter.key, Stage.DOT, None, f"{provider.value}: {_words(error)}")
        if 200 <= status <= 299:
            told = " ".join(body[:300].decode("utf-8", "replace").split())
            return Outcome(letter.key, Stage.DOT, Reply.read(250, f"2.0.0 {provider.value} took it {told}".encode()))
        is_answered = 400 <= status <= 499 or status in _UNTAKEN
        if not is_answered or _is_at_work(status, body):
            return Outcome(letter.key, Stage.DOT, None, f"{provider.value} said {status}, which does not tell")
        return Outcome(letter.key, Stage.DOT, read_refusal(provider, status, body))

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def check_provider(server: Server) -> Checkup:
    """Whether the provider answers and knows the key; nothing is sent."""
    access = _access(server)
    try:
        with _client(server) as client:
            status, body = _said(client, looking(access))
    except (httpx2.HTTPError, OSError) as error:
        return Checkup(Stage.CONNECT, Outcome(server.host, Stage.CONNECT, None, _words(error)))
    if knows_key(access.provider, status, body):
        return Checkup(Stage.MAIL, None)
    reply = read_refusal(access.provider, status, body)
    return Checkup(Stage.AUTH, Outcome(server.host, Stage.AUTH if status < 500 else Stage.CONNECT, reply))


class _Raw(msgspec.Struct):
    download_url: str


class _Kept(msgspec.Struct):
    raw: _Raw


def fetch_received(server: Server, id: str) -> bytes:
    """The beginning of a raw message that Resend received and keeps under an id; OSError if it cannot be had now.

    Resend names a signed address of another host, which is asked without the key.
    """
    try:
        with _client(server) as client:
            status, body = _said(client, replace(looking(_access(server)), path=f"/emails/receiving/{id}"))
            if status != httpx2.codes.OK:
                raise OSError(f"resend said {status} to where the message is")
            address = msgspec.json.decode(body, type=_Kept).raw.download_url
            if not address.startswith("https://") and not is_loopback(server.host):
                raise OSError("resend named no safe address for the message")
            status, raw = _said(client, Ask("GET", address, {}), most=LARGEST)
    except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.DecodeError) as error:
        raise OSError(f"resend: {_words(error)}") from error
    if status != httpx2.codes.OK:
        raise OSError(f"resend said {status} instead of the message")
    return raw


def _access(server: Server) -> Access:
    assert server.provider is not None
    return Access(server.provider, server.host, server.username, server.password or "", host_now)


def _client(server: Server) -> httpx2.Client:
    scheme = "http" if server.security is Security.NONE else "https"
    return httpx2.Client(
        base_url=f"{scheme}://{server.host}:{server.port}",
        timeout=_TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "drumbeat"},
        verify=True if server.cafile is None else server.cafile,
        limits=httpx2.Limits(max_connections=server.connections, keepalive_expiry=_KEPT_OPEN),
    )


def _said(client: httpx2.Client, ask: Ask, *, most: int = _LARGEST_ANSWER) -> tuple[int, bytes]:
    """The answer's status and the beginning of its body."""
    with client.stream(ask.method, ask.path, content=ask.body, headers=dict(ask.headers)) as answer:
        body, ends = b"", time.monotonic() + _LONGEST_ANSWER
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) >= most or time.monotonic() > ends:
                break
        return answer.status_code, body


def _is_at_work(status: int, body: bytes) -> bool:
    """Whether an earlier request of the same letter is still being worked on."""
    return status == httpx2.codes.CONFLICT and b"concurrent_idempotent_requests" in body


def _words(error: Exception) -> str:
    return str(error) or in_words(error)
