"""The pre-flight of a mailbox: it is entered as sending and reading would, and its sender looked up as receivers do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import MasterKeyWrong
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.parts import AnyRequest
from drumbeat.http.reading import read_id
from drumbeat.http.web.frame import opened, posted
from drumbeat.http.web.settings.mailbox_page import PAGE, sending_of
from drumbeat.mail.identity import Finding, Verdict
from drumbeat.mail.outgoing import check
from drumbeat.operations.holds import examine_sender
from drumbeat.operations.inboxes import trouble_of_inbox
from drumbeat.operations.mailboxes import server_of
from drumbeat.store import inboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.wiring import World

_VERDICTS: Final = {
    Verdict.FINE: ("Fine", "badge-success"),
    Verdict.DOUBTFUL: ("Look at it", "badge-warning"),
    Verdict.WRONG: ("Wrong", "badge-error"),
    Verdict.UNKNOWN: ("Not known", "badge-neutral"),
}
# By the stage at which a session failed: what that means, and the fix.
_FAILED: Final = {
    "connect": ("cannot be reached", "Check the server's name and port, and that no firewall is in the way."),
    "tls": ("did not agree on encryption", "Choose the other kind of encryption, or ask who runs the server."),
    "auth": ("refuses the login", "Correct the user name and the password; some want one made for apps alone."),
    "mail": ("lets nothing through", "Read what it said, and ask who runs the server."),
    "read": ("does not let its messages be read", "Read what it said, and ask who runs the server."),
}
_UNOPENED: Final = "Write the password anew in the mailbox's settings, or bring the master key back."
_PLAIN: Final = {
    "SPF": "SPF: which servers may send for the sender's domain",
    "DKIM": "DKIM: the key that letters are signed with",
    "DMARC": "DMARC: what receivers do with letters that only pretend",
    "mail that comes back": "Whether the sender's domain takes mail",
    "PTR": "PTR: whether the server's address leads back to its name",
    "TLS": "TLS: whether letters leave encrypted",
}


@post(f"{PAGE}/{{id:str}}/test", status_code=200, sync_to_thread=True, opt=opened(Role.ADMIN))
def show_preflight(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """A checklist of what was looked at just now, with the fix for what is not fine; no letter is sent or read."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "mailbox")
    with sent.again() as visit:
        mailbox = standing_mailbox(visit.snapshot, sent.member, number)
        inbox = inboxes.find(visit.snapshot, sent.account_id, mailbox.id)
    found = _look(sent.world, mailbox, inbox)
    with sent.again() as visit:
        mailbox = standing_mailbox(visit.snapshot, sent.member, number)
        return visit.page(
            "settings/preflight.html",
            mailbox=mailbox,
            sending=sending_of(mailbox, visit.snapshot.now),
            findings=found,
            verdicts=_VERDICTS,
            subjects=_PLAIN,
            wrong=sum(each.verdict is Verdict.WRONG for each in found),
            unsure=sum(each.verdict in (Verdict.DOUBTFUL, Verdict.UNKNOWN) for each in found),
        )


def _look(world: World, mailbox: StoredMailbox, inbox: Inbox | None) -> list[Finding]:
    """Everything at the same time: each may keep one waiting for half a minute."""
    with ThreadPoolExecutor(3, thread_name_prefix="pre-flight") as pool:
        sending = pool.submit(_sending, world, mailbox)
        hearing = pool.submit(_hearing, world, mailbox, inbox)
        identity = pool.submit(examine_sender, mailbox, world.resolver)
        return [sending.result(), hearing.result(), *identity.result()]


def _sending(world: World, mailbox: StoredMailbox) -> Finding:
    token = world.tokens.source(mailbox)
    trouble = _tried(lambda: check(server_of(world.vault, mailbox, token)).trouble)
    if trouble is not None:
        return _failed("Sending", f"{mailbox.host}, port {mailbox.port},", trouble)
    entered = "lets Drumbeat in" if mailbox.username or mailbox.provider else "answers"
    return Finding("Sending", Verdict.FINE, f"{mailbox.host} {entered}, and is ready to take letters.")


def _hearing(world: World, mailbox: StoredMailbox, inbox: Inbox | None) -> Finding:
    if mailbox.is_catcher:
        return Finding("Reading", Verdict.FINE, "Nothing comes back to the built-in catcher, so nothing is read.")
    if inbox is None:
        sentence = "Nobody reads what comes back, so replies and bounces are not noticed."
        return Finding("Reading", Verdict.DOUBTFUL, sentence, "Fill in the incoming mail server on the mailbox's page.")
    token = world.tokens.source(mailbox)
    trouble = _tried(lambda: trouble_of_inbox(world.vault, mailbox, inbox, token))
    if trouble is not None:
        return _failed("Reading", f"{inbox.host}, port {inbox.port},", trouble)
    return Finding("Reading", Verdict.FINE, f"{inbox.host} lets Drumbeat read what comes back.")


def _tried(session: Callable[[], str | None]) -> str | None:
    try:
        return session()
    except MasterKeyWrong as error:
        return str(error)


def _failed(subject: str, server: str, trouble: str) -> Finding:
    """What a trial session's trouble means; it is told as `stage: what the server said`."""
    stage, _, said = trouble.partition(": ")
    if stage not in _FAILED:
        return Finding(subject, Verdict.WRONG, trouble, _UNOPENED)
    words, fix = _FAILED[stage]
    return Finding(subject, Verdict.WRONG, f"{server} {words}: {said}", fix)


handlers = [show_preflight]
