"""The raw message out of each provider's webhook, as its documents say, and what is left out of it."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from drumbeat.mail.courier import fetch_received
from drumbeat.mail.parse import LARGEST
from drumbeat.mail.provider_mail import read_form, received_message
from drumbeat.mail.session import Provider
from drumbeat.testing.providers import FakeProvider, bring
from tests.mail.test_provider_proofs import SECRETS, SENDGRID_KEY

RAW = "From: ada@example.com\r\nSubject: Re: Grüße\r\n\r\nYes, please.\r\n".encode()
AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
JSON = "application/json"


def kept(id: str) -> bytes:
    assert id == "1"
    return RAW


def notified(**event: Any) -> bytes:
    return json.dumps(
        {"Type": "Notification", "Message": json.dumps({"notificationType": "Received"} | event)}
    ).encode()


@pytest.mark.parametrize("provider", [each for each in Provider if each is not Provider.SES])
def test_the_message_comes_byte_for_byte(provider: Provider) -> None:
    headers, body = bring(provider, SECRETS[provider], RAW, AT, SENDGRID_KEY)
    assert received_message(provider, headers.get("content-type", JSON), body, kept) == RAW


def test_ses_brings_it_as_text_or_in_base64() -> None:
    encoded = base64.b64encode(RAW + b"\xff").decode()
    in_base64 = notified(content=encoded, receipt={"action": {"type": "SNS", "encoding": "BASE64"}})
    assert received_message(Provider.SES, JSON, in_base64, kept) == RAW + b"\xff"
    assert received_message(Provider.SES, JSON, notified(content=RAW.decode()), kept) == RAW


def test_mailgun_may_send_a_form_of_the_other_kind() -> None:
    body = b"body-mime=From%3A+ada%40example.com%0D%0A%0D%0AHi+%FF&timestamp=1&timestamp=2"
    kind = "application/x-www-form-urlencoded"
    assert received_message(Provider.MAILGUN, kind, body, kept) == b"From: ada@example.com\r\n\r\nHi \xff"
    assert read_form(kind, body, "timestamp", "token") == {"timestamp": b"1"}


FIELDS = [
    ("application/x-www-form-urlencoded", b"a=%41%41&token=t"),
    ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nAAAAAA\r\n--b--\r\n'),
]


@pytest.mark.parametrize(("kind", "body"), FIELDS)
def test_a_field_that_is_longer_than_it_may_be_is_refused(kind: str, body: bytes) -> None:
    assert read_form(kind, body, "a", longest=6)["a"] in (b"AA", b"AAAAAA")
    with pytest.raises(ValueError, match="long"):
        read_form(kind, body, "a", longest=5)


@pytest.mark.parametrize("body", [b"a=" + b"%41" * 10_000_000, b"a&" * 16_000_000, b"\xff" * 32_000_000])
def test_a_strangers_form_costs_little(body: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(ValueError):
        assert read_form("application/x-www-form-urlencoded", body, "token", longest=200) == {}
    assert time.process_time() - began < 2, "to decode all of it takes four seconds"


EVENTS = {
    Provider.POSTMARK: {"RecordType": "Bounce"},
    Provider.MAILGUN: {"event-data": {"event": "failed"}},
    Provider.SENDGRID: [{"event": "bounce"}],
    Provider.SES: {"Message": json.dumps({"notificationType": "Bounce"})},
    Provider.RESEND: {"type": "email.bounced", "data": {}},
}


@pytest.mark.parametrize("provider", Provider)
def test_an_event_brings_no_message(provider: Provider) -> None:
    assert received_message(provider, JSON, json.dumps(EVENTS[provider]).encode(), kept) is None


FORM = b'--b\r\nContent-Disposition: form-data; name="subject"\r\n\r\nHello\r\n--b--\r\n'
LEFT_OUT = [
    (Provider.POSTMARK, JSON, b'{"FromFull": {}, "TextBody": "Hello"}', "raw email content"),
    (Provider.MAILGUN, "multipart/form-data; boundary=b", FORM, "ends with /mime"),
    (Provider.SENDGRID, "multipart/form-data; boundary=b", FORM, "raw, full MIME"),
    (Provider.SES, JSON, notified(), "publish to SNS"),
    (Provider.RESEND, JSON, b'{"type": "email.received", "data": {"email_id": "../domains"}}', "names no message"),
]


@pytest.mark.parametrize(("provider", "kind", "body", "fix"), LEFT_OUT)
def test_where_the_message_is_left_out_the_fix_is_named(provider: Provider, kind: str, body: bytes, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        received_message(provider, kind, body, kept)


BROKEN = [
    (Provider.POSTMARK, JSON, b"<xml/>"),
    (Provider.SES, JSON, notified(content="%%%", receipt={"action": {"encoding": "base64"}})),
    (Provider.MAILGUN, "text/plain", b"hello"),
    (Provider.MAILGUN, "multipart/form-data", FORM),
    (Provider.SENDGRID, "multipart/form-data; boundary=b", FORM[:40]),
    (Provider.SENDGRID, "multipart/form-data; boundary=other", FORM),
    (Provider.RESEND, JSON, b"[" * 100_000),
]


@pytest.mark.parametrize(("provider", "kind", "body"), BROKEN)
def test_what_cannot_be_read_is_refused(provider: Provider, kind: str, body: bytes) -> None:
    with pytest.raises(ValueError):
        received_message(provider, kind, body, kept)


def test_what_resend_keeps_is_fetched_without_the_key_and_no_further_than_it_is_read() -> None:
    with FakeProvider(Provider.RESEND) as fake:
        fake.received["1"] = RAW
        assert fetch_received(fake.server(), "1") == RAW
        fake.received["1"] = b"x" * (LARGEST + 500_000)
        assert LARGEST <= len(fetch_received(fake.server(), "1")) < LARGEST + 500_000
        for answer in ((404, {}), (200, {"raw": None}), (200, {"raw": {"download_url": "nowhere"}}), (200, b"<xml/>")):
            fake.script.answer = answer
            with pytest.raises(OSError, match="resend"):
                fetch_received(fake.server(), "1")
