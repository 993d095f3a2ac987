"""A mailbox as its page shows it: what it does in plain words, and its forms, which never hold a secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from litestar import Response

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.errors import IncorrectValue
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit
from drumbeat.http.wording import REASONS
from drumbeat.mail.session import Provider, Security
from drumbeat.operations.mailboxes import LONGEST_SPACING, MOST_LETTERS
from drumbeat.store import accounts, inboxes
from drumbeat.store.inboxes import Inbox
from drumbeat.store.mailboxes import StoredMailbox

PAGE: Final = "/settings/mailboxes"
LONGEST_PASSWORD: Final = 255
MOST_CONNECTIONS: Final = 50
PROVIDERS: Final = (
    (Provider.POSTMARK.value, "Postmark"),
    (Provider.MAILGUN.value, "Mailgun"),
    (Provider.SENDGRID.value, "SendGrid"),
    (Provider.SES.value, "Amazon SES"),
    (Provider.RESEND.value, "Resend"),
)
SECURITIES: Final = (
    (Security.STARTTLS.value, "STARTTLS, mostly port 587"),
    (Security.TLS.value, "TLS, mostly port 465"),
    (Security.NONE.value, "None, without a login only"),
)
INBOX_SECURITIES: Final = (
    (Security.TLS.value, "TLS, mostly port 993"),
    (Security.STARTTLS.value, "STARTTLS, mostly port 143"),
)
_HELD: Final[dict[str, str]] = {
    FailureReason.AUTH: "The mail server refuses the login.",
    FailureReason.SENDOUT_LIMITED: "The mail server's own limit is reached.",
    FailureReason.SENDOUT_DISABLED: "Receivers do not find the sender as they want it.",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How something stands: a word with its badge, a sentence, what a server said, and an instant that matters."""

    word: str
    badge: str
    sentence: str
    said: str = ""
    instant_words: str = ""
    instant: datetime | None = None


def sending_of(mailbox: StoredMailbox, now: datetime) -> Standing:
    """Whether letters leave through a mailbox, and why not."""
    said, until = mailbox.hold_detail or "", mailbox.held_until
    if not mailbox.is_active:
        return Standing("Switched off", "badge-neutral", "Nothing leaves through it until it is switched on.")
    if mailbox.hold_reason is not None:
        sentence = _HELD.get(mailbox.hold_reason) or f"{REASONS.get(mailbox.hold_reason, mailbox.hold_reason)}."
        return Standing("Held", "badge-error", sentence, said, "Tested again by itself", until)
    later = until if until is not None and until > now else None
    if mailbox.is_unproven:
        sentence = "It sends once its sender was looked up and found as receivers want it."
        return Standing("Waits", "badge-warning", sentence, said, "Looked up again", later)
    if later is not None:
        sentence = "Its mail server could not be reached; letters wait."
        return Standing("Waits", "badge-warning", sentence, said, "Tried again by itself", later)
    if mailbox.is_catcher:
        return Standing("Sends", "badge-success", "It is the built-in catcher: letters are kept here, none leaves.")
    return Standing("Sends", "badge-success", "Letters leave through it.")


def hearing_of(mailbox: StoredMailbox, inbox: Inbox | None) -> Standing:
    """Whether what comes back to a mailbox is read, and why not."""
    if mailbox.is_catcher:
        return Standing("Hears nothing", "badge-neutral", "Nothing comes back to the built-in catcher.")
    if inbox is None:
        sentence = "Replies and bounces are not noticed, so sequences go on after them."
        return Standing("Hears nothing", "badge-warning", sentence)
    if inbox.trouble is not None:
        sentence = "What comes back cannot be read."
        return Standing("Trouble", "badge-error", sentence, inbox.trouble, "Tried again by itself", inbox.look_at)
    if inbox.heard_at is None:
        return Standing("Hears", "badge-success", "Replies and bounces are read from now on.")
    return Standing("Hears", "badge-success", "Replies and bounces are read.", "", "Last read", inbox.heard_at)


def mailbox_page(
    visit: Visit,
    mailbox: StoredMailbox,
    status: int = 200,
    *,
    settings: Form | None = None,
    limits: Form | None = None,
    inbox_form: Form | None = None,
) -> Response[bytes]:
    """The page of a mailbox; a form that is not given is filled in as things stand."""
    inbox = inboxes.find(visit.snapshot, visit.account_id, mailbox.id)
    users = accounts.list_users(visit.snapshot, visit.account_id)
    return visit.page(
        "settings/mailbox.html",
        status,
        mailbox=mailbox,
        inbox=inbox,
        sending=sending_of(mailbox, visit.snapshot.now),
        hearing=hearing_of(mailbox, inbox),
        senders=[user for user in users if user.mailbox_id == mailbox.id],
        provider_name=dict(PROVIDERS).get(mailbox.provider or "", ""),
        settings=settings or _settings_form(mailbox),
        limits=limits or _limits_form(mailbox),
        inbox_form=inbox_form or _inbox_form(inbox),
        securities=SECURITIES,
        inbox_securities=INBOX_SECURITIES,
        most_connections=MOST_CONNECTIONS,
        most_letters=MOST_LETTERS,
        longest_spacing=LONGEST_SPACING,
    )


def _settings_form(mailbox: StoredMailbox) -> Form:
    return Form.of(
        name=mailbox.name,
        sender_name=mailbox.sender_name,
        sender_email=mailbox.sender_email,
        host=mailbox.host,
        port=mailbox.port,
        security=mailbox.security,
        username=mailbox.username,
        password=None,
        connections=mailbox.connections,
        needs_identity=mailbox.needs_identity,
    )


def _limits_form(mailbox: StoredMailbox) -> Form:
    return Form.of(
        per_day=mailbox.per_day,
        per_hour=mailbox.per_hour,
        spacing=mailbox.spacing,
        ramp_from=mailbox.ramp_from,
        per_domain=mailbox.per_domain,
    )


def _inbox_form(inbox: Inbox | None) -> Form:
    if inbox is None:
        return Form.of(host=None, port=993, security=Security.TLS.value, username=None, password=None)
    return Form.of(host=inbox.host, port=inbox.port, security=inbox.security, username=inbox.username, password=None)


def page_again(sent: Sent, number: int, *, status: int = 422, **forms: Form) -> Response[bytes]:
    """The page of a mailbox once more, with a form that complains as `mailbox_page` takes it."""
    with sent.again() as visit:
        return mailbox_page(visit, standing_mailbox(visit.snapshot, sent.member, number), status, **forms)


def password_in(form: Form) -> str | None:
    """The password that was sent, as it was written; None where the field was left blank."""
    password = form.raw("password")
    if len(password) > LONGEST_PASSWORD:
        raise IncorrectValue(f"Write at most {LONGEST_PASSWORD} characters.", field="password")
    return password or None
