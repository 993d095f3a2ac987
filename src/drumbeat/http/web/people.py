"""/people: found, made, changed and deleted; and the page of a person with all that concerns them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import sees
from drumbeat.domain.account import User
from drumbeat.domain.errors import AdminsOnly, IncorrectValue, Invalid, InvalidMany, MissingField, NotFound, Refused
from drumbeat.domain.person import Person, PersonKind
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import check_custom, read_id, shortened
from drumbeat.http.web.finding import MOST_CHOSEN, Filter, Listed, list_people, read_ids
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Undo, Visit, opened, posted, visiting
from drumbeat.http.web.settings.zones import offered_zones
from drumbeat.http.wording import name_of
from drumbeat.operations import people as operations
from drumbeat.operations.people import PersonEdit
from drumbeat.operations.person_page import person_page
from drumbeat.operations.records import PersonFields, delete_person
from drumbeat.operations.suppressions import lift_suppression, suppress_many
from drumbeat.store import accounts, people, sequences, unsubscribes
from drumbeat.store.transaction import Tx

_PLAIN = (
    *("first_name", "last_name", "organization_name", "title", "email", "phone", "mobile"),
    *("time_zone", "status"),
)
_ADDRESS = ("line1", "city", "postal_code", "state", "country")
_LONGEST = 255
_LONGEST_TEXT = 65_535
_LONG = ("website", "description", "tags")
_SPARE = ["", "", ""]


@readable("/people", opt=opened())
def show_people(request: AnyRequest) -> Response[bytes]:
    """A list that is searched while one types, and filtered; its address can be shared. Who was ticked stays so."""
    with visiting(request) as visit:
        sought, after = Filter.read(visit.query), visit.query.get("after", "")
        found = _listed(visit, sought, after)
        ids = request.query_params.getall("id", [])
        chosen, shown = read_ids(ids), {person.id for person in found.people}
        is_narrow = bool(sought.text or sought.owner_id)
        return visit.page(
            "people.html",
            filter=sought,
            listed=found,
            others=_listed(visit, sought.other, "") if is_narrow and not (found.people or found.after) else Listed([]),
            marks=_marks(visit, found.people),
            users=_users(visit),
            sequences=_enrollable(visit),
            chosen=chosen,
            chosen_elsewhere=[id for id in chosen if id not in shown],
            most_chosen=MOST_CHOSEN if len(ids) > MOST_CHOSEN else 0,
            is_first=not after,
        )


def _listed(visit: Visit, sought: Filter, after: str) -> Listed:
    hash_key = parts_of(visit.request).world.hash_key
    return list_people(visit.snapshot, hash_key, visit.account_id, sought, after, seen_by=visit.seen_by)


def _marks(visit: Visit, found: Sequence[Person]) -> dict[str, str]:
    """By address key: why nothing is sent to it."""
    hashes = sorted({person.address_hash for person in found if person.address_hash})
    if not hashes:
        return {}
    unreachable = dict.fromkeys(
        unsubscribes.undeliverable_among(visit.snapshot, visit.account_id, hashes), "Undeliverable"
    )
    suppressed = unsubscribes.causes_among(visit.snapshot, visit.account_id, hashes)
    return unreachable | {address: cause.value.capitalize() for address, cause in suppressed.items()}


def _users(visit: Visit) -> dict[int, User]:
    return {user.id: user for user in accounts.list_users(visit.snapshot, visit.account_id)}


def _enrollable(visit: Visit) -> list[tuple[int, str]]:
    found = sequences.list_all(visit.snapshot, visit.account_id)
    return [(each.id, each.name) for each in found if each.takes_enrollments]


@readable("/people/new", opt=opened())
def show_new_person(request: AnyRequest) -> Response[bytes]:
    """An empty form."""
    with visiting(request) as visit:
        kind = PersonKind.LEAD if visit.query.get("kind") == PersonKind.LEAD else PersonKind.CONTACT
        return _form_page(visit, _blank(kind), None)


@post("/people/new", status_code=303, sync_to_thread=True, opt=opened())
def make_person(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Makes a lead or a contact."""
    sent = posted(request, body)
    try:
        kind, edit = sent.form.chosen("kind", PersonKind), _edit(sent.form, None)
        made = sent.transact(
            lambda tx: operations.create(
                tx, sent.world.hash_key, sent.account_id, sent.by, kind, edit, seen_by=sent.member.seen_by
            )
        )
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _form_page(visit, sent.form.complain(error), None, 422)
    is_seen = sees(sent.member.seen_by, made.owner_id)
    page = f"/people/{made.kind}/{made.id}" if is_seen else f"/people?kind={made.kind}"
    return sent.to(page, f"{name_of(made)} is here.")


