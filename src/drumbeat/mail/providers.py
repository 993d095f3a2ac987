"""Mail providers over HTTP: how each takes a letter, and what its answers mean.

From the providers' published documents: Postmark (Email API), Mailgun (messages.mime), SendGrid (v3/mail/send), Amazon
SES (v2, SendEmail) and Resend (POST /emails).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from typing import Any, Final

import msgspec

from drumbeat.domain.delivery import Reply
from drumbeat.mail.aws import signed
from drumbeat.mail.line import Envelope
from drumbeat.mail.session import Provider

TAG: Final = "drumbeat"
_KEPT_BY_PROVIDERS = frozenset(
    {"from", "to", "subject", "date", "mime-version", "content-type", "content-transfer-encoding", "dkim-signature"}
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request: method, path, headers, body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Access:
    """How a mailbox enters its provider: the key, and beside it SES's access key id or Mailgun's sending domain."""

    provider: Provider
    host: str
    username: str | None
    key: str = field(repr=False)
    now: Callable[[], datetime] = field(repr=False)


def sending(access: Access, envelope: Envelope) -> Ask:
    """The request that hands a letter to the provider."""
    return _PROFILES[access.provider].send(access, envelope)


def looking(access: Access) -> Ask:
    """A request that sends nothing, and that tells whether the key is good."""
    return _PROFILES[access.provider].look(access)


def knows_key(provider: Provider, status: int, body: bytes) -> bool:
    """Whether the answer to `looking` tells that the key is good: also one that may do nothing but send."""
    profile = _PROFILES[provider]
    return 200 <= status <= 299 or re.search(profile.known, f"{status} {_text_of(body)}") is not None


def usual_host(provider: Provider) -> str | None:
    """Where a provider is asked unless another host is named; None: that depends on the region."""
    return _PROFILES[provider].host


def repeats_safely(provider: Provider) -> bool:
    """Whether the same request again, within a day, is the same letter: the provider keeps idempotency keys."""
    return _PROFILES[provider].repeats_safely


def read_refusal(provider: Provider, status: int, body: bytes) -> Reply:
    """A refusal in the words of SMTP, which the rest of the product reads."""
    text = _text_of(body)
    for pattern, code, enhanced in (*_PROFILES[provider].refusals, *_USUAL_REFUSALS):
        if re.search(pattern, f"{status} {text}", re.IGNORECASE):
            return Reply.read(code, f"{enhanced} {provider.value} said {status}: {text}".encode())
    return Reply.read(554, f"5.6.0 {provider.value} said {status}: {text}".encode())


def _text_of(body: bytes) -> str:
    return " ".join(body[:2000].decode("utf-8", "replace").split())[:400]


# Pattern over "status text", then the SMTP code that means the same. The first that fits counts.
_USUAL_REFUSALS = (
    (r"^413\b|too large", 552, "5.3.4"),
    (r"quota|credits exceeded|daily (?:message )?limit|monthly limit|sending paused", 550, "5.4.5"),
    (r"^429\b", 421, "4.7.0"),
    (r"^(?:408|425|503)\b", 451, "4.3.0"),
    (r"^40[13]\b", 535, "5.7.8"),
)
# Who may not send as this address: nothing of the mailbox goes until a person acts, as after a refused login.
_SENDER = r"sender identity|not verified|verify (?:a|your) domain|domain.{0,40}not (?:found|verified)"


@dataclass(frozen=True, slots=True)
class _Profile:
    host: str | None
    send: Callable[[Access, Envelope], Ask]
    look: Callable[[Access], Ask]
    known: str = "$^"  # how a refused look tells that the key is good all the same
    refusals: tuple[tuple[str, int, str], ...] = ()
    repeats_safely: bool = False


class _Parts:
    """A finished letter taken apart, for providers that put it together themselves."""

    def __init__(self, envelope: Envelope) -> None:
        message = message_from_bytes(envelope.content, policy=default)
        self.sender, self.recipient = str(message["from"]), str(message["to"])
        self.subject = str(message["subject"] or "")
        self.message_id = str(message["message-id"])
        self.text = _content(message.get_body(("plain",)))
        self.html = _content(message.get_body(("html",)))
        self.headers = {
            name: " ".join(str(value).split())
            for name, value in message.items()
            if name.lower() not in _KEPT_BY_PROVIDERS
        }
        self.attachments = [
            (part.get_filename() or "attachment", part.get_content_type(), part.get_payload(decode=True))
            for part in message.iter_attachments()
        ]

    @property
    def also_named(self) -> dict[str, str]:
        """The headers with the letter's own Message-ID among its references, for providers that put another in its
        place: who answers names both."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "message-id"}
        headers["References"] = f"{headers.get('References', '')} {self.message_id}".strip()
        return headers


