"""Event webhooks of mail providers: what each says, in one vocabulary.

From the providers' published documents: Postmark (webhooks), Mailgun (event-data), SendGrid (Event Webhook), Amazon SES
(event publishing and notifications over SNS) and Resend (webhooks). Who told them is checked elsewhere, before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from drumbeat.domain.line import one_line
from drumbeat.domain.told import Told, ToldKind
from drumbeat.mail.providers import TAG, message_id_of
from drumbeat.mail.session import Provider

_LONGEST = 500
_MOST_EVENTS = 10_000


def read_events(provider: Provider, body: bytes, request_id: str) -> list[Told]:
    """The events in a webhook's body, or ValueError if it is no JSON; `request_id` names those without an id."""
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("This is not JSON.") from error
    several = sent if isinstance(sent, list) else [sent]
    return [_READERS[provider](_Said(each), request_id) for each in several[:_MOST_EVENTS]]


class _Said:
    """A JSON value that may be anything; what is not there is an empty text."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def at(self, *path: str | int) -> _Said:
        """What stands at the end of a path."""
        value = self.value
        for step in path:
            known = (isinstance(value, dict) and step in value) or (
                isinstance(value, list) and isinstance(step, int) and step < len(value)
            )
            value = value[step] if known else None
        return _Said(value)

    def text(self, *path: str | int) -> str:
        """The text or number there, in one line."""
        value = self.at(*path).value
        is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        return one_line(str(value))[:_LONGEST] if is_plain else ""


def _told(
    kind: ToldKind, id: str, tag: str, recipient: str, words: Iterable[str], permanent: bool | None = None
) -> Told:
    why = ": ".join(filter(None, words))
    is_bounce = kind is ToldKind.BOUNCED
    return Told(kind, id, message_id_of(tag) if tag else None, recipient or None, why, permanent if is_bounce else None)


_DEAD_AT_POSTMARK: Final = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated"})
_PASSING_AT_POSTMARK: Final = frozenset(
    {"Transient", "SoftBounce", "DnsError", "Blocked", "SpamNotification", "Unknown"}
)


def _read_postmark(said: _Said, request_id: str) -> Told:
    kind, permanent, sort = ToldKind.OTHER, None, said.text("Type")
    match said.text("RecordType"):
        case "Delivery":
            kind = ToldKind.DELIVERED
        case "SpamComplaint":
            kind = ToldKind.COMPLAINED
        case "Bounce" if sort == "SpamComplaint":
            kind = ToldKind.COMPLAINED
        case "Bounce" if sort in _DEAD_AT_POSTMARK | _PASSING_AT_POSTMARK:
            kind, permanent = ToldKind.BOUNCED, sort in _DEAD_AT_POSTMARK
        case "SubscriptionChange" if said.at("SuppressSending").value is True and said.text("Origin") == "Recipient":
            is_asked = said.text("SuppressionReason") == "ManualSuppression"
            kind = ToldKind.UNSUBSCRIBED if is_asked else ToldKind.OTHER
    id = said.text("ID") or f"{said.text('MessageID')}/{said.text('RecordType')}"
    recipient = said.text("Email") or said.text("Recipient")
    words = (f"Postmark tells of a {sort or said.text('RecordType')}", said.text("Details") or said.text("Description"))
    return _told(kind, id if id != "/" else request_id, said.text("Metadata", TAG), recipient, words, permanent)


def _read_mailgun(said: _Said, request_id: str) -> Told:
    event = said.at("event-data")
    kind, permanent = ToldKind.OTHER, None
    match event.text("event"), event.text("severity"):
        case "delivered", _:
            kind = ToldKind.DELIVERED
        case "failed", "temporary":
            kind = ToldKind.DEFERRED
        case "failed" | "rejected", _:
            # What it suppresses itself, because of an earlier complaint or unsubscription, says nothing of the address.
            kind = ToldKind.BOUNCED
            permanent = event.text("reason") in ("bounce", "suppress-bounce")
        case "complained", _:
            kind = ToldKind.COMPLAINED
        case "unsubscribed", _:
            kind = ToldKind.UNSUBSCRIBED
    status = event.at("delivery-status")
    words = (
        f"Mailgun tells of a letter {event.text('event')}",
        event.text("reason"),
        status.text("message") or status.text("description"),
    )
    tag = event.text("user-variables", TAG)
    return _told(kind, event.text("id") or request_id, tag, event.text("recipient"), words, permanent)


_DEAD_AT_SENDGRID: Final = ("bounced address", "invalid")


def _read_sendgrid(said: _Said, request_id: str) -> Told:
    kind, permanent = ToldKind.OTHER, None
    match said.text("event"):
        case "delivered":
            kind = ToldKind.DELIVERED
        case "deferred":
            kind = ToldKind.DEFERRED
        case "bounce":
            kind = ToldKind.BOUNCED
            permanent = said.text("type") != "blocked" and not said.text("status").startswith("4")
        case "dropped":
            kind, permanent = ToldKind.BOUNCED, said.text("reason").lower().startswith(_DEAD_AT_SENDGRID)
        case "spamreport":
            kind = ToldKind.COMPLAINED
        case "unsubscribe" | "group_unsubscribe":
            kind = ToldKind.UNSUBSCRIBED
    words = (f"SendGrid tells of a letter: {said.text('event')}", said.text("status"), said.text("reason"))
    return _told(kind, said.text("sg_event_id") or request_id, said.text(TAG), said.text("email"), words, permanent)


def _read_ses(said: _Said, request_id: str) -> Told:
    """The message in an SNS notification, which is JSON in a text."""
    try:
        event = _Said(msgspec.json.decode(str(said.at("Message").value)))
    except (msgspec.DecodeError, RecursionError):
        event = _Said(None)
    kind, permanent, detail = ToldKind.OTHER, None, _Said(None)
    match event.text("eventType") or event.text("notificationType"):
        case "Delivery":
            kind = ToldKind.DELIVERED
        case "DeliveryDelay":
            kind = ToldKind.DEFERRED
        case "Bounce":
            detail = event.at("bounce", "bouncedRecipients", 0)
            kind, permanent = ToldKind.BOUNCED, event.text("bounce", "bounceType") == "Permanent"
        case "Reject":
            kind, permanent = ToldKind.BOUNCED, False
        case "Complaint" if event.text("complaint", "complaintFeedbackType") != "not-spam":
            detail, kind = event.at("complaint", "complainedRecipients", 0), ToldKind.COMPLAINED
        case "Subscription":
            kind = ToldKind.UNSUBSCRIBED
    recipient = detail.text("emailAddress") or event.text("mail", "destination", 0)
    what = f"SES tells of a {event.text('eventType') or event.text('notificationType')}"
    words = (what, event.text("bounce", "bounceSubType"), detail.text("diagnosticCode"))
    tag = event.text("mail", "tags", TAG, 0)
    return _told(kind, said.text("MessageId") or request_id, tag, recipient, words, permanent)


def _read_resend(said: _Said, request_id: str) -> Told:
    kind, permanent, letter = ToldKind.OTHER, None, said.at("data")
    match said.text("type"):
        case "email.delivered":
            kind = ToldKind.DELIVERED
        case "email.delivery_delayed":
            kind = ToldKind.DEFERRED
        case "email.bounced":
            kind, permanent = ToldKind.BOUNCED, letter.text("bounce", "type") == "Permanent"
        case "email.suppressed" | "email.failed":
            kind, permanent = ToldKind.BOUNCED, False
        case "email.complained":
            kind = ToldKind.COMPLAINED
    tags = letter.at("tags").value
    named = {each.get("name"): each for each in tags if isinstance(each, dict)} if isinstance(tags, list) else {}
    tag = _Said(named).text(TAG, "value") or letter.text("tags", TAG)
    words = (f"Resend tells of {said.text('type')}", letter.text("bounce", "subType"), letter.text("bounce", "message"))
    return _told(kind, request_id, tag, letter.text("to", 0) or letter.text("to"), words, permanent)


_READERS: Final[Mapping[Provider, Callable[[_Said, str], Told]]] = {
    Provider.POSTMARK: _read_postmark,
    Provider.MAILGUN: _read_mailgun,
    Provider.SENDGRID: _read_sendgrid,
    Provider.SES: _read_ses,
    Provider.RESEND: _read_resend,
}