@readable("/people/{kind:str}/{id:str}/edit", opt=opened())
def show_person_form(request: AnyRequest, kind: FromPath[str], id: FromPath[str]) -> Response[bytes]:
    """A person's fields."""
    with visiting(request) as visit:
        person = _person(visit, kind, id)
        return _form_page(visit, _filled(person), person)


@post("/people/{kind:str}/{id:str}/edit", status_code=303, sync_to_thread=True, opt=opened())
def change_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Changes them; letters that waited for an address or a merge tag go on."""
    sent, key = posted(request, body), read_key(kind, id)

    def work(tx: Tx) -> Person:
        before = people.get(tx, sent.account_id, *key, seen_by=sent.member.seen_by)
        edit = _edit(sent.form, before)
        return operations.change(tx, sent.world.hash_key, sent.account_id, *key, edit, seen_by=sent.member.seen_by)

    try:
        sent.transact(work)
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _form_page(visit, sent.form.complain(error), _person(visit, kind, id), 422)
    return sent.to(f"/people/{kind}/{key[1]}", "The changes are kept.")


def _form_page(visit: Visit, form: Form, person: Person | None, status: int = 200) -> Response[bytes]:
    kept = None if person is None else person.owner_id
    owners = [user for user in _users(visit).values() if user.is_active or user.id == kept]
    active = [(user.id, user.name or user.email) for user in owners]
    names = list(zip(form.all("custom_name"), form.values.get("custom_value", ()), strict=False))
    return visit.page(
        "person_form.html", status, form=form, person=person, owners=active, custom=names, zones=offered_zones()
    )


def _blank(kind: PersonKind) -> Form:
    address = dict.fromkeys((f"address_{part}" for part in _ADDRESS), None)
    fields = dict.fromkeys((*_PLAIN, "website", "description", "tags", "owner_id"), None)
    return Form.of(kind=kind.value, custom_name=_SPARE, custom_value=_SPARE, **fields, **address)


def _filled(person: Person) -> Form:
    address = person.details.get("address") or {}
    custom = {name: value for name, value in person.custom.items() if isinstance(value, (str, int, float))}
    return Form.of(
        kind=person.kind.value,
        owner_id=person.owner_id,
        website=person.details.get("website"),
        description=person.details.get("description"),
        tags=", ".join(person.details.get("tags") or []),
        custom_name=[*custom, *_SPARE],
        custom_value=[*custom.values(), *_SPARE],
        **{name: getattr(person, name) for name in _PLAIN},
        **{f"address_{part}": address.get(part) for part in _ADDRESS},
    )


def _edit(form: Form, before: Person | None) -> PersonEdit:
    """What the sender changed; what they left as it was shown is left as it is now."""
    for name in (*_PLAIN, *_LONG, *(f"address_{part}" for part in _ADDRESS)):
        longest = _LONGEST_TEXT if name in _LONG else _LONGEST
        if len(form.text(name)) > longest:
            raise IncorrectValue(f"It has at most {longest:,} characters.", field=name)
    tags = list(dict.fromkeys(tag.strip() for tag in form.text("tags").split(",") if tag.strip()))
    details = {"website": form.optional("website"), "description": form.optional("description"), "tags": tags or None}
    address = form.touched({f"address_{part}": form.optional(f"address_{part}") for part in _ADDRESS})
    return PersonEdit(
        settle=_settle,
        fields=form.touched({name: form.optional(name) for name in _PLAIN}),
        details=form.touched(details),
        addresses={"address": {name.removeprefix("address_"): part for name, part in address.items()}},
        custom=_custom(form, before),
        owner_id=form.touched({"owner_id": form.number("owner_id", 1)}).get("owner_id"),
    )


def _custom(form: Form, person: Person | None) -> dict[str, Any]:
    """The custom fields that were changed; one whose line is gone or blank goes, lists and objects have no line."""
    old = {} if person is None else person.custom
    written = {name: value for name, value in old.items() if isinstance(value, (str, int, float))}
    before, sent = _pairs(form.before) if form.before else {n: str(v) for n, v in written.items()}, _pairs(form.values)
    changed = {name: sent.get(name, "").strip() for name in before | sent if sent.get(name, "") != before.get(name, "")}
    kept = {name: value for name, value in changed.items() if value}
    check_custom(kept, "custom_value")
    return dict.fromkeys(name for name in changed if name in written) | kept


def _pairs(values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The values of custom fields by their names, as a form's lines hold them."""
    names = (name.strip() for name in values.get("custom_name", ()))
    return {name: value for name, value in zip(names, values.get("custom_value", ()), strict=False) if name}


