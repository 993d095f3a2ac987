"""A desk that hands out letters and writes down what became of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drumbeat.domain.delivery import Outcome
from drumbeat.mail.smtp import Envelope, Post, Security, Server, Timeouts
from drumbeat.testing.sink import Sink

QUICK = Timeouts(connect=2.0, session=2.0, command=2.0, body=2.0, dot=2.0)


def letter(local: str, content: bytes = b"Subject: hello\r\n\r\nA line.\r\n") -> Envelope:
    return Envelope(local, "seller@ours.example", f"{local}@theirs.example", content)


class Desk:
    """`take` and `commit` for Post.deliver; a key is a letter's local part."""

    def __init__(self, letters: Iterable[Envelope], grants: Callable[[Hashable], bool] = lambda _: True) -> None:
        self.queue = list(letters)
        self.grants = grants
        self.told: list[Outcome] = []
        self.ready: list[Hashable] = []
        self.asked: list[int] = []

    def take(self, most: int) -> list[Envelope]:
        self.asked.append(most)
        taken, self.queue = self.queue[:most], self.queue[most:]
        return taken

    def commit(self, outcomes: Sequence[Outcome], ready: Sequence[Hashable]) -> set[Hashable]:
        self.told += outcomes
        self.ready += ready
        return {key for key in ready if self.grants(key)}

    @property
    def codes(self) -> dict[Hashable, int | None]:
        return {outcome.key: outcome.reply.code if outcome.reply else None for outcome in self.told}

    def outcome(self, key: str) -> Outcome:
        (found,) = [outcome for outcome in self.told if outcome.key == key]
        return found


def post_to(sink: Sink, timeouts: Timeouts = QUICK, connections: int = 1) -> Post:
    server = Server("127.0.0.1", sink.port, Security.NONE, connections=connections)
    return Post(server, timeouts, local_hostname="worker.example", sleep=lambda _: None)


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    today = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shown, secret = folder / f"{name}.pem", folder / f"{name}.key"
    shown.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return shown, secret
