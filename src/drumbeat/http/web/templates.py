"""/templates: letters with blanks, tried for a real person while they are written, with their attachments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.errors import DrumbeatError, IncorrectValue, Invalid, InvalidMany, Refused, TemplateSyntax
from drumbeat.domain.letter_check import check_letter
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.http.pages import CAGE_POLICY
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.finding import read_number
from drumbeat.http.web.forms import File, Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
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
    preview,
)
from drumbeat.operations.trial import send_trial, write_trial
from drumbeat.store import people, person_pages, sequences, templates
from drumbeat.store.pages import Place
from drumbeat.store.person_pages import Sought
from drumbeat.store.templates import StoredTemplate
from drumbeat.store.transaction import Snapshot, Tx

LARGEST_FORM = 50_000_000  # what is attached at once, and the texts
_LONGEST_BODY = 200_000
_OFFERED = 20
# What can be picked while writing: the tag, and what it stands for.
TAGS = (
    ("person.first_name | default: 'there'", "First name, or “there”"),
    ("person.last_name", "Last name"),
    ("person.name", "Whole name"),
    ("person.organization_name", "Company"),
    ("person.title", "Job title"),
    ("person.custom.plan", "A field of your own, here “plan”"),
    ("sender.name", "Your name"),
    ("account.name", "Your company"),
    ("unsubscribe_url", "The way out"),
)


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
        return _editor(visit, Form.of(name=None, subject=None, text=None, html=None, new_file=None), None)


@readable("/templates/{id:str}", opt=opened())
def show_template(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """The editor, with how the letter looks for somebody."""
    with visiting(request) as visit:
        found = templates.get(visit.snapshot, visit.account_id, read_id(id, "template"))
        source = found.source
        form = Form.of(name=found.name, subject=source.subject, text=source.text, html=source.html, new_file=None)
        return _editor(visit, form, found)


def _editor(visit: Visit, form: Form, found: StoredTemplate | None, status: int = 200) -> Response[bytes]:
    known = offered_people(visit)
    return visit.page(
        "template.html",
        status,
        form=form,
        template=found,
        tags=TAGS,
        people=known,
        used=_used(visit).get(found.id, []) if found else [],
        tried=tried_for(visit, _source(form), known[0] if known else None, _served_at(visit.request)),
        most_attachments=MOST_ATTACHMENTS,
    )


def _served_at(request: AnyRequest) -> str:
    return parts_of(request).world.settings.base_url


def offered_people(visit: Visit) -> list[Person]:
    """The newest people, to look at letters for."""
    place = Place(limit=_OFFERED, descending=True)
    return [
        person
        for kind in PersonKind
        for person in person_pages.list_page(
            visit.snapshot, visit.account_id, Sought(kind), place, seen_by=visit.seen_by
        )
    ]


@dataclass(frozen=True, slots=True)
class Tried:
    """How a letter looks for somebody; or what is in the way: tags without a value, or what does not parse."""

    person: Person | None
    subject: str = ""
    text: str = ""
    html: str = ""
    missing: tuple[str, ...] = ()
    trouble: str = ""
    advice: tuple[str, ...] = ()


def tried_for(visit: Visit, source: TemplateText, person: Person | None, base_url: str) -> Tried:
    """A template's letter for a person, from whoever looks at it."""
    if person is None or not (source.subject or source.html or source.text):
        return Tried(person)
    advice = tuple(check_letter(source))
    try:
        url = f"{base_url}/u/preview"
        tried = preview(visit.snapshot, visit.account_id, visit.user, source, person, url)
    except Refused as error:
        return Tried(person, trouble=error.detail or error.message)
    if tried.rendered is None:
        return Tried(person, missing=tried.missing, advice=advice)
    letter = tried.rendered
    return Tried(person, letter.subject, letter.text, letter.html or "", advice=advice)


def _source(form: Form) -> TemplateText:
    html, text = form.raw("html"), form.raw("text")
    return TemplateText(form.text("subject"), html if html.strip() else None, text if text.strip() else None)


@post("/templates/preview", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def show_preview(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The part of the editor that shows the letter for the person chosen, asked for while one types."""
    sent = posted(request, body)
    with sent.again() as visit:
        person = _chosen(sent, visit.snapshot)
        tried = tried_for(visit, _source(sent.form), person, _served_at(request))
        return visit.part("template_preview.html", tried=tried)


@post("/templates/preview-html", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_FORM, opt=opened())
def show_preview_html(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The letter's HTML for the person chosen, caged: no script, no form, nothing from the network."""
    sent = posted(request, body)
    with sent.again() as visit:
        person = _chosen(sent, visit.snapshot)
        tried = tried_for(visit, _source(sent.form), person, _served_at(request))
    headers = {"content-security-policy": CAGE_POLICY, "cache-control": "no-store"}
    return Response(tried.html.encode(), media_type="text/html", headers=headers)


def _chosen(sent: Sent, snapshot: Snapshot) -> Person | None:
    kind, _, id = sent.form.text("whom").partition(":")
    if kind not in list(PersonKind):
        return None
    person = people.find(snapshot, sent.account_id, PersonKind(kind), read_number({"": id}, ""))
    is_seen = person is not None and sent.member.seen_by in (None, person.owner_id)
    return person if is_seen else None


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
    sent.form.values = {**sent.form.values, "new_file": [""]}
    with sent.again() as visit:
        found = None if id is None else templates.get(visit.snapshot, sent.account_id, id)
        return _editor(visit, sent.form.complain(error), found, 422)


def _draft(tx: Tx, sent: Sent, standing: Any) -> Draft:
    source = _source(sent.form)
    for part in ("html", "text"):
        if len(getattr(source, part) or "") > _LONGEST_BODY:
            raise IncorrectValue(f"It has at most {_LONGEST_BODY:,} characters.", field=part)
    kept = [each for each in standing if each.sha256 not in sent.form.all("detach")]
    new = [_attached(tx, sent, file) for file in sent.form.files.get("new_file", ())]
    if len(kept) + len(new) > MOST_ATTACHMENTS:
        raise IncorrectValue(f"Attach at most {MOST_ATTACHMENTS} files.", field="new_file")
    return Draft(sent.form.text("name"), source, [*kept, *new])


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


@post(
    "/templates/{id:str}/try",
    status_code=303,
    sync_to_thread=True,
    request_max_body_size=LARGEST_FORM,
    opt=opened(),
)
def try_template(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Sends whoever asks the letter as the person chosen would get it, marked as a trial."""
    sent, number = posted(request, body), read_id(id, "template")
    page, world = f"/templates/{number}", sent.world
    try:
        with sent.again() as visit:
            person = _chosen(sent, visit.snapshot)
            found = templates.get(visit.snapshot, sent.account_id, number)
            if person is None:
                raise IncorrectValue("Choose whose letter it is.", field="whom")
            url = f"{world.settings.base_url}/u/preview"
            mark = new_secret()
            trial = write_trial(
                visit.snapshot, world.writer, sent.account_id, sent.by, found, person, url=url, mark=mark
            )
        send_trial(world.vault, world.tokens, trial)
    except DrumbeatError as error:
        return sent.to(page, error.detail or error.message, wrong=True)
    return sent.to(page, f"A trial letter is on its way to {trial.recipient}.")


handlers = [
    show_templates,
    show_new_template,
    show_template,
    show_preview,
    show_preview_html,
    make_template,
    update_template,
    remove_template,
    try_template,
]
