"""A letter that whoever writes a template sends themselves, as one person would get it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drumbeat.domain.account import User
from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.delivery import Kind, read_outcome
from drumbeat.domain.errors import IncorrectValue, MissingTags
from drumbeat.domain.line import check_line
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import ActionType, Step
from drumbeat.domain.template import freeze
from drumbeat.mail.compose import ascii_address
from drumbeat.mail.outgoing import carry_one, post_of
from drumbeat.mail.smtp import Envelope
from drumbeat.operations.grants import Tokens
from drumbeat.operations.letters import Frozen, Writer
from drumbeat.operations.mailboxes import server_of
from drumbeat.operations.templates import Draft, template_of
from drumbeat.operations.values import letter_values
from drumbeat.store import accounts, mailboxes, quarantine
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.stamps import to_stamp
from drumbeat.store.transaction import Snapshot

MARK = "[Trial] "


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial letter, written and ready to go, and the mailbox it leaves by."""

    mailbox: StoredMailbox
    recipient: str
    content: bytes


def write_trial(
    snapshot: Snapshot,
    writer: Writer,
    account_id: int,
    user_id: int,
    draft: Draft,
    person: Person,
    *,
    url: str,
    mark: str,
) -> Trial:
    """A person's letter of a template, kept or not, to the user; `url` stands for the way out, `mark` makes its
    Message-ID one of its own.

    Invalid or TemplateSyntax as when it is kept; IncorrectValue if the user has no mailbox, or the letter lacks values.
    """
    user = accounts.get_user(snapshot, account_id, user_id)
    mailbox = _mailbox_of(snapshot, user)
    account = accounts.get_account(snapshot, account_id)
    sender = ascii_address(mailbox.sender_email, "sender")
    tags = template_of(draft.source).tags
    source = replace(draft.source, subject=f"{MARK}{draft.source.subject}")
    frozen = Frozen(
        message_id=f"<trial.{check_line(mark, 'mark')}@{sender.rpartition('@')[2]}>",
        date=to_stamp(snapshot.now),
        sender_name=mailbox.sender_name,
        sender_email=mailbox.sender_email,
        recipient_email=user.email,
        recipient_name=user.name,
        unsubscribe_url=url,
        values=freeze(tags, letter_values(person, account, mailbox, url)),
        footer_locale=None,
        postal_address=account.postal_address,
        in_reply_to=None,
        references=[],
        previous_subject=None,
    )
    step = Step(
        ActionType.AUTOMATED_EMAIL,
        Delay(0, Unit.HOURS),
        template=source,
        attachments=tuple(draft.attachments),
    )
    try:
        content = writer.write(account_id, step, frozen)
    except MissingTags as error:
        raise IncorrectValue(f"There is no value for {', '.join(error.tags)}.", field="template") from None
    return Trial(mailbox, ascii_address(user.email, "recipient"), content)


def _mailbox_of(snapshot: Snapshot, user: User) -> StoredMailbox:
    """What the user sends with, if anything may leave through it now."""
    if user.mailbox_id is None:
        raise IncorrectValue("You have no mailbox to send with; an admin can connect one.", field="mailbox")
    mailbox = mailboxes.get(snapshot, user.account_id, user.mailbox_id)
    if not mailbox.is_active:
        raise IncorrectValue("Your mailbox is switched off.", field="mailbox")
    stands_still = quarantine.find(snapshot)
    if stands_still is not None:
        raise IncorrectValue(stands_still.sentence, field="mailbox")
    return mailbox


def send_trial(vault: Vault, tokens: Tokens, trial: Trial) -> None:
    """Give a trial letter to its mailbox's server; IncorrectValue with what the server said if it is not taken."""
    server = server_of(vault, trial.mailbox, tokens.source(trial.mailbox))
    sender = ascii_address(trial.mailbox.sender_email, "sender")
    envelope = Envelope(key="trial", sender=sender, recipient=trial.recipient, content=trial.content)
    verdict = read_outcome(carry_one(post_of(replace(server, connections=1)), envelope))
    if verdict.kind is not Kind.ACCEPTED:
        raise IncorrectValue(f"The mail server did not take it: {verdict.detail}", field="mailbox")
