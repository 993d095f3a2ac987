"""/enroll: enrolling everybody of a list, rehearsed first; and one person from their own page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import sees
from drumbeat.domain.errors import Invalid, InvalidMany, Refused
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import Sequence
from drumbeat.http.manner import Manner
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.web.finding import Filter, read_number, walk_people
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.http.web.people import read_key
from drumbeat.http.wording import name_of
from drumbeat.operations.bulk import MOST_AT_ONCE, Tally, Whom, enroll_many, rehearse_many
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.execute import ContactStatus
from drumbeat.store import people, sequences
from drumbeat.store.transaction import Tx

_SHOWN = 200
_STATUSES = {
    ContactStatus.QUEUED: "to be enrolled",
    ContactStatus.ALREADY_ENROLLED: "enrolled already",
    ContactStatus.INVALID: "cannot be enrolled",
    ContactStatus.UNSUBSCRIBED: "unsubscribed",
    ContactStatus.DUPLICATE: "with the same address as another",
}


@readable("/enroll", opt=opened())
def show_enroll(request: AnyRequest) -> Response[bytes]:
    """Whom, and in what."""
    with visiting(request) as visit:
        sought = Filter.read(visit.query)
        return visit.page(
            "enroll.html",
            filter=sought,
            ids=[],
            most=MOST_AT_ONCE,
            sequences=_enrollable(visit),
            chosen=visit.number("sequence"),
            tally=None,
        )


def _walk(visit: Visit, sought: Filter) -> Iterator[Person]:
    hash_key = parts_of(visit.request).world.hash_key
    return walk_people(visit.snapshot, hash_key, visit.account_id, sought, seen_by=visit.seen_by)


def _enrollable(visit: Visit) -> list[Sequence]:
    return [each for each in sequences.list_all(visit.snapshot, visit.account_id) if each.takes_enrollments]


@post("/enroll", sync_to_thread=True, status_code=200, opt=opened())
def rehearse_or_enroll(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """First what would become of each; then, when that was looked at, the same for good."""
    sent = posted(request, body)
    form = {name: sent.form.text(name) for name in ("kind", "q", "owner", "import", "sequence_id")}
    sought, sequence_id = Filter.read(form), read_number(form, "sequence_id")
    ids = _chosen(sent)
    if not ids and not sent.form.is_on("everybody"):
        return sent.to(f"/people?{sought.query}", "Choose somebody first.", wrong=True)
    with sent.again() as visit:
        ids = ids or [person.id for person in islice(_walk(visit, sought), MOST_AT_ONCE)]
    whom = Whom(sent.account_id, sequence_id, sought.kind, ids, sent.by, sent.member.seen_by)
    world = sent.world
    try:
        if sent.form.is_on("go"):
            done = enroll_many(world.database, world.hash_key, whom)
            return sent.to(f"/sequences/{sequence_id}", _said(done, sent.manner))
        tally = rehearse_many(world.database, world.hash_key, whom)
    except Refused as error:
        return sent.to(f"/enroll?{sought.query}", f"{error.message} {error.detail}", wrong=True)
    return _rehearsed(sent, sought, sequence_id, tally)


def _chosen(sent: Sent) -> list[int]:
    """Ids of people who were ticked one by one."""
    ids = [read_number({"": text}, "") for text in sent.form.all("id")]
    return [id for id in dict.fromkeys(ids) if id][:MOST_AT_ONCE]


def _rehearsed(sent: Sent, sought: Filter, sequence_id: int, tally: Tally) -> Response[bytes]:
    with sent.again() as visit:
        kept = tally.left_out[:_SHOWN]
        found = people.find_many(visit.snapshot, visit.account_id, [(sought.kind, id) for id, _ in kept])
        return visit.page(
            "enroll.html",
            filter=sought,
            ids=_chosen(sent),
            most=MOST_AT_ONCE,
            sequences=_enrollable(visit),
            chosen=sequence_id,
            tally=tally,
            statuses=_STATUSES,
            left_out=[(id, _named(found.get((sought.kind, id)), visit.seen_by), reason) for id, reason in kept],
            causes=Counter(reason for _, reason in tally.left_out).most_common(),
        )


def _named(person: Person | None, seen_by: int | None) -> str:
    """Whom one sees is named; of others one knows the number that was sent, and no more."""
    return name_of(person) if person is not None and sees(seen_by, person.owner_id) else ""


def _said(done: Tally, manner: Manner) -> str:
    left = done.total - done.queued
    return f"{manner.number(done.queued)} enrolled" + (f", {manner.number(left)} left out." if left else ".")


@post("/people/{kind:str}/{id:str}/enroll", status_code=303, sync_to_thread=True, opt=opened())
def enroll_person(request: AnyRequest, kind: FromPath[str], id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Enrolls one person; who ran the sequence before may run it again."""
    sent, key = posted(request, body), read_key(kind, id)
    page = f"/people/{key[0]}/{key[1]}"
    sequence_id = read_number({"": sent.form.text("sequence_id")}, "")

    def work(tx: Tx) -> int:
        request = EnrollRequest(sequence_id, *key)
        made = enroll(
            tx,
            sent.world.hash_key,
            sent.account_id,
            sent.by,
            request,
            reenroll_after=None,
            seen_by=sent.member.seen_by,
        )
        return made.id

    try:
        made = sent.transact(work)
    except (Invalid, InvalidMany) as error:
        wrong = error.errors if isinstance(error, InvalidMany) else [error]
        return sent.to(page, " ".join(each.detail or each.message for each in wrong), wrong=True)
    except Refused as error:
        return sent.to(page, f"{error.message} {error.detail}", wrong=True)
    return sent.to(f"/enrollments/{made}", "Enrolled.")


handlers = [show_enroll, rehearse_or_enroll, enroll_person]
