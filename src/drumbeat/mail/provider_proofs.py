"""Whether an event webhook comes from the provider it says: each proves it in its own way."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Any, Final

import httpx2
import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from drumbeat.domain.errors import IncorrectValue
from drumbeat.mail.provider_mail import read_form
from drumbeat.mail.session import Provider

HOOK_USER: Final = "drumbeat"
_FRESH: Final = timedelta(minutes=5)
# What is told again hours later may carry the signature of the first time; every event has its effect once anyhow.
_TOLD_AGAIN: Final = timedelta(days=2)
_LONGEST_ID: Final = 200
_SNS = r"https://sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE: Final = re.compile(rf"{_SNS}/SimpleNotificationService-[0-9A-Za-z]{{1,100}}\.pem")
_CONFIRMATION: Final = re.compile(rf"{_SNS}/\?Action=ConfirmSubscription&[!-~]{{1,1000}}")
# Whatever a stranger's request may hold instead of a proof, and what may keep Amazon's certificate from us.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    InvalidSignature,
    OSError,
    httpx2.HTTPError,
)
_LARGEST_FETCHED: Final = 64 * 1024

Fetch = Callable[[str], bytes]


def check_hook_secret(provider: Provider, secret: str) -> str:
    """The secret that a provider proves itself with, if it can be one; IncorrectValue says which is meant."""
    try:
        match provider:
            case Provider.SENDGRID:
                _keys_of(secret)
            case Provider.RESEND:
                _whsec(secret)
            case Provider.SES:
                if not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}", secret):
                    raise ValueError
            case _:
                if not 16 <= len(secret) <= 255 or not secret.isascii() or not secret.isprintable():
                    raise ValueError
    except (ValueError, binascii.Error):
        raise IncorrectValue(_MEANT[provider], field="secret") from None
    return secret


_MEANT: Final[Mapping[Provider, str]] = {
    Provider.POSTMARK: "It is a password of your own, of 16 characters at least; without one it is made.",
    Provider.MAILGUN: "It is the HTTP webhook signing key that Mailgun shows.",
    Provider.SENDGRID: (
        "It is the verification key (a public key in base64) that SendGrid shows for its Event Webhook, and behind a"
        " space that of its Inbound Parse policy, if it brings received mail."
    ),
    Provider.SES: "It is the ARN of the SNS topic that SES publishes to: arn:aws:sns:eu-west-1:123456789012:mail.",
    Provider.RESEND: "It is the signing secret that Resend shows for the webhook; it begins with whsec_.",
}


def proven_request(
    provider: Provider, secret: str, headers: Mapping[str, str], body: bytes, now: datetime, fetch: Fetch
) -> str | None:
    """An id of the request if the provider proves that it made it, else None; names in `headers` are lower case."""
    try:
        return _PROOFS[provider](secret, headers, body, now, fetch)
    except _UNREADABLE:
        return None


def _postmark(secret: str, headers: Mapping[str, str], body: bytes, now: datetime, fetch: Fetch) -> str | None:
    """It signs nothing: the password that its webhook was given stands in every request."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    wanted = base64.b64encode(f"{HOOK_USER}:{secret}".encode())
    is_it = kind.lower() == "basic" and compare_digest(given.strip().encode(), wanted)
    return sha256(body).hexdigest() if is_it else None


def _mailgun(secret: str, headers: Mapping[str, str], body: bytes, now: datetime, fetch: Fetch) -> str | None:
    """Events are JSON and carry the proof within, received messages are forms and carry it as fields."""
    kind = headers.get("content-type", "")
    if "form" in kind:
        fields = read_form(kind, body, "timestamp", "token", "signature", longest=_LONGEST_ID)
        given = {name: value.decode() for name, value in fields.items()}
    else:
        given = msgspec.json.decode(body)["signature"]
    timestamp, token = str(given["timestamp"]), str(given["token"])
    wanted = digest(secret.encode(), f"{timestamp}{token}".encode(), "sha256").hex()
    is_it = compare_digest(str(given["signature"]).encode(), wanted.encode()) and _is_within(
        _TOLD_AGAIN, timestamp, now
    )
    return token[:_LONGEST_ID] if is_it else None


