"""Where letters leave by, whichever way a mailbox sends: SMTP, or a provider over HTTP."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from drumbeat.domain.delivery import Outcome
from drumbeat.mail import session
from drumbeat.mail.courier import Courier, check_provider
from drumbeat.mail.session import Checkup, Server
from drumbeat.mail.smtp import Envelope, Post


def post_of(server: Server) -> Post | Courier:
    """What carries letters to a mailbox's server."""
    return Post(server) if server.provider is None else Courier(server)


def check(server: Server) -> Checkup:
    """Try to enter a mailbox's server as sending would; no letter is sent."""
    return session.check(server) if server.provider is None else check_provider(server)


def carry_one(post: Post | Courier, envelope: Envelope) -> Outcome:
    """Give one letter to the server; its outcome says whether it was taken."""
    waiting = [envelope]
    outcomes: list[Outcome] = []

    def take(count: int) -> list[Envelope]:
        taken, waiting[:] = waiting[:], []
        return taken

    def settle(settled: Sequence[Outcome], ready: Sequence[Hashable]) -> Collection[Hashable]:
        outcomes.extend(settled)
        return ready

    try:
        post.deliver(take, settle)
    finally:
        post.close()
    return outcomes[0]
