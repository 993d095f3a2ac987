"""/templates: letters with merge tags, tried for a real person while they are written, with their attachments."""

from __future__ import annotations

import re
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import DrumbeatError, IncorrectValue, Invalid, InvalidMany, TemplateSyntax
from drumbeat.domain.person import PersonKind
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.http.pages import CAGE_POLICY
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import File, Form
from drumbeat.http.web.frame import Said, Sent, Visit, opened, posted, visiting
from drumbeat.http.web.tried import Tried, find_whom, offered_people, told_of, tried_for
from drumbeat.operations.accounts import new_secret
from drumbeat.operations.templates import (
    LARGEST_ATTACHMENT,
    MOST_ATTACHMENTS,
    Draft,
    add_template,
    change_template,
    delete_template,
    draft_of,
    keep_content,
)
from drumbeat.operations.trial import Trial, send_trial, write_trial
from drumbeat.store import people, sequences, templates
from drumbeat.store.templates import StoredTemplate
from drumbeat.store.transaction import Tx

LARGEST_FORM = 50_000_000  # what is attached at once, and the texts
_NEW = "new"  # in the place of an id
_FILES_GO = " Choose the files to attach again: a page cannot keep them."
# What can be picked while writing: the merge tag, and what it stands for.
TAGS = (
    ("person.first_name | default: 'there'", "First name, or “there”"),
    ("person.last_name", "Last name"),
    ("person.name", "Whole name"),
    ("person.organization_name", "Company"),
    ("person.title", "Job title"),
    ("person.email", "E-mail address"),
    ("person.phone", "Phone number"),
    ("sender.name", "Your name"),
    ("sender.email", "Your e-mail address"),
    ("account.name", "Your company"),
    ("account.postal_address", "Your company's postal address"),
    ("unsubscribe_url", "The way out"),
)
_LIQUID = (
    *("and", "as", "blank", "cols", "contains", "continue", "else", "empty", "false", "for", "if", "in", "limit"),
    *("nil", "not", "null", "offset", "or", "required", "reversed", "true", "with"),
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_QUOTABLE_NAME = re.compile(r"[^\\\"{}%]+")


@readable("/templates", opt=opened())
def show_templates(request: AnyRequest) -> Response[bytes]:
    """Every template, and which sequences send it."""
    with visiting(request) as visit:
        found = sorted(templates.list_all(visit.snapshot, visit.account_id), key=lambda each: each.name.casefold())
        return visit.page("templates.html", templates=found, used=_used(visit))


def _used(visit: Visit) -> dict[int, list[str]]:
    """The names of the sequences whose published steps were made from each template."""
    live = sequences.list_all(visit.snapshot, visit.account_id)
    keys = [(each.id, each.version) for each in live if each.version]
    versions = sequences.find_versions(visit.snapshot, visit.account_id, keys)
    used: dict[int, list[str]] = {}
    for each in live:
        version = versions.get((each.id, each.version))
        for id in dict.fromkeys(step.email_template_id for step in (version.steps if version else ())):
            if id is not None:
                used.setdefault(id, []).append(each.name)
    return used


@readable("/templates/new", opt=opened())
def show_new_template(request: AnyRequest) -> Response[bytes]:
    """An empty editor."""
    with visiting(request) as visit:
        return _editor(visit, _form_of(visit, Draft("", TemplateText("", None, None))), None)


@readable("/templates/{id:str}", opt=opened())
def show_template(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """The editor, with how the letter looks for whom the address names, or somebody."""
    with visiting(request) as visit:
        found = templates.get(visit.snapshot, visit.account_id, read_id(id, "template"))
        return _editor(visit, _form_of(visit, draft_of(found)), found)


def _form_of(visit: Visit, draft: Draft) -> Form:
    source, whom = draft.source, visit.query.get("whom", "")
    return Form.of(
        name=draft.name, subject=source.subject, text=source.text, html=source.html, new_file=None, whom=whom
    )


def _editor(
    visit: Visit, form: Form, found: StoredTemplate | None, status: int = 200, *, trial: Said | None = None
) -> Response[bytes]:
    known = offered_people(visit, form.text("whom"), form.text("find"))
    return visit.page(
        "template.html",
        status,
        form=form,
        template=found,
        tags=TAGS,
        own_tags=own_tags(visit),
        people=known,
        used=_used(visit).get(found.id, []) if found else [],
        tried=tried_for(visit, _source(form), known[0] if known else None, _served_at(visit.request)),
        trial=trial,
        most_attachments=MOST_ATTACHMENTS,
    )


def _served_at(request: AnyRequest) -> str:
    return parts_of(request).world.settings.base_url


def own_tags(visit: Visit) -> list[tuple[str, str]]:
    """The merge tags of the account's own fields, and the fields' names; not of names that none can be written for."""
    names = {name for kind in PersonKind for name in people.custom_names(visit.snapshot, visit.account_id, kind)}
    return [(tag, name) for name in sorted(names, key=str.casefold) if (tag := _own_tag(name))]


def _own_tag(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name) and name not in _LIQUID:
        return f"person.custom.{name}"
    return f'person.custom["{name}"]' if _QUOTABLE_NAME.fullmatch(name) else ""


def _source(form: Form) -> TemplateText:
    html, text = form.raw("html"), form.raw("text")
    return TemplateText(form.text("subject"), html if html.strip() else None, text if text.strip() else None)


@post("/templates/preview", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def show_preview(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The part of the editor that shows the letter for the person chosen, asked for while one types."""
    sent = posted(request, body)
    with sent.again() as visit:
        tried = _tried(sent, visit)
        return visit.part("template_tried.html", tried=tried, is_news=tried.said != sent.form.text("said"))


@post("/templates/preview-html", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def show_preview_html(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The letter's HTML for the person chosen, caged: no script, no form, nothing from the network."""
    sent = posted(request, body)
    with sent.again() as visit:
        html = _tried(sent, visit).html
    headers = {"content-security-policy": CAGE_POLICY, "cache-control": "no-store"}
    return Response(html.encode(), media_type="text/html", headers=headers)


def _tried(sent: Sent, visit: Visit) -> Tried:
    whom = find_whom(visit, sent.form.text("whom"))
    return tried_for(visit, _source(sent.form), whom, _served_at(sent.request))


@post(
    "/templates/{id:str}/look", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened()
)
def look_for_people(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Whom a text finds, to look at the letter for: in the editor as it was left, or for it alone to put in."""
    sent = posted(request, body)
    with sent.again() as visit:
        if not request.headers.get("hx-request"):
            return _back(visit, sent, _edited(visit, id))
        found = offered_people(visit, sent.form.text("whom"), sent.form.text("find"))
        part = visit.part("template_people.html", people=found)
        part.headers["hx-trigger-after-swap"] = "found"
        return part


def _edited(visit: Visit, id: str) -> StoredTemplate | None:
    """The template of an editor; None for a new one's."""
    return None if id == _NEW else templates.get(visit.snapshot, visit.account_id, read_id(id, "template"))


def _back(visit: Visit, sent: Sent, found: StoredTemplate | None, status: int = 200, **more: Any) -> Response[bytes]:
    """The editor with what was typed in it."""
    sent.form.values = {**sent.form.values, "new_file": [""]}
    return _editor(visit, sent.form, found, status, **more)


@post("/templates/new", status_code=303, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def make_template(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Keeps a new template; what does not parse is told with its part and line."""
    sent = posted(request, body)

    def work(tx: Tx) -> StoredTemplate:
        return add_template(tx, sent.account_id, _draft(tx, sent, ()), sent.by)

    try:
        made = sent.transact(work)
    except (Invalid, InvalidMany, TemplateSyntax) as error:
        return _again(sent, error, None)
    return sent.to(f"/templates/{made.id}", "The template is kept. Use it in a sequence's step.")


@post("/templates/{id:str}", status_code=303, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def update_template(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Keeps the changes; sequences send them once they are published again."""
    sent, number = posted(request, body), read_id(id, "template")

    def work(tx: Tx) -> StoredTemplate:
        before = draft_of(templates.lock(tx, sent.account_id, number))
        return change_template(tx, sent.account_id, number, _draft(tx, sent, before.attachments), sent.by)

    try:
        sent.transact(work)
    except (Invalid, InvalidMany, TemplateSyntax) as error:
        return _again(sent, error, number)
    return sent.to(f"/templates/{number}", "The changes are kept. Sequences send them once they are published again.")


def _again(sent: Sent, error: DrumbeatError, id: int | None) -> Response[bytes]:
    if isinstance(error, TemplateSyntax):
        error = IncorrectValue(error.detail, field=error.part)
    with sent.again() as visit:
        found = None if id is None else templates.get(visit.snapshot, sent.account_id, id)
        sent.form.complain(error)
        return _back(visit, sent, found, 422)


def _draft(tx: Tx, sent: Sent, standing: Any) -> Draft:
    kept = _without_those_taken_away(sent.form, standing)
    new = [_attached(tx, sent, file) for file in sent.form.files.get("new_file", ())]
    if len(kept) + len(new) > MOST_ATTACHMENTS:
        raise IncorrectValue(f"Attach at most {MOST_ATTACHMENTS} files.", field="new_file")
    return Draft(sent.form.text("name"), _source(sent.form), [*kept, *new])


def _without_those_taken_away(form: Form, standing: Any) -> list[Attachment]:
    return [each for each in standing if each.sha256 not in form.all("detach")]


def _attached(tx: Tx, sent: Sent, file: File) -> Attachment:
    if len(file.content) > LARGEST_ATTACHMENT:
        raise IncorrectValue(f"{file.name} is larger than 10 MB.", field="new_file")
    if not file.content:
        raise IncorrectValue(f"{file.name} is empty.", field="new_file")
    digest = keep_content(tx, sent.account_id, file.content)
    return Attachment(file.name, file.content_type, digest, len(file.content))


@post("/templates/{id:str}/delete", status_code=303, sync_to_thread=True, opt=opened())
def remove_template(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """It goes; sequences that were published with it go on sending what they have."""
    sent, number = posted(request, body), read_id(id, "template")
    said = "The template is deleted. Sequences that were published with it go on sending what they have."
    return sent.done("/templates", said, lambda tx: delete_template(tx, sent.account_id, number, sent.by))


@post("/templates/{id:str}/try", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def try_template(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Sends whoever asks the letter in the editor as the person chosen would get it, marked as a trial; nothing of it
    is kept, and nothing is lost: the editor stays as it was left."""
    sent = posted(request, body)
    with sent.again() as visit:
        found = _edited(visit, id)
    told = _try(sent, found)
    with sent.again() as visit:
        if request.headers.get("hx-request"):
            return visit.part("template_trial.html", trial=told)
        if sent.form.files:
            told = Said(f"{told.text}{_FILES_GO}", told.wrong)
        return _back(visit, sent, found, 422 if told.wrong else 200, trial=told)


def _try(sent: Sent, found: StoredTemplate | None) -> Said:
    try:
        with sent.again() as visit:
            trial = _written(sent, visit, found)
        send_trial(sent.world.vault, sent.world.tokens, trial)
    except DrumbeatError as error:
        return Said(told_of(error), wrong=True)
    return Said(f"A trial letter is on its way to {trial.recipient}.")


def _written(sent: Sent, visit: Visit, found: StoredTemplate | None) -> Trial:
    person = find_whom(visit, sent.form.text("whom"))
    if person is None:
        raise IncorrectValue("Choose whose letter it is.", field="whom")
    attachments = _without_those_taken_away(sent.form, found.attachments if found else ())
    draft = Draft(sent.form.text("name"), _source(sent.form), attachments)
    url, mark = f"{_served_at(sent.request)}/u/preview", new_secret()
    return write_trial(visit.snapshot, sent.world.writer, sent.account_id, sent.by, draft, person, url=url, mark=mark)


handlers = [
    show_templates,
    show_new_template,
    show_template,
    show_preview,
    show_preview_html,
    look_for_people,
    make_template,
    update_template,
    remove_template,
    try_template,
]
