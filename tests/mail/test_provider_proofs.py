"""Only a provider can tell of its letters: each proof made as its documents say, and every way it can be wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from drumbeat.domain.errors import IncorrectValue
from drumbeat.mail.provider_proofs import check_hook_secret, proven_request
from drumbeat.mail.session import Provider
from drumbeat.testing.providers import prove

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
BODY = b'{"a": "letter"}'
SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
SENDGRID_SHOWS = base64.b64encode(
    SENDGRID_KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
CONFIRMATION = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
SECRETS = {
    Provider.POSTMARK: "a password of our own",
    Provider.MAILGUN: "key-0123456789abcdef",
    Provider.SENDGRID: SENDGRID_SHOWS,
    Provider.SES: TOPIC,
    Provider.RESEND: "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode(),
}
AMAZON_KEY = rsa.generate_private_key(65537, 2048)


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(AMAZON_KEY.public_key())
    made = made.serial_number(1).not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    return made.sign(AMAZON_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


PEM = _certificate()


class Amazon:
    """What stands at Amazon's addresses; keeps what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return PEM


def notification(version: str = "2", **more: Any) -> bytes:
    said = {
        "Type": "Notification",
        "MessageId": "e1",
        "TopicArn": TOPIC,
        "Message": "{}",
        "Timestamp": "2026-03-03T12:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **more,
    }
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    said["Signature"] = base64.b64encode(AMAZON_KEY.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return json.dumps(said).encode()


def made(provider: Provider, at: datetime = NOW) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request as the provider makes it."""
    if provider is Provider.SES:
        return {}, notification()
    return prove(provider, SECRETS[provider], BODY, at, SENDGRID_KEY)


def proven(
    provider: Provider, headers: Mapping[str, str], body: bytes, secret: str | None = None, fetch: Any = None
) -> str | None:
    return proven_request(provider, secret or SECRETS[provider], headers, body, NOW, fetch or Amazon())


@pytest.mark.parametrize("provider", Provider)
def test_what_the_provider_made_is_proven(provider: Provider) -> None:
    assert check_hook_secret(provider, SECRETS[provider]) == SECRETS[provider]
    assert proven(provider, *made(provider))


@pytest.mark.parametrize("provider", Provider)
def test_without_a_proof_nothing_is(provider: Provider) -> None:
    headers, _ = made(provider)
    assert proven(provider, {}, BODY) is None
    assert proven(provider, dict.fromkeys(headers, "nonsense"), BODY) is None
    assert proven(provider, dict.fromkeys(headers, ""), b"") is None
    assert proven(provider, headers, b"[]") is None or provider is Provider.POSTMARK


@pytest.mark.parametrize("provider", Provider)
@pytest.mark.parametrize(
    "body", [b"[" * 400_000, b'{"signature":' * 100_000, b"\xff" * 99, b'{"signature": 1}', b"null"]
)
def test_a_strangers_body_proves_nothing_however_it_is_built(provider: Provider, body: bytes) -> None:
    headers = dict.fromkeys(made(provider)[0], "9" * 5000)
    assert proven(provider, headers, body) is None


STRANGE_FORMS = [
    ("application/x-www-form-urlencoded", b"timestamp=1&token=2&signature=3"),
    ("application/x-www-form-urlencoded", b"timestamp=%FF&token=%00&signature"),
    ("application/x-www-form-urlencoded", b"token=" + b"t" * 10_000),
    ("multipart/form-data", b"--b--"),
    ("multipart/form-data; boundary=\xff", b"--\xff--\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\n" * 1000),
    ("form", b""),
]


@pytest.mark.parametrize(("kind", "body"), STRANGE_FORMS)
def test_a_strangers_form_proves_nothing(kind: str, body: bytes) -> None:
    assert proven(Provider.MAILGUN, {"content-type": kind}, body) is None


@pytest.mark.parametrize("provider", [Provider.SENDGRID, Provider.RESEND])
def test_another_body_under_the_same_signature_is_refused(provider: Provider) -> None:
    headers, _ = made(provider)
    assert proven(provider, headers, BODY.replace(b"letter", b"forgery")) is None


OTHERS = {
    Provider.POSTMARK: "another password of ours",
    Provider.MAILGUN: "key-another-0123456789",
    Provider.SENDGRID: base64.b64encode(
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
    Provider.SES: TOPIC + "-of-another",
    Provider.RESEND: "whsec_" + base64.b64encode(b"another secret of somebody").decode(),
}


@pytest.mark.parametrize("provider", Provider)
def test_another_mailboxs_secret_proves_nothing_here(provider: Provider) -> None:
    assert proven(provider, *made(provider), secret=OTHERS[provider]) is None


@pytest.mark.parametrize(
    ("provider", "late"),
    [
        (Provider.RESEND, timedelta(minutes=6)),
        (Provider.RESEND, timedelta(minutes=-6)),
        (Provider.MAILGUN, timedelta(days=3)),
        (Provider.SENDGRID, timedelta(days=3)),
    ],
)
def test_an_old_signature_is_refused(provider: Provider, late: timedelta) -> None:
    assert proven(provider, *made(provider, NOW - late)) is None
    assert proven(provider, *made(provider, NOW - late / 100))


def test_while_a_secret_is_replaced_one_of_several_signatures_is_enough() -> None:
    headers, body = made(Provider.RESEND)
    headers["svix-signature"] = "v1,bm9uc2Vuc2U= " + headers["svix-signature"]
    assert proven(Provider.RESEND, headers, body) == headers["svix-id"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_amazon_signs_in_either_version(version: str) -> None:
    assert proven(Provider.SES, {}, notification(version)) == "e1"
    forged = json.loads(notification(version)) | {"Message": '{"eventType": "Bounce"}'}
    assert proven(Provider.SES, {}, json.dumps(forged).encode()) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.evil.example/cert.pem",
        "http://sns.eu-west-1.amazonaws.com/cert.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/cert.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/cert.pem",
        "file:///etc/passwd",
        "https://sns.eu-west-1.amazonaws.com/somebody's-text",
    ],
)
def test_a_certificate_is_fetched_from_amazon_alone(url: str) -> None:
    amazon = Amazon()
    assert proven(Provider.SES, {}, notification(SigningCertURL=url), fetch=amazon) is None
    assert amazon.asked == []


def test_a_subscription_to_the_topic_is_confirmed_once_it_is_proven() -> None:
    amazon = Amazon()
    asks = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": CONFIRMATION}
    assert proven(Provider.SES, {}, notification(**asks), fetch=amazon) == "e1"
    assert amazon.asked == [CERTIFICATE, CONFIRMATION]
    elsewhere = asks | {"SubscribeURL": "https://evil.example/"}
    proven(Provider.SES, {}, notification(**elsewhere), fetch=amazon)
    assert "https://evil.example/" not in amazon.asked


@pytest.mark.parametrize("provider", Provider)
@pytest.mark.parametrize("secret", ["", "short", "whsec_", "whsec_!!", "arn:aws:s3:::b", "bm9uc2Vuc2U="])
def test_what_cannot_be_a_secret_is_said(provider: Provider, secret: str) -> None:
    with pytest.raises(IncorrectValue) as told:
        check_hook_secret(provider, secret)
    assert told.value.field == "secret"
    assert told.value.detail.startswith("It is ")
