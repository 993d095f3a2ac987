"""Where what holds an enrollment is mended, and who can: agents cannot change mailboxes, users or the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drumbeat.domain.account import Role, User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.person import Person
from drumbeat.domain.timeline import Binding, Hold, Lifter

_MAILBOX, _USER, _ACCOUNT, _SETTINGS = "mailbox", "user", "account", "settings"
_BY_ADMINS = frozenset((_MAILBOX, _USER, _ACCOUNT, _SETTINGS))
_PERSON, _SEQUENCE, _TASK, _TEMPLATES = "person", "sequence", "task", "templates"
_OF_BINDING: Final[Mapping[Binding, str]] = {
    Binding.SEQUENCE_PAUSED: _SEQUENCE,
    Binding.SEQUENCES_DISABLED: _ACCOUNT,
    Binding.ACTOR_INACTIVE: _USER,
    Binding.NO_MAILBOX: _USER,
    Binding.MAILBOX_OFF: _MAILBOX,
    Binding.MAILBOX_HELD: _MAILBOX,
    Binding.SENDER_UNKNOWN: _MAILBOX,
    Binding.NO_POSTAL_ADDRESS: _ACCOUNT,
    Binding.UNDELIVERABLE: _PERSON,
    Binding.QUOTA: _ACCOUNT,
    Binding.PACE: _MAILBOX,
    Binding.TASK_OPEN: _TASK,
}
_OF_REASON: Final[Mapping[FailureReason, str]] = {
    FailureReason.AUTH: _MAILBOX,
    FailureReason.RECIPIENT_INVALID: _PERSON,
    FailureReason.MISSING_MERGE_TAGS: _PERSON,
    FailureReason.ATTACHMENT_LIMIT_EXCEEDED: _TEMPLATES,
    FailureReason.SENDOUT_LIMITED: _MAILBOX,
    FailureReason.SENDOUT_DISABLED: _SETTINGS,
    FailureReason.QUOTA_EXCEEDED: _ACCOUNT,
}


def _where(hold: Hold) -> str:
    if hold.binding is Binding.BLOCKED and hold.reason is not None:
        return _OF_REASON.get(hold.reason, "")
    return _OF_BINDING.get(hold.binding, "")


def lifter_of(hold: Hold, role: Role) -> Lifter:
    """Who can lift it, seen by somebody of this role."""
    is_admins = role is not Role.ADMIN and _where(hold) in _BY_ADMINS
    return Lifter.ADMIN if hold.lifter is Lifter.USER and is_admins else hold.lifter


def link_of(hold: Hold, role: Role, enrollment: Enrollment, person: Person | None, actor: User) -> tuple[str, str]:
    """The page where it is mended and what that is called; both empty where there is none for this role."""
    where, subject = _where(hold), enrollment.subject
    if where in _BY_ADMINS and role is not Role.ADMIN:
        return "", ""
    mailbox_id = subject.mailbox_id or actor.mailbox_id
    links = {
        _MAILBOX: (f"/settings/mailboxes/{mailbox_id}" if mailbox_id else "/settings/mailboxes", "Mailbox"),
        _USER: (f"/settings/users/{actor.id}", "User"),
        _ACCOUNT: ("/settings/account", "Account"),
        _SETTINGS: ("/settings", "Settings"),
        _PERSON: (f"/people/{person.kind}/{person.id}/edit", "Change the person") if person else ("", ""),
        _SEQUENCE: (f"/sequences/{subject.runs_sequence_id}", "Sequence"),
        _TASK: (f"/tasks/{enrollment.task_id}", "Task"),
        _TEMPLATES: ("/templates", "Templates"),
    }
    return links.get(where, ("", ""))
