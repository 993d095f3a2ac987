"""Freezing every input of a letter when it is claimed, and making the same bytes from them at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from drumbeat.domain.account import Account
from drumbeat.domain.delivery import message_id
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import Step, Unsubscribing
from drumbeat.domain.template import Rendered, compile_template, freeze, thaw
from drumbeat.domain.unsubscribe import footer, mailto_of, unsubscribe_token
from drumbeat.mail.compose import Letter, Skeleton, ascii_address, compile_skeleton, reply_subject, with_footer
from drumbeat.mail.dkim import SigningKey, signed
from drumbeat.operations.values import letter_values
from drumbeat.store.deliveries import Delivery
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.stamps import from_stamp


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes an installation's letters its own: the key behind ids and links, and its public address."""

    hash_key: bytes
    base_url: str

    def unsubscribe_url(self, account_id: int, enrollment_id: int) -> str:
        """The person's way out of this enrollment."""
        return f"{self.base_url}/u/{unsubscribe_token(self.hash_key, account_id, enrollment_id)}"

    def unsubscribe_mailto(self, account_id: int, enrollment_id: int, address: str) -> str | None:
        """The same way out by mail to a mailbox that hears, if a letter's header can hold its address."""
        return mailto_of(address, unsubscribe_token(self.hash_key, account_id, enrollment_id))


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every input of a letter's bytes beside its version, flat and small enough to keep for each letter."""

    message_id: str
    date: int
    sender_name: str
    sender_email: str
    recipient_email: str
    unsubscribe_url: str
    values: dict[str, Any]
    recipient_name: str = ""
    footer_locale: str | None = None
    postal_address: str | None = None
    in_reply_to: str | None = None
    references: list[str] = []
    previous_subject: str | None = None
    unsubscribe_mailto: str | None = None
    signed_by: int | None = None  # the mailbox whose key signs it
    dkim_selector: str = ""


def freeze_letter(
    identity: Identity,
    enrollment: Enrollment,
    attempt: int,
    *,
    now_stamp: int,
    person: Person,
    account: Account,
    mailbox: StoredMailbox,
    unsubscribing: Unsubscribing,
    thread: Delivery | None,
    hears: bool,
) -> Frozen:
    """What a letter will be made of; `thread` is the accepted letter it replies to, `hears` says that mail which
    comes back to the mailbox is read.

    Raises Unsendable when the mailbox's own address cannot stand in a letter.
    """
    step = enrollment.step
    assert step.template is not None
    url = identity.unsubscribe_url(enrollment.account_id, enrollment.id)
    tags = compile_template(step.template).tags
    previous = None if thread is None else read_frozen(thread.frozen)
    sender = ascii_address(mailbox.sender_email, "sender")
    domain = sender.rpartition("@")[2]
    return Frozen(
        message_id=message_id(
            identity.hash_key, enrollment.account_id, enrollment.id, enrollment.position, attempt, domain
        ),
        date=now_stamp,
        sender_name=mailbox.sender_name,
        sender_email=mailbox.sender_email,
        recipient_email=person.email or "",
        recipient_name=person.name,
        unsubscribe_url=url,
        values=freeze(tags, letter_values(person, account, mailbox, url)),
        footer_locale=unsubscribing.locale if unsubscribing.enabled else None,
        postal_address=account.postal_address,
        in_reply_to=None if previous is None else previous.message_id,
        references=[] if previous is None else [*previous.references, previous.message_id],
        previous_subject=None if previous is None else _subject_of(previous, enrollment, thread),
        unsubscribe_mailto=(
            identity.unsubscribe_mailto(enrollment.account_id, enrollment.id, sender) if hears else None
        ),
        signed_by=None if mailbox.dkim_selector is None else mailbox.id,
        dkim_selector=mailbox.dkim_selector or "",
    )


def lacks_less(frozen: Frozen, step: Step, person: Person, account: Account, mailbox: StoredMailbox) -> bool:
    """Whether a tag that had no value when the letter was frozen has one now."""
    assert step.template is not None
    tags = compile_template(step.template).tags
    values = freeze(tags, letter_values(person, account, mailbox, frozen.unsubscribe_url))
    return bool(values.keys() - frozen.values.keys())


def _subject_of(frozen: Frozen, enrollment: Enrollment, delivery: Delivery | None) -> str:
    assert delivery is not None
    template = enrollment.plan.steps[delivery.position].template
    assert template is not None
    subject = compile_template(template).render(thaw(frozen.values), _date(frozen)).subject
    return subject if frozen.previous_subject is None else reply_subject(subject, frozen.previous_subject)


def _date(frozen: Frozen) -> datetime:
    return from_stamp(frozen.date // 1_000_000 * 1_000_000)


def rendered_letter(step: Step, frozen: Frozen) -> Rendered:
    """The subject and the bodies that frozen inputs make, footer included; raises MissingTags or TemplateFails."""
    assert step.template is not None
    rendered = compile_template(step.template).render(thaw(frozen.values), _date(frozen))
    if frozen.footer_locale is not None:
        words = footer(frozen.footer_locale, frozen.unsubscribe_url, frozen.postal_address)
        rendered = with_footer(rendered, words, frozen.unsubscribe_url)
    if frozen.previous_subject is not None:
        subject = reply_subject(rendered.subject, frozen.previous_subject)
        return Rendered(subject, rendered.html, rendered.text)
    return rendered


def encode_frozen(frozen: Frozen) -> str:
    """The frozen inputs as stored."""
    return _ENCODER.encode(frozen).decode()


def read_frozen(text: str) -> Frozen:
    """Frozen inputs as they were stored."""
    return _DECODER.decode(text)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Frozen)


class Writer:
    """Writes letters from frozen inputs; a step's attachments are encoded once.

    `content_of(account_id, sha256)` reads an attachment, `key_of(account_id, mailbox_id)` a key to sign with.
    """

    def __init__(
        self,
        content_of: Callable[[int, str], bytes],
        key_of: Callable[[int, int], SigningKey | None] = lambda _, __: None,
    ) -> None:
        self._content_of = content_of
        self._key_of = key_of
        self._skeletons = lru_cache(maxsize=64)(self._compile)

    def write(self, account_id: int, step: Step, frozen: Frozen) -> bytes:
        """The letter's bytes; raises MissingTags or TemplateFails before anything is sent."""
        rendered = rendered_letter(step, frozen)
        letter = Letter(
            message_id=frozen.message_id,
            date=_date(frozen),
            sender_name=frozen.sender_name,
            sender_email=frozen.sender_email,
            recipient_name=frozen.recipient_name,
            recipient_email=frozen.recipient_email,
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            unsubscribe_url=frozen.unsubscribe_url,
            unsubscribe_mailto=frozen.unsubscribe_mailto,
            in_reply_to=frozen.in_reply_to,
            references=tuple(frozen.references),
        )
        attachments = tuple((a.name, a.content_type, a.sha256) for a in step.attachments)
        content = self._skeletons(account_id, rendered.html is not None, attachments).fill(letter)
        key = None if frozen.signed_by is None else self._key_of(account_id, frozen.signed_by)
        if key is None:
            return content
        domain = ascii_address(frozen.sender_email, "sender").rpartition("@")[2].lower()
        return signed(content, key, domain, frozen.dkim_selector, _date(frozen))

    def _compile(self, account_id: int, has_html: bool, attachments: tuple[tuple[str, str, str], ...]) -> Skeleton:
        contents = [(name, kind, self._content_of(account_id, sha256)) for name, kind, sha256 in attachments]
        return compile_skeleton(has_html, tuple(contents))
