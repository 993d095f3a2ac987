"""Fakes of mail providers, made from their published documents: none of them is the provider's own server.

Each refuses what its documents say it refuses, and keeps what it took in one shape.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from hashlib import sha256
from hmac import digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from drumbeat.mail.session import Provider, Security, Server

KEY = "the-key"


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter as the provider understood it; `tag` is what its events will carry."""

    sender: str
    recipient: str
    subject: str
    text: str
    html: str | None
    headers: Mapping[str, str]
    tag: str


@dataclass
class Script:
    """What goes wrong: a canned answer, seconds to wait before it, or no answer after the letter was taken."""

    answer: tuple[int, Any] | None = None
    waits: float = 0.0
    hangs_up: int = 0
    answers: list[tuple[int, Any]] = field(default_factory=list)


class FakeProvider:
    """One provider on this machine's loopback; as a context manager it is up and then gone."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.script = Script()
        self.letters: list[Taken] = []
        self.received: dict[str, bytes] = {}
        self.requests = 0
        self.most_at_once = 0
        self._at_once = 0
        self._known: dict[str, tuple[bytes, Any]] = {}
        self._lock = threading.Lock()
        self._server = _Quiet(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def server(self, key: str = KEY, connections: int = 1) -> Server:
        """How a mailbox reaches it."""
        username = {Provider.SES: "AKIDEXAMPLE", Provider.MAILGUN: "tea.example"}.get(self.provider)
        return Server(
            "127.0.0.1", self.port, Security.NONE, username, key, connections=connections, provider=self.provider
        )

    def __enter__(self) -> FakeProvider:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any] | None:
        """What is said to a request; None: the connection is cut."""
        with self._lock:
            self.requests += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            time.sleep(self.script.waits)
            return self._answer(method, path, headers, body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any] | None:
        if method == "GET" and path.removeprefix("/raw/") in self.received:
            has_key = "authorization" in headers
            return (400, {"message": "A signed address takes no key"}) if has_key else (200, self._raw(path))
        refusal = _REFUSED_KEYS[self.provider] if not _enters(self.provider, headers) else self.script.answer
        if refusal is not None:
            return refusal
        if self.script.answers:
            return self.script.answers.pop(0)
        if method == "GET" and path.removeprefix("/emails/receiving/") in self.received:
            kept = f"http://127.0.0.1:{self.port}/raw/{path.rpartition('/')[2]}"
            return 200, {"object": "email", "raw": {"download_url": kept, "expires_at": "2026-03-03T13:00:00Z"}}
        if method == "GET":
            return (200, {}) if path in _LOOKS[self.provider] else (404, {"message": "Not found"})
        if self.provider is Provider.MAILGUN and path == "/v3/tea.example/messages":
            return 400, {"message": "from parameter is missing"}
        if not re.fullmatch(_PATHS[self.provider], path):
            return 404, {"message": "Not found"}
        said = self._taken_once(headers, body)
        if self.script.hangs_up:
            self.script.hangs_up -= 1
            return None
        return said

    def _raw(self, path: str) -> bytes:
        return self.received[path.removeprefix("/raw/")]

    def _taken_once(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Resend knows a request again by its idempotency key, and refuses another letter under the same one."""
        key = headers.get("idempotency-key") if self.provider is Provider.RESEND else None
        with self._lock:
            if key in self._known:
                same, said = self._known[key]
                if same != body:
                    return 409, {"name": "invalid_idempotent_request", "message": "Another payload"}
                return 200, said
            letter = _READERS[self.provider](headers, body)
            said = _ACCEPTED[self.provider] | {"number": len(self.letters)}
            self.letters.append(letter)
            if key is not None:
                self._known[key] = body, said
        return 202 if self.provider is Provider.SENDGRID else 200, said