def _content(part: Any) -> str | None:
    return None if part is None else str(part.get_content())


def tag_of(message_id: str) -> str:
    """What stands for a Message-ID where providers take letters, digits and hyphens only."""
    return message_id.strip("<>").partition("@")[0].replace(".", "-")


def message_id_of(tag: str) -> str:
    """The Message-ID behind a tag; its domain does not matter to whoever reads it."""
    return f"<{tag.replace('-', '.')}@{TAG}>"


def _base64(content: Any) -> str:
    return base64.b64encode(content or b"").decode()


def _json(path: str, headers: Mapping[str, str], body: Any) -> Ask:
    encoded = msgspec.json.encode(body)
    return Ask("POST", path, {"Content-Type": "application/json", "Accept": "application/json", **headers}, encoded)


def _to_postmark(access: Access, envelope: Envelope) -> Ask:
    parts = _Parts(envelope)
    headers = [{"Name": name, "Value": value} for name, value in parts.headers.items()]
    body = {
        "From": parts.sender,
        "To": parts.recipient,
        "Subject": parts.subject,
        "TextBody": parts.text,
        "HtmlBody": parts.html,
        "Headers": [*headers, {"Name": "X-PM-KeepID", "Value": "true"}],
        "Metadata": {TAG: tag_of(parts.message_id)},
        "TrackOpens": False,
        "TrackLinks": "None",
        "Attachments": [
            {"Name": name, "ContentType": kind, "Content": _base64(content)}
            for name, kind, content in parts.attachments
        ],
    }
    return _json("/email", {"X-Postmark-Server-Token": access.key}, body)


def _look_at_postmark(access: Access) -> Ask:
    return Ask("GET", "/server", {"X-Postmark-Server-Token": access.key, "Accept": "application/json"})


def _to_mailgun(access: Access, envelope: Envelope) -> Ask:
    tag = tag_of(_Parts(envelope).message_id)
    boundary = f"=_{tag}"
    fields = {"to": envelope.recipient, f"v:{TAG}": tag, "o:tracking": "no"}
    written = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    opening = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="message"; filename="message.mime"\r\n'
        "Content-Type: message/rfc822\r\n\r\n"
    )
    body = b"".join([*written, opening.encode(), envelope.content, f"\r\n--{boundary}--\r\n".encode()])
    headers = _basic("api", access.key) | {"Content-Type": f'multipart/form-data; boundary="{boundary}"'}
    return Ask("POST", f"/v3/{access.username}/messages.mime", headers, body)


def _look_at_mailgun(access: Access) -> Ask:
    """A letter without anything in it: a key that may only send may ask nothing else."""
    return Ask("POST", f"/v3/{access.username}/messages", _basic("api", access.key))


def _basic(user: str, key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {_base64(f'{user}:{key}'.encode())}"}


def _to_sendgrid(access: Access, envelope: Envelope) -> Ask:
    parts = _Parts(envelope)
    bodies = [("text/plain", parts.text), ("text/html", parts.html)]
    sender, recipient = (
        message_from_bytes(envelope.content, policy=default)[name].addresses[0] for name in ("from", "to")
    )
    body = {
        "personalizations": [{"to": [_named(recipient)], "custom_args": {TAG: tag_of(parts.message_id)}}],
        "from": _named(sender),
        "subject": parts.subject,
        "content": [{"type": kind, "value": value} for kind, value in bodies if value],
        "headers": parts.headers,
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }
    if parts.attachments:
        body["attachments"] = [
            {"content": _base64(content), "type": kind, "filename": name} for name, kind, content in parts.attachments
        ]
    return _json("/v3/mail/send", _bearer(access), body)


def _named(address: Any) -> dict[str, str]:
    found = {"email": address.addr_spec, "name": address.display_name}
    return {name: value for name, value in found.items() if value}


def _bearer(access: Access) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.key}"}


def _look_at_sendgrid(access: Access) -> Ask:
    return Ask("GET", "/v3/scopes", _bearer(access))


