"""Where letters leave by, whichever way a mailbox sends: SMTP, or a provider over HTTP."""

from __future__ import annotations

from drumbeat.mail import session
from drumbeat.mail.courier import Courier, check_provider
from drumbeat.mail.session import Checkup, Server
from drumbeat.mail.smtp import Post


def post_of(server: Server) -> Post | Courier:
    """What carries letters to a mailbox's server."""
    return Post(server) if server.provider is None else Courier(server)


def check(server: Server) -> Checkup:
    """Try to enter a mailbox's server as sending would; no letter is sent."""
    return session.check(server) if server.provider is None else check_provider(server)
