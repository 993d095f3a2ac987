"""What merge tags may see: the person, the sender, the account and the way out."""

from __future__ import annotations

from typing import Any

from drumbeat.domain.account import Account, User
from drumbeat.domain.person import Person, person_values
from drumbeat.store.mailboxes import StoredMailbox


def letter_values(person: Person, account: Account, mailbox: StoredMailbox, unsubscribe_url: str) -> dict[str, Any]:
    """The nested values of a letter that leaves from the mailbox."""
    sender = {"name": mailbox.sender_name, "email": mailbox.sender_email}
    return {**_values(person, account, sender), "unsubscribe_url": unsubscribe_url}


def task_values(person: Person | None, account: Account, actor: User) -> dict[str, Any]:
    """The nested values of a task, whose sender is the user it is for."""
    return _values(person, account, {"name": actor.name, "email": actor.email})


def _values(person: Person | None, account: Account, sender: dict[str, Any]) -> dict[str, Any]:
    of_person = person_values(person) if person else {}
    return {
        "person": of_person,
        "lead": of_person,
        "contact": of_person,
        "sender": sender,
        "account": {"name": account.name, "postal_address": account.postal_address},
    }
