"""Signing letters with a key of our own (RFC 6376, RFC 8463): the same letter has the same signature, always.

A library that signs reads a clock; ours takes the letter's own instant, so that a letter can be made again to the byte.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from drumbeat.domain.errors import IncorrectValue

SigningKey = RSAPrivateKey | Ed25519PrivateKey

_BITS: Final = 2048
_LEAST_BITS: Final = 1024
_SIGNED: Final = (
    "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "list-unsubscribe",
    "list-unsubscribe-post", "mime-version", "content-type", "content-transfer-encoding",
)  # fmt: skip
_LINE: Final = 70


def new_key() -> str:
    """A fresh RSA key as PEM text: what every receiver can check."""
    key = generate_private_key(65537, _BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def read_key(pem: str) -> SigningKey:
    """The private key in a PEM text; IncorrectValue on `key` if it is none that signs letters."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise IncorrectValue("It is no private key in PEM form without a password.", field="key") from None
    if isinstance(key, RSAPrivateKey) and key.key_size >= _LEAST_BITS:
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise IncorrectValue(f"Take an RSA key of {_BITS} bits, or an Ed25519 key.", field="key")


def record(key: SigningKey) -> str:
    """The TXT record that publishes the key."""
    if isinstance(key, RSAPrivateKey):
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={b64encode(public).decode()}"


def signed(message: bytes, key: SigningKey, domain: str, selector: str, at: datetime) -> bytes:
    """The message with a DKIM-Signature in front: relaxed, over every header that matters, From once more."""
    head, _, body = message.partition(b"\r\n\r\n")
    headers = _headers(head)
    names = [name for name in _SIGNED if name in headers]
    names.insert(1, "from")  # a second From would break the signature
    algorithm = "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"
    body_hash = b64encode(sha256(_relaxed_body(body)).digest()).decode()
    tags = (
        f"v=1; a={algorithm}; c=relaxed/relaxed; t={int(at.timestamp())};\r\n"
        f"\td={domain};\r\n\ts={selector};\r\n"
        f"\th={_wrapped(':'.join(names), ':')};\r\n"
        f"\tbh={body_hash};\r\n\tb="
    )
    # A second From is not there, and counts as nothing.
    covered = b"".join(name.encode() + b":" + _relaxed_value(headers[name]) + b"\r\n" for name in dict.fromkeys(names))
    covered += b"dkim-signature:" + _relaxed_value(tags.encode("ascii"))
    signature = _signature(key, covered)
    return f"DKIM-Signature: {tags}{_wrapped(signature)}\r\n".encode("ascii") + message


def _headers(head: bytes) -> dict[str, bytes]:
    """The header fields by name; our letters have each once."""
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head)
    pairs = (line.partition(b":") for line in unfolded.split(b"\r\n"))
    return {name.decode("ascii").strip().lower(): value for name, _, value in pairs}


def _relaxed_value(value: bytes) -> bytes:
    return re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _relaxed_body(body: bytes) -> bytes:
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _signature(key: SigningKey, covered: bytes) -> str:
    if isinstance(key, RSAPrivateKey):
        return b64encode(key.sign(covered, PKCS1v15(), SHA256())).decode()
    return b64encode(key.sign(sha256(covered).digest())).decode()


def _wrapped(text: str, after: str = "") -> str:
    """The text in lines that fit, broken where white space means nothing."""
    if not after:
        return "\r\n\t ".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))
    lines, line = [], ""
    for part in text.split(after):
        if len(line) + len(part) > _LINE:
            lines.append(line + after)
            line = part
        else:
            line = f"{line}{after}{part}" if line else part
    return "\r\n\t ".join([*lines, line])
