"""Templates: made, changed, deleted and tried; versions that were published keep their copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from drumbeat.domain.account import User
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, MissingTags, TemplateFails
from drumbeat.domain.gaps import fill_gaps
from drumbeat.domain.line import check_line
from drumbeat.domain.person import Person
from drumbeat.domain.template import (
    CONTENT_TYPE,
    SOURCE_LIMIT,
    Attachment,
    Rendered,
    Template,
    TemplateText,
    compile_template,
)
from drumbeat.operations.values import letter_values, task_values
from drumbeat.store import accounts, events, mailboxes, templates
from drumbeat.store.templates import StoredTemplate
from drumbeat.store.transaction import Snapshot, Tx

LARGEST_ATTACHMENT: Final = 10_000_000
LONGEST_SUBJECT: Final = 998  # characters, as a line of a letter; merge tags count as they are written
MOST_ATTACHMENTS: Final = 20
_MOST_FILLED: Final = 4  # times that what was filled in asks for more


@dataclass(frozen=True, slots=True)
class Draft:
    """A template as its author wants it; an attachment's size is looked up."""

    name: str
    source: TemplateText
    attachments: Sequence[Attachment] = ()


def draft_of(template: StoredTemplate) -> Draft:
    """A template as it stands, to be changed."""
    return Draft(template.name, template.source, template.attachments)


def add_template(tx: Tx, account_id: int, draft: Draft, actor_id: int) -> StoredTemplate:
    """A new template; TemplateSyntax names the part and line that do not parse, Invalid the field that is wrong."""
    checked = _checked(tx, account_id, draft)
    added = templates.add(tx, account_id, checked.name, checked.source, checked.attachments)
    _journal(tx, account_id, "template_added", added.id, actor_id, added.name)
    return added


def change_template(tx: Tx, account_id: int, id: int, draft: Draft, actor_id: int) -> StoredTemplate:
    """Change a locked template; sequences send it once they are published again."""
    before = templates.get(tx, account_id, id)
    checked = _checked(tx, account_id, draft, but=before)
    after = StoredTemplate(id, checked.name, checked.source, tuple(checked.attachments))
    if after != before:
        templates.save(tx, account_id, after)
        _journal(tx, account_id, "template_changed", id, actor_id, after.name)
    return after


def _checked(tx: Tx, account_id: int, draft: Draft, but: StoredTemplate | None = None) -> Draft:
    name = check_line(draft.name, "name")
    template_of(draft.source)
    if any(each.name == name and each != but for each in templates.list_all(tx, account_id)):
        raise AlreadyExists(f"Another template has the name {name!r}.", field="name")
    return Draft(name, draft.source, [_kept(tx, account_id, i, each) for i, each in enumerate(draft.attachments)])


def template_of(source: TemplateText) -> Template:
    """The template of texts that somebody wrote; Invalid if they are longer than any, TemplateSyntax as it says."""
    check_line(source.subject, "subject", at_most=LONGEST_SUBJECT, blank=True)
    for part, text in (("html", source.html), ("text", source.text)):
        if len(text or "") > SOURCE_LIMIT:
            raise IncorrectValue(f"It has at most {SOURCE_LIMIT:,} characters.", field=part)
    return compile_template(source)


def _kept(tx: Tx, account_id: int, number: int, attachment: Attachment) -> Attachment:
    """The attachment with its size; its content was uploaded before."""
    at = f"attachments[{number}]"
    name = check_line(attachment.name, f"{at}.name")
    if not CONTENT_TYPE.fullmatch(attachment.content_type.lower()):
        detail = "Write a content type such as application/pdf; message and multipart are none here."
        raise IncorrectValue(detail, field=f"{at}.content_type")
    size = templates.attachment_size(tx, account_id, attachment.sha256)
    if size is None:
        raise IncorrectValue("There is no such content; upload it first.", field=f"{at}.sha256")
    return Attachment(name, attachment.content_type, attachment.sha256, size)


def delete_template(tx: Tx, account_id: int, id: int, actor_id: int) -> None:
    """Delete a template; sequences that were published with it go on sending what they have."""
    template = templates.get(tx, account_id, id)
    templates.delete(tx, account_id, id)
    _journal(tx, account_id, "template_deleted", id, actor_id, template.name)


def keep_content(tx: Tx, account_id: int, content: bytes) -> str:
    """Keep the content of an attachment; returns its SHA-256 in hex, by which templates name it."""
    digest = sha256(content).hexdigest()
    templates.keep_attachment(tx, account_id, digest, content)
    return digest


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person would get; or nothing, the tags that have no value for them, and the letter with those marked."""

    rendered: Rendered | None
    missing: tuple[str, ...] = ()
    marked: Rendered | None = None


def preview(snapshot: Snapshot, account_id: int, user: User, source: TemplateText, person: Person, url: str) -> Preview:
    """The letter that a person would get from this user; `url` stands for the way out."""
    template = template_of(source)
    account = accounts.get_account(snapshot, account_id)
    mailbox = None if user.mailbox_id is None else mailboxes.get(snapshot, account_id, user.mailbox_id)
    if mailbox is None:
        values = task_values(person, account, user) | {"unsubscribe_url": url}
    else:
        values = letter_values(person, account, mailbox, url)
    try:
        return Preview(template.render(values, snapshot.now))
    except MissingTags as error:
        return Preview(None, error.tags, _marked(template, values, error.tags, snapshot.now))


def _marked(template: Template, values: dict[str, Any], missing: Sequence[str], at: datetime) -> Rendered | None:
    """The letter with its gaps marked, as `domain/gaps.py` does; None where nothing can be made of them."""
    for _ in range(_MOST_FILLED):
        values = fill_gaps(values, missing)
        try:
            return template.render(values, at)
        except MissingTags as error:
            missing = error.tags
        except TemplateFails:
            return None
    return None


def _journal(tx: Tx, account_id: int, fact: str, id: int, actor_id: int, name: str) -> None:
    events.journal(tx, account_id, fact, subject="template", subject_id=id, actor_id=actor_id, name=name)
