"""Signatures of our own, checked by another library that knows nothing of us."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.errors import IncorrectValue
from drumbeat.mail.dkim import SigningKey, new_key, read_key, record, signed

AT = datetime(2026, 3, 3, 10, tzinfo=UTC)
RSA = read_key(new_key())
ED25519 = ed25519.Ed25519PrivateKey.generate()
LETTER = (
    b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\nFrom: Olive Owner <olive@tea.example>\r\nTo: ada@example.com\r\n"
    b"Subject: A   long subject\r\n that goes on\r\nMessage-ID: <1.a@tea.example>\r\n"
    b"List-Unsubscribe: <https://x.example/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
)


def verified(message: bytes, key: SigningKey) -> bool:
    def published(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"drumbeat._domainkey.tea.example."
        return record(key).encode()

    return bool(dkim.verify(message, dnsfunc=published))


def sign(body: bytes, key: SigningKey = RSA) -> bytes:
    return signed(LETTER + body, key, "tea.example", "drumbeat", AT)


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"Hello\r\n", b"Hello", b"a  b \t\r\n\r\nc\r\n\r\n\r\n", b" \r\n\t\r\n", b".\r\n..\r\n"]
)
def test_a_letter_is_verified_by_another_library(body: bytes, key: SigningKey) -> None:
    assert verified(sign(body, key), key)


WRITABLE = st.characters(min_codepoint=9, max_codepoint=126, exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e")


@settings(max_examples=60)
@given(st.lists(st.text(WRITABLE), max_size=12))
def test_any_body_of_whole_lines_is_verified(lines: list[str]) -> None:
    assert verified(sign("".join(f"{line}\r\n" for line in lines).encode()), RSA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello", b"Hallo"),
        (b"Subject: A", b"Subject: B"),
        (b"\r\nTo: ada", b"\r\nTo: eve"),
        (b"unsubscribe/1", b"unsubscribe/2"),
        (b"From: Olive", b"From: Eve <eve@x.example>\r\nFrom: Olive"),
        (b"x.example/u/1", b"x.example/u/2"),
    ],
)
def test_what_is_changed_on_the_way_is_found_out(old: bytes, new: bytes) -> None:
    message = sign(b"Hello\r\n")
    changed = message.replace(old, new)
    assert verified(changed, RSA) is (changed == message)


def test_what_mail_servers_do_on_the_way_is_forgiven() -> None:
    message = sign(b"Hello  there\r\n\r\n")
    head, _, letter = message.partition(b"Date: ")
    assert verified(
        b"Received: by mx.example\r\n" + head + b"Date:   " + letter.replace(b"Hello  there", b"Hello there "), RSA
    )


def test_the_same_letter_has_the_same_signature_in_lines_that_fit() -> None:
    message = sign(b"Hello\r\n")
    assert message == sign(b"Hello\r\n")
    header = message[: message.index(b"\r\nDate:")]
    assert max(map(len, header.split(b"\r\n"))) <= 78
    assert b"t=1772532000;" in header
    assert b"h=from:from:to:subject:date:message-id:list-unsubscribe:" in header.replace(b"\r\n\t ", b"")


def _pem(key: object) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[attr-defined, no-any-return]


def test_a_key_is_read_from_pem_and_published_without_its_secret() -> None:
    assert record(read_key(_pem(ED25519))) == record(ED25519)
    text = record(RSA)
    assert text.startswith("v=DKIM1; k=rsa; p=MII")
    assert len(base64.b64decode(text.partition("p=")[2])) == 294
    assert new_key() != new_key()


@pytest.mark.parametrize(
    "pem",
    ["", "nonsense", _pem(ec.generate_private_key(ec.SECP256R1())), record(RSA)],
    ids=["none", "text", "curve", "public"],
)
def test_what_is_no_key_is_refused(pem: str) -> None:
    with pytest.raises(IncorrectValue) as refused:
        read_key(pem)
    assert refused.value.field == "key"


def test_a_short_rsa_key_is_still_taken_at_1024_bits() -> None:
    key = rsa.generate_private_key(65537, 1024)
    assert verified(sign(b"x\r\n", read_key(_pem(key))), key)