def _to_ses(access: Access, envelope: Envelope) -> Ask:
    parts = _Parts(envelope)
    head, _, rest = envelope.content.partition(b"\r\n\r\n")
    named = f"References: {parts.also_named['References']}".replace("> <", ">\r\n <")
    content = b"\r\n".join([named.encode(), _REFERENCES.sub(b"", head + b"\r\n"), rest])
    body = {
        "Content": {"Raw": {"Data": _base64(content)}},
        "Destination": {"ToAddresses": [envelope.recipient]},
        "FromEmailAddress": envelope.sender,
        "EmailTags": [{"Name": TAG, "Value": tag_of(parts.message_id)}],
    }
    return _signed_by_aws(access, _json("/v2/email/outbound-emails", {}, body))


_REFERENCES = re.compile(rb"^References:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.IGNORECASE | re.MULTILINE)


def _look_at_ses(access: Access) -> Ask:
    return _signed_by_aws(access, Ask("GET", "/v2/email/account", {}))


def _signed_by_aws(access: Access, ask: Ask) -> Ask:
    region = _region_of(access.host)
    headers = signed(
        ask.method,
        ask.path,
        ask.body,
        ask.headers,
        host=access.host,
        region=region,
        api="ses",
        access_key=access.username or "",
        secret_key=access.key,
        now=access.now(),
    )
    return Ask(ask.method, ask.path, headers, ask.body)


def _region_of(host: str) -> str:
    found = re.fullmatch(r"email\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", host)
    return found[1] if found else "us-east-1"


def _to_resend(access: Access, envelope: Envelope) -> Ask:
    parts = _Parts(envelope)
    tag = tag_of(parts.message_id)
    body: dict[str, Any] = {
        "from": parts.sender,
        "to": [parts.recipient],
        "subject": parts.subject,
        "text": parts.text,
        "html": parts.html,
        "headers": parts.also_named,
        "tags": [{"name": TAG, "value": tag}],
    }
    if parts.attachments:
        body["attachments"] = [
            {"filename": name, "content_type": kind, "content": _base64(content)}
            for name, kind, content in parts.attachments
        ]
    kept = {name: value for name, value in body.items() if value is not None}
    return _json("/emails", _bearer(access) | {"Idempotency-Key": tag}, kept)


def _look_at_resend(access: Access) -> Ask:
    return Ask("GET", "/domains", _bearer(access))


_PROFILES: Final[Mapping[Provider, _Profile]] = {
    Provider.POSTMARK: _Profile(
        "api.postmarkapp.com",
        _to_postmark,
        _look_at_postmark,
        refusals=(
            (r'"ErrorCode": ?406\b', 550, "5.1.1"),
            (r'"ErrorCode": ?(?:400|401|411|412)\b', 530, "5.7.0"),
            (r'"ErrorCode": ?405\b', 550, "5.4.5"),
        ),
    ),
    Provider.MAILGUN: _Profile(
        "api.mailgun.net",
        _to_mailgun,
        _look_at_mailgun,
        "^400 ",
        (
            (r"^400 .*\bto\b.{0,20}(?:not a valid|valid address)", 550, "5.1.3"),
            (r"^404 |^40[0-9] .*domain.{0,60}(?:not allowed|not found|disabled|unverified)", 530, "5.7.0"),
        ),
    ),
    Provider.SENDGRID: _Profile(
        "api.sendgrid.com",
        _to_sendgrid,
        _look_at_sendgrid,
        refusals=(
            (r"credits exceeded", 550, "5.4.5"),
            (r"^400 .*personalizations\.0\.to", 550, "5.1.3"),
            (_SENDER, 530, "5.7.0"),
        ),
    ),
    Provider.SES: _Profile(
        None,
        _to_ses,
        _look_at_ses,
        "not authorized to perform",
        (
            (r"daily message quota|LimitExceeded|SendingPaused|AccountSuspended", 550, "5.4.5"),
            (r"MailFromDomainNotVerified|not verified", 530, "5.7.0"),
        ),
    ),
    Provider.RESEND: _Profile(
        "api.resend.com",
        _to_resend,
        _look_at_resend,
        "restricted_api_key",
        (
            (r"(?:daily|monthly)_quota_exceeded", 550, "5.4.5"),
            (r"^422 .*`to`", 550, "5.1.3"),
            (r"not verified", 530, "5.7.0"),
        ),
        repeats_safely=True,
    ),
}
