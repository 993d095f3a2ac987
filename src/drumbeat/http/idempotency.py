"""The header Idempotency-Key: a call repeated with it has its effect once and gets the same answer."""

from __future__ import annotations

import hashlib
import re

from drumbeat.domain.errors import MalformedHeader
from drumbeat.http.auth import Caller
from drumbeat.http.openapi import Parameter
from drumbeat.http.parts import AnyRequest
from drumbeat.store.kept_answers import KeyedCall

_NAME = "Idempotency-Key"
_LONGEST = 255
# Bare, or as a string of structured fields (RFC 9651): "..." with \" and \\ inside.
_BARE = re.compile(r"[!#-+\--\[\]-~]+", re.ASCII)
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)

IDEMPOTENCY_KEY = Parameter(
    _NAME,
    f"1 to {_LONGEST} characters that name this call: repeated with them within 48 hours, it has its effect once and"
    " gets the same answer.",
    {"type": "string", "pattern": r"^[!#-+\-.0-9A-Z\[\]-~]{1,255}$"},
    place="header",
)


def read_keyed_call(request: AnyRequest, caller: Caller, body: bytes) -> KeyedCall | None:
    """The call as its key names it; None without the header, MalformedHeader if it is not acceptable.

    A key belongs to the credential and the route it is sent with, and stands for the path and the body.
    """
    sent = request.headers.getall(_NAME, [])
    if not sent:
        return None
    key = _read_key(sent)
    route = request.scope["path_template"]
    return KeyedCall(
        account_id=caller.account_id,
        key_hash=_hash(str(caller.credential_id).encode(), route.encode(), key.encode()),
        request_hash=_hash(request.scope["path"].encode(), body),
    )


def _read_key(sent: list[str]) -> str:
    if len(sent) > 1:
        raise MalformedHeader("Send it once.", field=_NAME)
    text = sent[0].strip()
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not 1 <= len(key) <= _LONGEST:
        raise MalformedHeader(f"{_NAME} has 1 to {_LONGEST} characters.", field=_NAME)
    if quoted is None and not _BARE.fullmatch(text):
        raise MalformedHeader(
            f"{_NAME} is made of letters, digits and punctuation without quotes, commas and spaces, or stands in"
            ' double quotes, such as "7d1c-04".',
            field=_NAME,
        )
    return key


def _hash(*parts: bytes) -> str:
    """Over the parts with their lengths, so that no two lists of parts are alike."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()
