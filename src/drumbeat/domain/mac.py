"""What only we could have written: the keyed hash behind links, Message-IDs, variants and address hashes."""

from __future__ import annotations

import hmac
import re

LARGEST_ID = 2**63
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARK_BYTES = 15  # 120 bits are 24 letters of base32 without padding
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [a + b for a in _BASE32 for b in _BASE32]  # base64.b32encode is written in Python, and twice as slow
_SHIFTS = range(8 * _MARK_BYTES - 10, -1, -10)
_MARK = re.compile(r"(?:[0-9a-z]{1,13}\.){1,8}[a-z2-7]{24}")


def mac(key: bytes, purpose: str, *parts: str | int) -> bytes:
    """The 32 bytes of HMAC-SHA256 over the purpose and the parts, framed so that no two lists read alike."""
    return hmac.digest(key, b"".join(map(_framed, (purpose, *parts))), "sha256")


def _framed(part: str | int) -> bytes:
    if isinstance(part, str):
        body = part.encode()
        return b"s%d:%b" % (len(body), body)
    body = b"%d" % part
    return b"i%d:%b" % (len(body), body)


def mark(key: bytes, purpose: str, *ids: int) -> str:
    """The ids with their MAC, in lower-case letters, digits and dots: short enough for links and headers."""
    number = int.from_bytes(mac(key, purpose, *ids)[:_MARK_BYTES], "big")
    letters = "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
    return f"{'.'.join(map(base36, ids))}.{letters}"


def read_mark(key: bytes, purpose: str, text: str) -> tuple[int, ...] | None:
    """The ids of a mark of ours, or None when it is not exactly one that `mark` writes."""
    if not _MARK.fullmatch(text):
        return None
    ids = tuple(int(number, 36) for number in text.split(".")[:-1])
    if any(id >= LARGEST_ID for id in ids):
        return None
    return ids if hmac.compare_digest(mark(key, purpose, *ids), text) else None


def base36(number: int) -> str:
    """A number from 0 in digits and lower-case letters."""
    if not 0 <= number < LARGEST_ID:
        raise ValueError(f"no id: {number}")
    digits = ""
    while number >= 36:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return _DIGITS[number] + digits
