"""The letter owed: its status machine, what an SMTP reply means for it, and when to try again."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from drumbeat.domain.mac import mark, read_mark


class DeliveryStatus(StrEnum):
    """Where a letter stands; `transmitting` begins at the point of no return."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    TRANSMITTING = "transmitting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# A refusal before the point of no return (no such recipient, say) closes a claimed delivery directly.
TRANSITIONS: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = MappingProxyType(
    {
        DeliveryStatus.QUEUED: frozenset({DeliveryStatus.CLAIMED}),
        DeliveryStatus.CLAIMED: frozenset({DeliveryStatus.QUEUED, DeliveryStatus.TRANSMITTING, DeliveryStatus.REFUSED}),
        DeliveryStatus.TRANSMITTING: frozenset(
            {
                DeliveryStatus.QUEUED,
                DeliveryStatus.ACCEPTED,
                DeliveryStatus.REFUSED,
                DeliveryStatus.UNKNOWN,
            }
        ),
        DeliveryStatus.ACCEPTED: frozenset(),
        DeliveryStatus.REFUSED: frozenset(),
        DeliveryStatus.UNKNOWN: frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.REFUSED}),
    }
)


EVIDENCE_AWAITED: Final = timedelta(minutes=10)
"""How long a doubt waits for evidence before a person is asked."""


def may_become(status: DeliveryStatus, following: DeliveryStatus) -> bool:
    """Whether a delivery in `status` may go to `following`; staying is no transition."""
    return following in TRANSITIONS[status]


_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_MESSAGE_ID = re.compile(r"<?([0-9a-z.]{1,100})@[A-Za-z0-9.-]{1,253}>?")


def message_id(key: bytes, account_id: int, enrollment_id: int, position: int, attempt: int, domain: str) -> str:
    """The Message-ID of one delivery, in angle brackets: the same for the same letter, and not to be guessed.

    Raises ValueError when the domain is not ASCII letters, digits, dots and hyphens.
    """
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"a Message-ID needs an ASCII domain, not {domain!r}")
    return f"<{mark(key, 'message-id', account_id, enrollment_id, position, attempt)}@{domain}>"


def read_message_id(key: bytes, text: str) -> tuple[int, int, int, int] | None:
    """Account, enrollment, position and attempt of one of our Message-IDs, brackets or not, else None."""
    found = _MESSAGE_ID.fullmatch(text)
    match read_mark(key, "message-id", found[1]) if found else None:
        case (account_id, enrollment_id, position, attempt):
            return account_id, enrollment_id, position, attempt
    return None


class FailureReason(StrEnum):
    """Why a letter cannot be sent, in the words of the public API."""

    UNKNOWN = "unknown"
    SENDOUT_LIMITED = "sendout_limited"
    RECIPIENT_INVALID = "recipient_invalid"
    AUTH = "auth"
    MISSING_MERGE_TAGS = "missing_merge_tags"
    ATTACHMENT_LIMIT_EXCEEDED = "attachment_limit_exceeded"
    SENDOUT_DISABLED = "sendout_disabled"
    QUOTA_EXCEEDED = "quota_exceeded"


class Stage(StrEnum):
    """How far a conversation came; CONNECT covers DNS to EHLO, DATA the 354 and the body."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_TEXT_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: its code, its enhanced code if it had one, and its text (printable, at most 500)."""

    code: int
    enhanced: str | None
    text: str

    @classmethod
    def read(cls, code: int, raw: bytes) -> Reply:
        """Build a reply from the text after the code, its lines joined by line feeds."""
        lines = raw[: 4 * _TEXT_LIMIT].decode("utf-8", "replace").split("\n")
        first = _ENHANCED.match(lines[0])
        bare = " ".join(_ENHANCED.sub("", line, count=1) if first else line for line in lines)
        if not bare.isprintable():
            bare = "".join(letter if letter.isprintable() else " " for letter in bare)
        return cls(code, first.group(1) if first else None, " ".join(bare.split())[:_TEXT_LIMIT])

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter's try: the server's reply at a stage, or `error` when none came."""

    key: Hashable
    stage: Stage
    reply: Reply | None
    error: str | None = None


class Kind(StrEnum):
    """What follows from an outcome; only IN_DOUBT leaves open whether the letter arrived."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"