def _settle(before: PersonFields | None, after: PersonFields) -> PersonFields:
    if not any((after.first_name, after.last_name, after.organization_name, after.email)):
        raise MissingField("A person needs a name or an e-mail address.", field="last_name")
    return after


@readable("/people/{kind:str}/{id:str}", opt=opened())
def show_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str]) -> Response[bytes]:
    """Who they are, what runs and ran for them, their letters, tasks and consent."""
    with visiting(request) as visit:
        person = _person(visit, kind, id)
        about = person_page(visit.snapshot, person, seen_by=visit.seen_by)
        return visit.page(
            "person.html",
            person=person,
            about=about,
            users=_users(visit),
            sequences=_enrollable(visit),
            may_suppress=visit.seen_by is None,
        )


def _person(visit: Visit, kind: str, id: str) -> Person:
    return people.get(visit.snapshot, visit.account_id, *read_key(kind, id), seen_by=visit.seen_by)


def read_key(kind: str, id: str) -> tuple[PersonKind, int]:
    """The person that a path names, or NotFound if it can name none."""
    if kind not in list(PersonKind):
        raise NotFound(f"There are {' and '.join(PersonKind)}, no {shortened(kind)}.")
    return PersonKind(kind), read_id(id, kind)


@post("/people/{kind:str}/{id:str}/delete", status_code=303, sync_to_thread=True, opt=opened())
def remove_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str], body: RawBody) -> Response[bytes]:
    """What runs for the person finishes, and their tasks go."""
    sent, key = posted(request, body), read_key(kind, id)
    try:
        sent.transact(lambda tx: delete_person(tx, sent.account_id, *key, sent.by, seen_by=sent.member.seen_by))
    except Refused as error:
        return sent.to(f"/people/{kind}/{key[1]}", error.detail or error.message, wrong=True)
    return sent.to(f"/people?kind={kind}", "The person is deleted, and what ran for them has ended.")


@post("/people/{kind:str}/{id:str}/suppress", status_code=303, sync_to_thread=True, opt=opened())
def suppress_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Nothing is sent to their address any more."""
    sent = posted(request, body)
    person = _addressed(sent, kind, id)

    page = f"/people/{person.kind}/{person.id}"
    if not person.email:
        return sent.to(page, "There is no address that could be written to.", wrong=True)
    told = sent.transact(
        lambda tx: suppress_many(
            tx, sent.world.hash_key, sent.account_id, [person.email or ""], evidence="by hand", actor_id=sent.by
        )
    )
    can_undo = told.added and sent.member.is_admin  # who asked out before is not let in again by a slip
    undo = Undo(f"{page}/lift", "Allow letters again") if can_undo else None
    return sent.to(page, "Nothing is sent to the address any more, and what ran for it has ended.", undo=undo)


@post("/people/{kind:str}/{id:str}/lift", status_code=303, sync_to_thread=True, opt=opened())
def lift_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Their address may be written to again, as its owner wishes; admins alone say so."""
    sent = posted(request, body)
    person = _addressed(sent, kind, id)

    def work(tx: Tx) -> None:
        if not sent.member.is_admin:
            raise AdminsOnly("Ask an admin of the account.")
        lift_suppression(tx, sent.world.hash_key, sent.account_id, person.email or "", actor_id=sent.by)

    return sent.done(f"/people/{person.kind}/{person.id}", "The address may be written to again.", work)


def _addressed(sent: Sent, kind: str, id: str) -> Person:
    with sent.again() as visit:
        person = _person(visit, kind, id)
    if sent.member.seen_by is not None:
        raise AdminsOnly("Where agents see their own records alone, an admin does this: it acts on everybody's.")
    return person


handlers = [
    show_people,
    show_new_person,
    make_person,
    show_person_form,
    change_person,
    show_person,
    remove_person,
    suppress_person,
    lift_person,
]
