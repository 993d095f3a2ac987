"""Mail that means harm, or might as well: too long, too deep, too many, or no mail at all."""

from __future__ import annotations

import gzip
import io
import zipfile
from base64 import encodebytes
from collections.abc import Callable

_HEAD = b"From: a@example.com\nTo: b@example.com\nSubject: Re: x\n"


def _bomb() -> bytes:
    """A small file that unpacks to a gigabyte."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("x", "w") as inner,
    ):
        for _ in range(1024):
            inner.write(b"\0" * 1024 * 1024)
    return packed.getvalue()


def _nested(levels: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return opened + b"Content-Type: text/plain\n\nhi\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(levels)))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "50 MB": lambda: _HEAD + b"\n" + b"word and word\n" * (50 * 1024 * 1024 // 14),
    "one line of 50 MB": lambda: _HEAD + b"\n" + b"x" * (50 * 1024 * 1024),
    "10,000 parts": lambda: (
        _HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\n\n'
        + b"--b\nContent-Type: text/plain\n\nhello\n" * 10_000
        + b"--b--\n"
    ),
    "500 levels": lambda: _HEAD + _nested(500),
    "5,000 levels": lambda: _HEAD + _nested(5000),
    "messages within messages": lambda: _HEAD + b"Content-Type: message/rfc822\n\n" * 30_000 + b"x",
    "a header of 1 MB": lambda: _HEAD + b"X-A: " + b"y" * 1024 * 1024 + b"\n\nhi",
    "encoded words without end": lambda: b"From: a@b.c\nSubject: " + b"=?utf-8?q?x?= " * 80_000 + b"\n\nhi",
    "200,000 headers": lambda: _HEAD + b"X-B: 1\n" * 200_000 + b"\nhi",
    "a charset nobody knows": lambda: _HEAD + b"Content-Type: text/plain; charset=nonsense-\xff\n\n\xff\xfe\x80",
    "quotes without end": lambda: _HEAD + b"\n" + b"> " * 30_000,
    "introductions without end": lambda: _HEAD + b"\n" + b"On Mon, " * 8000 + b"wrote:\n",
    "copies of headers": lambda: _HEAD + b"\n" + b"From: x\nTo: y\nSubject: z\nDate: q\n" * 4000,
    "tags without end": lambda: _HEAD + b"Content-Type: text/html\n\n" + b"<div>" * 200_000,
    "half tags": lambda: _HEAD + b"Content-Type: text/html\n\n" + b"<" * 200_000,
    "addresses without end": lambda: _HEAD.replace(b"a@", b"mailer-daemon@") + b"\n" + b"a@" * 60_000,
    "a report of 40,000 recipients": lambda: (
        _HEAD
        + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
        + b"Final-Recipient: rfc822;a@b.c\nAction: failed\n\n" * 40_000
        + b"--b--"
    ),
    "blank lines": lambda: _HEAD + b"\n" + b"\n" * 500_000,
    "a daemon's words": lambda: b"From: MAILER-DAEMON@b.c\nSubject: failure notice\n\n" + b"mailbox " * 40_000,
    "days": lambda: b"Subject: Automatic reply: x\nDate: Fri, 18 Dec 2026 10:00:00 +0000\n\n" + b"1 " * 30_000,
    "wishes": lambda: _HEAD + b"\n" + b"please " * 25 + b"\n",
    "zeros": lambda: b"\0" * 100_000,
    "a packed file": lambda: _HEAD + b"Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==",
    "a zip bomb": lambda: (
        _HEAD + b"Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\n" + encodebytes(_bomb())
    ),
    "packed twice": lambda: (
        _HEAD
        + b"Content-Type: text/plain\nContent-Encoding: gzip\nContent-Transfer-Encoding: base64\n\n"
        + encodebytes(gzip.compress(gzip.compress(b"\0" * 10_000_000)))
    ),
}