class Scope(StrEnum):
    """What the trouble belongs to."""

    LETTER = "letter"
    ADDRESS = "address"
    MAILBOX = "mailbox"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome read: `reason` is set exactly when a person or a cause must lift it (REFUSED, IN_DOUBT).

    `if_repeated` is the reason that a passing trouble becomes when it comes again and again.
    """

    kind: Kind
    reason: FailureReason | None
    scope: Scope
    detail: str
    if_repeated: FailureReason | None = None


_BEFORE_THE_LETTER = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH, Stage.MAIL})

_WHERE: Final[Mapping[Stage, str]] = MappingProxyType(
    {
        Stage.CONNECT: "the connection",
        Stage.TLS: "encryption",
        Stage.AUTH: "the login",
        Stage.MAIL: "the sender",
        Stage.RCPT: "the recipient",
        Stage.DATA: "the letter's text",
        Stage.DOT: "the letter",
    }
)


def read_outcome(outcome: Outcome) -> Verdict:
    """Say what an outcome means; total: a reply of a class that does not fit its stage counts as none."""
    reply = outcome.reply
    if reply is None:
        return _unanswered(outcome.stage, outcome.error or "no answer")
    if outcome.stage is Stage.DOT and 200 <= reply.code <= 299:
        return Verdict(Kind.ACCEPTED, None, Scope.LETTER, f"The server accepted the letter: {reply}.")
    if not 400 <= reply.code <= 599:
        return _unanswered(outcome.stage, f"unexpected answer {reply}")
    if reply.code == 421 and (reply.enhanced or "").startswith("4.7."):
        detail = _sentence(outcome.stage, "put off", reply)
        return Verdict(Kind.RETRY, None, Scope.MAILBOX, detail, FailureReason.SENDOUT_LIMITED)
    reason = _reason(outcome.stage, reply)
    scope = _scope(outcome.stage, reason)
    if reason is None:
        return Verdict(Kind.RETRY, None, scope, _sentence(outcome.stage, "put off", reply))
    return Verdict(Kind.REFUSED, reason, scope, _sentence(outcome.stage, "refused", reply))


def _unanswered(stage: Stage, error: str) -> Verdict:
    if stage is Stage.DOT:
        detail = f"Whether the letter arrived is not known: {error}."
        return Verdict(Kind.IN_DOUBT, FailureReason.UNKNOWN, Scope.LETTER, detail)
    scope = Scope.MAILBOX if stage in _BEFORE_THE_LETTER else Scope.LETTER
    return Verdict(Kind.RETRY, None, scope, f"The letter was not sent; trouble with {_WHERE[stage]}: {error}.")


def _sentence(stage: Stage, verb: str, reply: Reply) -> str:
    return f"The server {verb} {_WHERE[stage]}: {reply}."


_LOGIN_CODES = frozenset({530, 534, 535, 538})
_LIMIT_CODES = frozenset({"4.5.3", "5.4.5"})
_ADDRESS_CODES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_NO_SUCH_RECIPIENT = frozenset({501, 550, 551, 553})
_NULL_MX = 556
_TOO_LARGE = 552


def _reason(stage: Stage, reply: Reply) -> FailureReason | None:
    if reply.code in _LOGIN_CODES:
        return FailureReason.AUTH
    if _says_sending_limit(reply):
        return FailureReason.SENDOUT_LIMITED
    if reply.code < 500 or stage in (Stage.CONNECT, Stage.TLS):
        return None
    if stage is Stage.AUTH:
        return FailureReason.AUTH
    if _says_too_large(reply):
        return FailureReason.ATTACHMENT_LIMIT_EXCEEDED
    if stage is Stage.MAIL:
        return FailureReason.AUTH  # it may not send as this address, which is nobody's fault but the mailbox's
    if _says_no_such_recipient(stage, reply):
        return FailureReason.RECIPIENT_INVALID
    return FailureReason.UNKNOWN


_RATE_WORDS = re.compile(
    r"rate.?limit|throttl|too many (?:messages|mails|e-?mails)"
    r"|\b(?:sending|send|daily|hourly|outbound|outgoing) (?:\w+ )?(?:limit|quota|rate|threshold)"
    r"|\bper[ -](?:minute|hour|day)\b|exceeded (?:\w+ ){0,3}threshold",
    re.IGNORECASE,
)


def _says_sending_limit(reply: Reply) -> bool:
    enhanced = reply.enhanced or ""
    if enhanced in _LIMIT_CODES:
        return True
    # 5.2.x is the recipient's own mailbox: its limits are not ours.
    about_recipient = enhanced in _ADDRESS_CODES or enhanced.startswith("5.2.")
    return reply.code >= 500 and not about_recipient and _RATE_WORDS.search(reply.text) is not None


def _says_too_large(reply: Reply) -> bool:
    if reply.enhanced in ("5.3.4", "5.2.3"):
        return True
    # 552 alone means size; with 5.2.2 it is a full mailbox, with 5.7.x a content rule.
    return reply.code == _TOO_LARGE and (reply.enhanced is None or reply.enhanced.startswith("5.3."))


def _says_no_such_recipient(stage: Stage, reply: Reply) -> bool:
    enhanced = reply.enhanced or ""
    if enhanced in _ADDRESS_CODES or reply.code == _NULL_MX:
        return True
    # A policy (5.7.x), a full mailbox or the server's own trouble says nothing about the address.
    elsewhere = enhanced == "5.2.2" or enhanced.startswith(("5.3.", "5.7."))
    return stage is Stage.RCPT and reply.code in _NO_SUCH_RECIPIENT and not elsewhere


def _scope(stage: Stage, reason: FailureReason | None) -> Scope:
    if reason is FailureReason.RECIPIENT_INVALID:
        return Scope.ADDRESS
    if reason is FailureReason.ATTACHMENT_LIMIT_EXCEEDED:
        return Scope.LETTER
    if reason in (FailureReason.AUTH, FailureReason.SENDOUT_LIMITED) or stage in _BEFORE_THE_LETTER:
        return Scope.MAILBOX
    return Scope.ADDRESS if stage is Stage.RCPT and reason is None else Scope.LETTER


RETRIED_FOR: Final = timedelta(days=3)
_WAITS_IN_MINUTES = (1, 5, 15, 60, 240)
_JITTER = 0.25


def retry_at(stage: Stage, attempt: int, first_tried_at: datetime, now: datetime, seed: bytes) -> datetime | None:
    """When to try again after the given attempt (1 is the first) failed; None once three days are over."""
    if now - first_tried_at >= RETRIED_FOR:
        return None
    # Greylisting servers, which answer the recipient, take nobody back within minutes.
    waits = _WAITS_IN_MINUTES[1:] if stage is Stage.RCPT else _WAITS_IN_MINUTES
    minutes = waits[min(max(attempt, 1), len(waits)) - 1]
    digest = sha256(b"retry %d " % attempt + seed).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return now + timedelta(minutes=minutes * (1 + _JITTER * share))


def reason_after_giving_up(stage: Stage) -> FailureReason:
    """What blocks a letter whose retries ended at this stage."""
    return _GIVEN_UP[stage]


_GIVEN_UP: Final[Mapping[Stage, FailureReason]] = MappingProxyType(
    {
        Stage.CONNECT: FailureReason.SENDOUT_DISABLED,
        Stage.TLS: FailureReason.SENDOUT_DISABLED,
        Stage.AUTH: FailureReason.AUTH,
        Stage.MAIL: FailureReason.SENDOUT_LIMITED,
        Stage.RCPT: FailureReason.RECIPIENT_INVALID,
        Stage.DATA: FailureReason.UNKNOWN,
        Stage.DOT: FailureReason.UNKNOWN,
    }
)