_PATHS = {
    Provider.POSTMARK: r"/email",
    Provider.MAILGUN: r"/v3/tea\.example/messages\.mime",
    Provider.SENDGRID: r"/v3/mail/send",
    Provider.SES: r"/v2/email/outbound-emails",
    Provider.RESEND: r"/emails",
}
_LOOKS = {
    Provider.POSTMARK: {"/server"},
    Provider.MAILGUN: set(),
    Provider.SENDGRID: {"/v3/scopes"},
    Provider.SES: {"/v2/email/account"},
    Provider.RESEND: {"/domains"},
}
_ACCEPTED: dict[Provider, dict[str, Any]] = {
    Provider.POSTMARK: {"ErrorCode": 0, "Message": "OK", "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d"},
    Provider.MAILGUN: {"id": "<20260303.1@tea.example>", "message": "Queued. Thank you."},
    Provider.SENDGRID: {},
    Provider.SES: {"MessageId": "0100018e-0000"},
    Provider.RESEND: {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"},
}
_REFUSED_KEYS: dict[Provider, tuple[int, Any]] = {
    Provider.POSTMARK: (401, {"ErrorCode": 10, "Message": "Request does not contain a valid Server token."}),
    Provider.MAILGUN: (401, {"message": "Forbidden"}),
    Provider.SENDGRID: (401, {"errors": [{"message": "The provided authorization grant is invalid"}]}),
    Provider.SES: (403, {"message": "The security token included in the request is invalid."}),
    Provider.RESEND: (403, {"name": "invalid_api_key", "message": "API key is invalid"}),
}


def _enters(provider: Provider, headers: Mapping[str, str]) -> bool:
    authorization = headers.get("authorization", "")
    if provider is Provider.POSTMARK:
        return headers.get("x-postmark-server-token") == KEY
    if provider is Provider.MAILGUN:
        return authorization == "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
    if provider is Provider.SES:
        return authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") and "x-amz-date" in headers
    return authorization == f"Bearer {KEY}"


def _read_postmark(_: Mapping[str, str], body: bytes) -> Taken:
    sent = json.loads(body)
    headers = {each["Name"].lower(): each["Value"] for each in sent["Headers"]}
    assert headers["x-pm-keepid"] == "true"
    tag = sent["Metadata"]["drumbeat"]
    return Taken(sent["From"], sent["To"], sent["Subject"], sent["TextBody"], sent["HtmlBody"], headers, tag)


def _read_mailgun(headers: Mapping[str, str], body: bytes) -> Taken:
    form = message_from_bytes(
        f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body, policy=default.clone(max_line_length=0)
    )
    fields = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
    letter = fields["message"].get_payload()
    raw = fields["message"].get_content().as_bytes() if isinstance(letter, list) else str(letter).encode()
    return _read_raw(raw, str(fields["to"].get_payload()).strip(), str(fields["v:drumbeat"].get_payload()).strip())


def _read_raw(raw: bytes, recipient: str, tag: str) -> Taken:
    message = message_from_bytes(raw, policy=default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Taken(
        str(message["from"]),
        recipient,
        str(message["subject"]),
        "" if text is None else str(text.get_content()),
        None if html is None else str(html.get_content()),
        {name.lower(): " ".join(str(value).split()) for name, value in message.items()},
        tag,
    )


def _read_sendgrid(_: Mapping[str, str], body: bytes) -> Taken:
    sent = json.loads(body)
    (personal,) = sent["personalizations"]
    bodies = {each["type"]: each["value"] for each in sent["content"]}
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    assert not headers.keys() & {"to", "from", "subject", "reply-to", "cc", "bcc", "content-type", "dkim-signature"}
    sender, recipient = sent["from"], personal["to"][0]
    return Taken(
        f"{sender['name']} <{sender['email']}>",
        recipient["email"],
        sent["subject"],
        bodies["text/plain"],
        bodies.get("text/html"),
        headers,
        personal["custom_args"]["drumbeat"],
    )


def _read_ses(_: Mapping[str, str], body: bytes) -> Taken:
    sent = json.loads(body)
    raw = base64.b64decode(sent["Content"]["Raw"]["Data"])
    (tag,) = sent["EmailTags"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["Value"])
    return _read_raw(raw, sent["Destination"]["ToAddresses"][0], tag["Value"])


def _read_resend(_: Mapping[str, str], body: bytes) -> Taken:
    sent = json.loads(body)
    (tag,) = sent["tags"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["value"])
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    return Taken(sent["from"], sent["to"][0], sent["subject"], sent["text"], sent.get("html"), headers, tag["value"])


_READERS = {
    Provider.POSTMARK: _read_postmark,
    Provider.MAILGUN: _read_mailgun,
    Provider.SENDGRID: _read_sendgrid,
    Provider.SES: _read_ses,
    Provider.RESEND: _read_resend,
}


# A client that hangs up is nothing to tell.
_Quiet: type[ThreadingHTTPServer] = type("_Quiet", (ThreadingHTTPServer,), {"handle_error": lambda *_: None})


def _handler_of(fake: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            said = fake.answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if said is None:
                self.close_connection = True
                return
            encoded = said[1] if isinstance(said[1], bytes) else json.dumps(said[1]).encode()
            self.send_response(said[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    return Handler


def bring(
    provider: Provider, secret: str, raw: bytes, at: datetime, key: EllipticCurvePrivateKey | None = None
) -> tuple[dict[str, str], bytes]:
    """Headers and body of the webhook that brings a received message; Resend names one it keeps as `1`."""
    stamp = str(int(at.timestamp()))
    if provider is Provider.POSTMARK:
        told = {"FromFull": {"Email": "ada@example.com"}, "Subject": "Re: Hello", "RawEmail": raw.decode()}
        return prove(provider, secret, json.dumps(told).encode(), at)
    if provider is Provider.RESEND:
        told = {"type": "email.received", "data": {"email_id": "1", "subject": "Re: Hello"}}
        return prove(provider, secret, json.dumps(told).encode(), at)
    fields = {"email": raw, "envelope": b'{"from": "ada@example.com"}'}
    if provider is Provider.MAILGUN:
        signature = digest(secret.encode(), f"{stamp}token".encode(), "sha256").hex().encode()
        fields = {"body-mime": raw, "timestamp": stamp.encode(), "token": b"token", "signature": signature}
    body = b"".join(
        b'--xYzZY\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
        for name, value in fields.items()
    )
    body += b"--xYzZY--\r\n"
    proof = {} if provider is Provider.MAILGUN else prove(provider, secret, body, at, key)[0]
    return {"content-type": "multipart/form-data; boundary=xYzZY", **proof}, body


def prove(
    provider: Provider, secret: str, body: bytes, at: datetime, key: EllipticCurvePrivateKey | None = None
) -> tuple[dict[str, str], bytes]:
    """Headers and body of an event webhook as the provider proves them; `key` is the private half of SendGrid's."""
    stamp = str(int(at.timestamp()))
    if provider is Provider.POSTMARK:
        login = base64.b64encode(f"drumbeat:{secret}".encode()).decode()
        return {"authorization": f"Basic {login}"}, body
    if provider is Provider.MAILGUN:
        signature = digest(secret.encode(), f"{stamp}token".encode(), "sha256").hex()
        signed = {"signature": {"timestamp": stamp, "token": "token", "signature": signature}}
        return {}, json.dumps(json.loads(body) | signed).encode()
    if provider is Provider.SENDGRID:
        assert key is not None
        signature = base64.b64encode(key.sign(stamp.encode() + body, ECDSA(SHA256()))).decode()
        name = "x-twilio-email-event-webhook"
        return {f"{name}-signature": signature, f"{name}-timestamp": stamp}, body
    assert provider is Provider.RESEND
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    id = f"msg_{sha256(body).hexdigest()[:16]}"
    signature = base64.b64encode(digest(raw, f"{id}.{stamp}.".encode() + body, "sha256")).decode()
    return {"svix-id": id, "svix-timestamp": stamp, "svix-signature": f"v1,{signature}"}, body
