"""/api/templates: subject, bodies and attachments of letters; and how one looks for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role
from drumbeat.domain.errors import MalformedBody
from drumbeat.domain.person import PersonKind
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, nothing, reply, reply_all
from drumbeat.http.decoding import BodyReader, Id, Name, struct_changes
from drumbeat.http.openapi import BINARY, described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.people import find_person
from drumbeat.operations.templates import (
    LARGEST_ATTACHMENT,
    MOST_ATTACHMENTS,
    Draft,
    add_template,
    change_template,
    delete_template,
    draft_of,
    keep_content,
    preview,
)
from drumbeat.store import accounts, templates
from drumbeat.store.templates import StoredTemplate
from drumbeat.store.transaction import Tx

_Body = Annotated[str, msgspec.Meta(max_length=200_000, pattern="^[^\\x00]*$")]
_Subject = Annotated[str, msgspec.Meta(max_length=998, pattern="^[^\\x00]*$")]


class NamedContent(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A content that was uploaded, with the name and type it travels under."""

    name: Name
    content_type: Name
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


_Attachments = Annotated[list[NamedContent], msgspec.Meta(max_length=MOST_ATTACHMENTS)]


class NewTemplate(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A template in Liquid; it needs html, text or both. Without a subject it can only go on in a thread."""

    name: Name
    subject: _Subject = ""
    html: _Body | None = None
    text: _Body | None = None
    attachments: _Attachments = []


class ChangedTemplate(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes a body away, attachments are replaced as a whole."""

    name: Name | UnsetType = UNSET
    subject: _Subject | UnsetType = UNSET
    html: _Body | UnsetType | None = UNSET
    text: _Body | UnsetType | None = UNSET
    attachments: _Attachments | UnsetType = UNSET


class ShownContent(msgspec.Struct, rename="camel", frozen=True):
    """An attachment; its size in bytes."""

    name: str
    content_type: str
    sha256: str
    size: int


class ShownTemplate(msgspec.Struct, frozen=True):
    """A template as it stands; versions of sequences carry copies."""

    id: int
    name: str
    subject: str
    html: str | None
    text: str | None
    attachments: list[ShownContent]


class Uploaded(msgspec.Struct, frozen=True):
    """What templates name the content by."""

    sha256: str
    size: int


class Trying(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A template and the person it is to be tried for."""

    person_kind: PersonKind
    person_id: Id
    subject: _Subject = ""
    html: _Body | None = None
    text: _Body | None = None


class Tried(msgspec.Struct, frozen=True):
    """What the person would get; or nothing, and the tags that have no value for them and no default."""

    subject: str | None
    html: str | None
    text: str | None
    missing: list[str]


_TEMPLATE: dict[str, Any] = {
    "id": 1,
    "name": "Hello",
    "subject": "Tea, {{ person.first_name | default: 'perhaps' }}?",
    "html": None,
    "text": "Dear {{ person.first_name | default: 'friend' }},\n\ntea is ready.\n",
    "attachments": [],
}
_EXAMPLE = {"data": _TEMPLATE}
_read_new = BodyReader(NewTemplate)
_read_changes = BodyReader(ChangedTemplate)
_read_trying = BodyReader(Trying)


@readable(
    "/templates",
    opt=described("List templates", role=Role.AGENT, answer=Many[ShownTemplate], answer_example={"data": [_TEMPLATE]}),
)
def list_templates(request: AnyRequest) -> Response[bytes]:
    """Every template of the account by id."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = templates.list_all(snapshot, member.account_id)
    return reply_all([_shown(each) for each in found])


@readable(
    "/templates/{id:str}",
    opt=described(
        "Show a template", role=Role.AGENT, answer=One[ShownTemplate], answer_example=_EXAMPLE, refusals=(404,)
    ),
)
def show_template(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One template."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        return reply(_shown(templates.get(snapshot, member.account_id, read_id(id, "template"))))


@post(
    "/templates",
    sync_to_thread=True,
    opt=described(
        "Make a template",
        role=Role.AGENT,
        body=NewTemplate,
        example={"name": "Hello", "subject": "Tea?", "text": "Dear {{ person.first_name | default: 'friend' }}, ..."},
        answer=One[ShownTemplate],
        answer_example=_EXAMPLE,
        status=201,
        refusals=(409,),
    ),
)
def make_template(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new template; what does not parse is told with its part and line."""
    member = admit_writing(request)
    read_parameters(request)
    sent = _read_new(request, body)
    source = TemplateText(sent.subject, sent.html or None, sent.text or None)
    draft = Draft(sent.name, source, _named(sent.attachments))
    made = parts_of(request).world.database.transact(
        lambda tx: add_template(tx, member.account_id, draft, member.user_id)
    )
    return reply(_shown(made), 201)


@put(
    "/templates/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a template",
        role=Role.AGENT,
        body=ChangedTemplate,
        example={"subject": "Tea today?"},
        answer=One[ShownTemplate],
        answer_example=_EXAMPLE,
        refusals=(404, 409),
    ),
)
def update_template(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the fields sent; a sequence sends the new text once it is published again."""
    member = admit_writing(request)
    read_parameters(request)
    number, changes = read_id(id, "template"), struct_changes(_read_changes(request, body))

    def work(tx: Tx) -> StoredTemplate:
        before = draft_of(templates.lock(tx, member.account_id, number))
        return change_template(tx, member.account_id, number, _changed(before, changes), member.user_id)

    return reply(_shown(parts_of(request).world.database.transact(work)))


def _changed(before: Draft, changes: dict[str, Any]) -> Draft:
    texts = {part: changes[part] for part in ("subject", "html", "text") if part in changes}
    attachments = _named(changes["attachments"]) if "attachments" in changes else before.attachments
    return Draft(changes.get("name", before.name), replace(before.source, **texts), attachments)


def _named(sent: Sequence[NamedContent]) -> list[Attachment]:
    return [Attachment(each.name, each.content_type, each.sha256, 0) for each in sent]


@delete(
    "/templates/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Delete a template", role=Role.AGENT, status=204, refusals=(404,)),
)
def remove_template(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Sequences that were published with it go on sending what they have."""
    member = admit_writing(request)
    read_parameters(request)
    number = read_id(id, "template")
    parts_of(request).world.database.transact(lambda tx: delete_template(tx, member.account_id, number, member.user_id))
    return nothing()


@post(
    "/templates/preview",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Try a template",
        role=Role.AGENT,
        body=Trying,
        example={"subject": "Tea?", "text": "Dear {{ person.first_name }}", "personKind": "contact", "personId": 7},
        answer=One[Tried],
        answer_example={"data": {"subject": "Tea?", "html": None, "text": "Dear Ada", "missing": []}},
    ),
)
def try_template(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The letter as this person would get it from whoever is signed in; nothing is stored or sent."""
    member = admit_writing(request)
    read_parameters(request)
    sent = _read_trying(request, body)
    world = parts_of(request).world
    with world.database.read() as snapshot:
        whom, seen_by = (sent.person_kind, sent.person_id), member.seen_by
        person = find_person(snapshot, member.account_id, *whom, "person_id", seen_by=seen_by)
        user = accounts.get_user(snapshot, member.account_id, member.user_id)
        source = TemplateText(sent.subject, sent.html or None, sent.text or None)
        url = f"{world.settings.base_url}/u/preview"
        tried = preview(snapshot, member.account_id, user, source, person, url)
    rendered = tried.rendered
    if rendered is None:
        return reply(Tried(None, None, None, list(tried.missing)))
    return reply(Tried(rendered.subject, rendered.html, rendered.text, []))


@post(
    "/attachments",
    sync_to_thread=True,
    request_max_body_size=LARGEST_ATTACHMENT,
    opt=described(
        "Upload an attachment's content",
        role=Role.AGENT,
        body=BINARY,
        answer=One[Uploaded],
        answer_example={"data": {"sha256": "9f86d081…", "size": 4}},
        status=201,
    ),
)
def upload(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The body as it is, 10 MB at most; kept once for the account. A template names it by its SHA-256."""
    member = admit_writing(request)
    read_parameters(request)
    content = bytes(body)
    if not content:
        raise MalformedBody("The body is empty: send the file as it is.")
    digest = parts_of(request).world.database.transact(lambda tx: keep_content(tx, member.account_id, content))
    return reply(Uploaded(digest, len(content)), 201)


def _shown(template: StoredTemplate) -> ShownTemplate:
    contents = [ShownContent(a.name, a.content_type, a.sha256, a.size) for a in template.attachments]
    source = template.source
    return ShownTemplate(template.id, template.name, source.subject, source.html, source.text, contents)


handlers = [
    list_templates,
    show_template,
    make_template,
    update_template,
    remove_template,
    try_template,
    upload,
]