def _sendgrid(secret: str, headers: Mapping[str, str], body: bytes, now: datetime, fetch: Fetch) -> str | None:
    timestamp = headers["x-twilio-email-event-webhook-timestamp"]
    signature = base64.b64decode(headers["x-twilio-email-event-webhook-signature"], validate=True)
    is_it = any(_is_signed(key, signature, timestamp.encode() + body) for key in _keys_of(secret))
    return sha256(body).hexdigest() if is_it and _is_within(_TOLD_AGAIN, timestamp, now) else None


def _is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _keys_of(secret: str) -> list[ec.EllipticCurvePublicKey]:
    """Its Event Webhook and its Inbound Parse have a key each."""
    keys = [serialization.load_der_public_key(base64.b64decode(each, validate=True)) for each in secret.split()]
    found = [key for key in keys if isinstance(key, ec.EllipticCurvePublicKey)]
    if not found or len(found) < len(keys):
        raise ValueError("another kind of key")
    return found


def _resend(secret: str, headers: Mapping[str, str], body: bytes, now: datetime, fetch: Fetch) -> str | None:
    """As Standard Webhooks says; during a rotation it sends several signatures."""
    id, timestamp = headers["svix-id"], headers["svix-timestamp"]
    signed = f"{id}.{timestamp}.".encode() + body
    wanted = b"v1," + base64.b64encode(digest(_whsec(secret), signed, "sha256"))
    given = [each.encode() for each in headers["svix-signature"].split()]
    is_it = any(compare_digest(each, wanted) for each in given) and _is_within(_FRESH, timestamp, now)
    return id[:_LONGEST_ID] if is_it else None


def _whsec(secret: str) -> bytes:
    kind, _, rest = secret.partition("_")
    if kind != "whsec" or not rest:
        raise ValueError("not a signing secret")
    return base64.b64decode(rest, validate=True)


def _ses(secret: str, headers: Mapping[str, str], body: bytes, now: datetime, fetch: Fetch) -> str | None:
    """Amazon signs with a certificate of its own, which it names; the topic must be the one that was set."""
    said: dict[str, Any] = msgspec.json.decode(body)
    if said["TopicArn"] != secret or not _CERTIFICATE.fullmatch(said["SigningCertURL"]):
        return None
    names = _NOTIFIED if said["Type"] == "Notification" else _CONFIRMED
    signed = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
    algorithm = hashes.SHA256() if said.get("SignatureVersion") == "2" else hashes.SHA1()  # noqa: S303 - Amazon's choice
    key = x509.load_pem_x509_certificate(_kept(fetch, said["SigningCertURL"])).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    key.verify(base64.b64decode(said["Signature"], validate=True), signed.encode(), padding.PKCS1v15(), algorithm)
    if said["Type"] == "SubscriptionConfirmation" and _CONFIRMATION.fullmatch(said["SubscribeURL"]):
        fetch(said["SubscribeURL"])
    return str(said["MessageId"])[:_LONGEST_ID]


_NOTIFIED: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMED: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@lru_cache(maxsize=64)
def _kept(fetch: Fetch, url: str) -> bytes:
    return fetch(url)


def fetch_from_amazon(url: str) -> bytes:
    """What stands at an address of Amazon's; OSError if that is nothing."""
    answer = httpx2.get(url, timeout=10.0, trust_env=False, follow_redirects=False)
    if answer.status_code != httpx2.codes.OK or len(answer.content) > _LARGEST_FETCHED:
        raise OSError(f"Amazon said {answer.status_code}")
    return answer.content


def _is_within(pause: timedelta, timestamp: str, now: datetime) -> bool:
    return abs(now.timestamp() - int(timestamp)) <= pause.total_seconds()


_PROOFS: Final[Mapping[Provider, Callable[[str, Mapping[str, str], bytes, datetime, Fetch], str | None]]] = {
    Provider.POSTMARK: _postmark,
    Provider.MAILGUN: _mailgun,
    Provider.SENDGRID: _sendgrid,
    Provider.SES: _ses,
    Provider.RESEND: _resend,
}
