"""/enroll: enrolling everybody of a list, rehearsed first; and one person from their own page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import sees
from drumbeat.domain.errors import DrumbeatError, Invalid, InvalidMany, NotFound, Refused, Unavailable
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import Sequence
from drumbeat.http.manner import Manner
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.web.finding import Filter, Listed, read_ids, walk_people
from drumbeat.http.web.forms import read_number
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.http.web.people import read_key
from drumbeat.http.wording import name_of
from drumbeat.operations.bulk import MOST_AT_ONCE, Tally, Whom, enroll_many, rehearse_many
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.execute import ContactStatus
from drumbeat.store import mailboxes, people, sequences
from drumbeat.store.transaction import Tx

_SHOWN = 200
_STATUSES = {
    ContactStatus.QUEUED: "to be enrolled",
    ContactStatus.ALREADY_ENROLLED: "enrolled already",
    ContactStatus.INVALID: "cannot be enrolled",
    ContactStatus.UNSUBSCRIBED: "unsubscribed",
    ContactStatus.DUPLICATE: "with the same address as another",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is to be enrolled: those ticked in a list, or everybody of it behind a place."""

    filter: Filter
    ids: list[int]
    after: str = ""

    @classmethod
    def read(cls, sent: Mapping[str, str], ids: Iterable[str]) -> _Asked:
        """What a form or an address asks for."""
        chosen = [] if sent.get("everybody") else read_ids(ids)
        return cls(Filter.read(sent), chosen, "" if chosen else sent.get("after", ""))

    @property
    def list_query(self) -> str:
        """What leads back to the list, where those who were ticked still are."""
        return self.filter.leading_to(ids=self.ids)


@readable("/enroll", opt=opened())
def show_enroll(request: AnyRequest) -> Response[bytes]:
    """Whom, and in what."""
    with visiting(request) as visit:
        return _page(visit, _Asked.read(visit.query, request.query_params.getall("id", [])))


def _page(visit: Visit, asked: _Asked, status: int = 200, /, **more: Any) -> Response[bytes]:
    told = {"tally": None, "goes_on": Listed([]), "complaint": ""} | more
    chosen = asked.filter.sequence_id
    return visit.page("enroll.html", status, asked=asked, most=MOST_AT_ONCE, sequences=_offered(visit, chosen), **told)


def _offered(visit: Visit, chosen: int) -> list[Sequence]:
    """Sequences that people may be enrolled in, and the one that was chosen, whatever keeps it from taking them."""
    found = sequences.list_all(visit.snapshot, visit.account_id)
    return [each for each in found if each.takes_enrollments or each.id == chosen]


@post("/enroll", sync_to_thread=True, status_code=200, opt=opened())
def rehearse_or_enroll(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """First what would become of each; then, when that was looked at, the same for good."""
    sent = posted(request, body)
    names = ("kind", "q", "owner", "import", "enroll", "after", "everybody")
    asked = _Asked.read({name: sent.form.text(name) for name in names}, sent.form.all("id"))
    if not asked.ids and not sent.form.is_on("everybody"):
        return sent.to(f"/people?{asked.filter.query}", "Choose somebody first.", wrong=True)
    with sent.again() as visit:
        if not asked.filter.sequence_id:
            return _page(visit, asked, 422, complaint="Choose a sequence.")
        listed = _walked(visit, asked)
    ids = asked.ids or [person.id for person in listed.people]
    whom = Whom(sent.account_id, asked.filter.sequence_id, asked.filter.kind, ids, sent.by, sent.member.seen_by)
    try:
        return _enrolled(sent, asked, whom, listed) if sent.form.is_on("go") else _rehearsed(sent, asked, whom, listed)
    except (Refused, Unavailable) as error:
        with sent.again() as visit:
            return _page(visit, asked, 422 if isinstance(error, Refused) else 503, complaint=_why(error))


def _walked(visit: Visit, asked: _Asked) -> Listed:
    """As many of the list as go at once; where people were ticked, the list is not looked at."""
    if asked.ids:
        return Listed([])
    hash_key, seen_by = parts_of(visit.request).world.hash_key, visit.seen_by
    return walk_people(
        visit.snapshot, hash_key, visit.account_id, asked.filter, asked.after, seen_by=seen_by, most=MOST_AT_ONCE
    )


def _enrolled(sent: Sent, asked: _Asked, whom: Whom, listed: Listed) -> Response[bytes]:
    done = enroll_many(sent.world.database, sent.world.hash_key, whom)
    told = _said(done, sent.manner)
    if done.stopped_by is not None:
        told = f"{told} Then it stopped: {_why(done.stopped_by)} Go on with the others here; nobody is enrolled twice."
        with sent.again() as visit:
            return _page(visit, asked, 422, complaint=told)
    if listed.after:
        return sent.to(
            f"/enroll?{asked.filter.leading_to(listed.after)}", f"{told} The list goes on: here are the next."
        )
    return sent.to(f"/sequences/{whom.sequence_id}", told)


def _rehearsed(sent: Sent, asked: _Asked, whom: Whom, listed: Listed) -> Response[bytes]:
    tally = rehearse_many(sent.world.database, sent.world.hash_key, whom)
    kind = asked.filter.kind
    with sent.again() as visit:
        kept = tally.left_out[:_SHOWN]
        found = people.find_many(visit.snapshot, visit.account_id, [(kind, id) for id, _ in kept])
        return _page(
            visit,
            asked,
            tally=tally,
            goes_on=listed,
            next_page=f"/enroll?{asked.filter.leading_to(listed.after)}",
            sender=_sender(visit),
            statuses=_STATUSES,
            left_out=[(id, _named(found.get((kind, id)), visit.seen_by), reason) for id, reason in kept],
            causes=Counter(reason for _, reason in tally.left_out).most_common(),
        )


def _sender(visit: Visit) -> str:
    """The address whose letters these will be, or blank where whoever enrolls has no mailbox."""
    id = visit.user.mailbox_id
    return "" if id is None else mailboxes.get(visit.snapshot, visit.account_id, id).sender_email


def _why(error: DrumbeatError) -> str:
    """What was in the way, in full sentences."""
    if isinstance(error, InvalidMany):
        return " ".join(_why(each) for each in error.errors)
    is_whole = isinstance(error, (Invalid, NotFound)) and error.detail
    return error.detail if is_whole else f"{error.message} {error.detail}".strip()


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
    sequence_id = read_number(sent.form.text("sequence_id"))

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
    except Refused as error:
        return sent.to(page, _why(error), wrong=True)
    return sent.to(f"/enrollments/{made}", "Enrolled.")


handlers = [show_enroll, rehearse_or_enroll, enroll_person]
