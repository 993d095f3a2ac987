"""Mail that providers receive for a mailbox and bring to its webhook: the raw message, as it arrived.

From the providers' published documents: Postmark (inbound webhook), Mailgun (routes), SendGrid (Inbound Parse), Amazon
SES (receipt rules with an SNS action) and Resend (receiving). Who brings it is checked elsewhere, before.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from drumbeat.mail.session import Provider

LARGEST_BROUGHT: Final = 32 * 1024 * 1024
"""Bytes of a webhook's body that may hold a message: what the largest of the providers lets through."""

_MOST_FIELDS: Final = 200

FetchRaw = Callable[[str], bytes]
"""Gets the raw message that a provider keeps under an id; OSError if it cannot be had now."""


def read_form(content_type: str, body: bytes, *names: str, longest: int = LARGEST_BROUGHT) -> dict[str, bytes]:
    """These fields of a form's body, the first of each name; ValueError if it is no form, or one is longer.

    What is not asked for is not decoded: who sends it may be anybody.
    """
    kind, options = parse_options_header(content_type)
    if kind == "application/x-www-form-urlencoded":
        return _read_urlencoded(body, names, longest)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise ValueError("This is no form.")
    try:
        parts = list(MultipartParser(BytesIO(body), options["boundary"], memory_limit=LARGEST_BROUGHT))
    except MultipartError as error:
        raise ValueError("The form is broken.") from error
    found = {part.name: part for part in reversed(parts) if part.name in names}
    if any(part.size > longest for part in found.values()):
        raise ValueError("A field is too long.")
    return {name: part.raw for name, part in found.items()}


def _read_urlencoded(body: bytes, names: Collection[str], longest: int) -> dict[str, bytes]:
    pairs = [pair.partition(b"=") for pair in body.split(b"&", _MOST_FIELDS)]
    found = {name.decode("latin-1"): value for name, _, value in reversed(pairs)}
    wanted = {name: found[name] for name in names if name in found}
    if len(pairs) > _MOST_FIELDS or any(len(value) > longest for value in wanted.values()):
        raise ValueError("The form is too long.")
    return {name: unquote_to_bytes(value.replace(b"+", b" ")) for name, value in wanted.items()}


def received_message(provider: Provider, content_type: str, body: bytes, fetch: FetchRaw) -> bytes | None:
    """The raw message that a webhook's body brings; None if it brings none, but tells of something else.

    Raises ValueError with the fix where the provider is set to leave the message out, and what `fetch` raises.
    """
    if provider in (Provider.MAILGUN, Provider.SENDGRID):
        is_form = parse_options_header(content_type)[0] != "application/json"
        return _in_form(provider, content_type, body) if is_form else None
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("This is not JSON.") from error
    return _IN_JSON[provider](said, fetch) if isinstance(said, dict) else None


_FORM_FIELDS: Final = {Provider.MAILGUN: "body-mime", Provider.SENDGRID: "email"}
_FORM_FIXES: Final = {
    Provider.MAILGUN: "Let the route forward to the address that ends with /mime.",
    Provider.SENDGRID: "Check 'POST the raw, full MIME message' in the Inbound Parse settings.",
}


def _in_form(provider: Provider, content_type: str, body: bytes) -> bytes:
    name = _FORM_FIELDS[provider]
    raw = read_form(content_type, body, name).get(name)
    if not raw:
        raise ValueError(f"The message is not in it. {_FORM_FIXES[provider]}")
    return raw


def _from_postmark(said: dict[str, Any], _: FetchRaw) -> bytes | None:
    if "FromFull" not in said and "RawEmail" not in said:
        return None
    raw = said.get("RawEmail")
    if not isinstance(raw, str) or not raw:
        raise ValueError("The message is not in it. Check 'Include raw email content in JSON payload' of the stream.")
    return raw.encode("utf-8", "surrogatepass")


def _from_ses(said: dict[str, Any], _: FetchRaw) -> bytes | None:
    try:
        event = msgspec.json.decode(str(said.get("Message")))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("notificationType") != "Received":
        return None
    content = event.get("content")
    if not isinstance(content, str) or not content:
        raise ValueError("The message is not in it. Let the receipt rule publish to SNS, not only notify of S3.")
    receipt = event.get("receipt")
    action = receipt.get("action") if isinstance(receipt, dict) else None
    is_encoded = isinstance(action, dict) and str(action.get("encoding")).upper() == "BASE64"
    return base64.b64decode(content, validate=True) if is_encoded else content.encode("utf-8", "surrogatepass")


def _from_resend(said: dict[str, Any], fetch: FetchRaw) -> bytes | None:
    event = said.get("data")
    if said.get("type") != "email.received" or not isinstance(event, dict):
        return None
    id = event.get("email_id")
    if not isinstance(id, str) or not id.isascii() or not id.replace("-", "").isalnum() or len(id) > 100:
        raise ValueError("It names no message.")
    return fetch(id)


_IN_JSON: Final[Mapping[Provider, Callable[[dict[str, Any], FetchRaw], bytes | None]]] = {
    Provider.POSTMARK: _from_postmark,
    Provider.SES: _from_ses,
    Provider.RESEND: _from_resend,
}
