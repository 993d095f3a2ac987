"""/enrollments: one person's run as a picture, with its letters, replies and reasons, and what can be done about it;
what is blocked or in doubt, and what can be done about all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from urllib.parse import urlencode

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import Enrollment, FinishedReason, State
from drumbeat.domain.errors import ChangedMeanwhile, MissingTags, NotFound, Refused
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.template import Rendered
from drumbeat.http.app_api.doubts import Decision
from drumbeat.http.pages import CAGE_POLICY
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.frame import Sent, Visit, opened, own_path, posted, visiting
from drumbeat.http.web.mending import lifter_of, link_of
from drumbeat.operations.blocked import AT_ONCE, MOST_AT_ONCE, set_blocked
from drumbeat.operations.doubts import count_as_not_sent, count_as_sent, send_again, sha256_rewritten
from drumbeat.operations.enrollments import set_state
from drumbeat.operations.letters import Frozen, read_frozen, rendered_letter
from drumbeat.operations.mistaken_replies import undo_reply
from drumbeat.operations.status import explained
from drumbeat.store import accounts, deliveries, doubts, enrollment_pages, enrollments, overview, people, sequences
from drumbeat.store.deliveries import Delivery
from drumbeat.store.transaction import Tx

_SHOWN = 50


@readable("/enrollments", opt=opened())
def show_enrollments(request: AnyRequest) -> Response[bytes]:
    """The newest, or those that run in a sequence, or are blocked for a reason."""
    with visiting(request) as visit:
        reason = next((each for each in FailureReason if each == visit.query.get("reason")), None)
        names = {each.id: each.name for each in sequences.list_all(visit.snapshot, visit.account_id)}
        sequence_id = visit.number("sequence") if visit.number("sequence") in names else None
        after = visit.number("after")
        listed = enrollment_pages.list_page(
            visit.snapshot,
            visit.account_id,
            failure_reason=reason,
            runs_sequence_id=sequence_id,
            actor_id=visit.seen_by,
            after=after,
            descending=True,
            limit=_SHOWN + 1,
        )
        shown = listed[:_SHOWN]
        chosen = {name: value for name, value in (("reason", reason), ("sequence", sequence_id)) if value}
        here = f"/enrollments?{urlencode(chosen)}" if chosen else "/enrollments"
        following = f"/enrollments?{urlencode(chosen | {'after': shown[-1].id})}" if len(listed) > _SHOWN else ""
        return visit.page(
            "enrollments.html",
            enrollments=shown,
            reason=reason,
            sequence_id=sequence_id,
            people=_people_of(visit, shown),
            names=names,
            pages={"first": here if after else "", "next": following},
            back=here,
            most=MOST_AT_ONCE,
        )


def _people_of(visit: Visit, shown: Iterable[Enrollment]) -> Mapping[tuple[PersonKind, int], Person]:
    keys = sorted({(e.subject.resource_type, e.subject.resource_id) for e in shown})
    return people.find_many(visit.snapshot, visit.account_id, keys)


@post("/enrollments/blocked", status_code=303, sync_to_thread=True, opt=opened())
def set_all_blocked(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Lets all that is blocked for a reason try again, or ends it; so many in one go."""
    sent = posted(request, body)
    account_id, seen_by = sent.account_id, sent.member.seen_by
    try:
        reason, asked = sent.form.chosen("reason", FailureReason), sent.form.chosen("state", State)
    except Refused as error:
        return sent.to("/enrollments", error.detail or error.message, wrong=True)
    ends = asked is State.FINISHED
    state = State.FINISHED if ends else State.ACTIVE
    with sent.again() as visit:
        found = overview.list_blocked(
            visit.snapshot, account_id, reason, MOST_AT_ONCE + 1, seen_by=seen_by, doubts=ends
        )

    def work(tx: Tx, start: int) -> int:
        ids = found[start : min(start + AT_ONCE, MOST_AT_ONCE)]
        return set_blocked(tx, account_id, ids, reason, state, sent.by, seen_by=seen_by)

    done = sum(sent.transact(partial(work, start=start)) for start in range(0, min(len(found), MOST_AT_ONCE), AT_ONCE))
    told = f"{sent.manner.plural(done, 'enrollment')} {'ended' if ends else 'let go on'}."
    more = " More are blocked for this: do it again for the next." if len(found) > MOST_AT_ONCE else ""
    return sent.to(f"/enrollments?reason={reason}", told + more)


@readable("/doubts", opt=opened())
def show_doubts(request: AnyRequest) -> Response[bytes]:
    """Letters of which nobody knows whether they arrived, those of finished enrollments too."""
    with visiting(request) as visit:
        snapshot, account_id, after = visit.snapshot, visit.account_id, visit.number("after")
        listed = doubts.list_unknown(snapshot, account_id, after=after, limit=_SHOWN + 1, seen_by=visit.seen_by)
        found = listed[:_SHOWN]
        about = {e.id: e for e in enrollments.find_many(snapshot, account_id, [each.enrollment_id for each in found])}
        following = f"/doubts?after={found[-1].enrollment_id}" if len(listed) > _SHOWN else ""
        return visit.page(
            "doubts.html",
            doubts=[(each, about[each.enrollment_id]) for each in found],
            people=_people_of(visit, about.values()),
            pages={"first": "/doubts" if after else "", "next": following},
        )


@readable("/enrollments/{id:str}", opt=opened())
def show_enrollment(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """What ran, runs and is planned, what holds it and who can lift that, and all that happened."""
    with visiting(request) as visit:
        enrollment = _seen(visit, id)
        about, subject = explained(visit.snapshot, visit.account_id, enrollment.id), enrollment.subject
        person = people.find(visit.snapshot, visit.account_id, subject.resource_type, subject.resource_id)
        users = {user.id: user for user in accounts.list_users(visit.snapshot, visit.account_id)}
        actor, role, hold = users[subject.actor_id], visit.user.role, about.hold
        letters: dict[int, list[Delivery]] = {}
        for delivery in deliveries.list_of_enrollment(visit.snapshot, visit.account_id, enrollment.id):
            letters.setdefault(delivery.position, []).append(delivery)
        return visit.page(
            "enrollment.html",
            enrollment=enrollment,
            about=about,
            letters=letters,
            person=person,
            users=users,
            lifter=hold and lifter_of(hold, role),
            mending=link_of(hold, role, enrollment, person, actor) if hold else ("", ""),
            may_go_on=enrollment.finished_reason is FinishedReason.REPLIED_TO_EMAIL
            and enrollment.continued_by_id is None,
        )


def _seen(visit: Visit, id: str) -> Enrollment:
    return enrollments.get(visit.snapshot, visit.account_id, read_id(id, "enrollment"), seen_by=visit.seen_by)


@post("/enrollments/{id:str}/stop", status_code=303, sync_to_thread=True, opt=opened())
def stop_enrollment(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Ends it; after the answer no letter leaves, but one that is on its way."""
    return _set_state(request, id, body, State.FINISHED, "It is stopped.")


@post("/enrollments/{id:str}/resume", status_code=303, sync_to_thread=True, opt=opened())
def resume_enrollment(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Lets a blocked one try again."""
    return _set_state(request, id, body, State.ACTIVE, "It goes on.")


def _set_state(request: AnyRequest, id: str, body: bytes, state: State, said: str) -> Response[bytes]:
    sent, number = posted(request, body), read_id(id, "enrollment")

    def work(tx: Tx) -> None:
        seen_by = sent.member.seen_by
        if state is State.ACTIVE and enrollments.get(tx, sent.account_id, number, seen_by=seen_by).in_doubt:
            # To the API that means to count it as sent; whoever pressed Resume saw no doubt yet.
            raise ChangedMeanwhile("Its letter is in doubt by now: decide on that.")
        set_state(tx, sent.account_id, number, state, sent.by, seen_by=seen_by)

    return sent.done(own_path(sent.form.text("back"), f"/enrollments/{number}"), said, work)


@post("/enrollments/{id:str}/not-a-reply", status_code=303, sync_to_thread=True, opt=opened())
def go_on(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """A new enrollment goes on where the mistaken reply ended this one."""
    sent, number = posted(request, body), read_id(id, "enrollment")
    try:
        made = sent.transact(lambda tx: undo_reply(tx, sent.account_id, number, sent.by, seen_by=sent.member.seen_by))
    except Refused as error:
        return sent.to(f"/enrollments/{number}", error.detail or error.message, wrong=True)
    return sent.to(f"/enrollments/{made.id}", "It goes on here: the same steps are done, and the delay left is waited.")


@post("/enrollments/{id:str}/doubt", status_code=303, sync_to_thread=True, opt=opened())
def settle_doubt(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Decides about a letter of which nobody knows whether it arrived."""
    sent, number = posted(request, body), read_id(id, "enrollment")
    page = f"/enrollments/{number}"
    try:
        decision = sent.form.chosen("decision", Decision)
        with sent.again() as visit:
            _seen(visit, id)
            rewritten = sha256_rewritten(visit.snapshot, sent.world.writer, sent.account_id, number)
    except Refused as error:
        return sent.to(page, error.detail or error.message, wrong=True)
    return sent.done(page, _SETTLED[decision], _settling(sent, decision, number, rewritten))


def _settling(sent: Sent, decision: Decision, id: int, rewritten: str) -> Callable[[Tx], object]:
    account_id, by = sent.account_id, sent.by
    if decision is Decision.COUNT_AS_SENT:
        return lambda tx: count_as_sent(tx, account_id, id, by)
    if decision is Decision.COUNT_AS_NOT_SENT:
        return lambda tx: count_as_not_sent(tx, account_id, id, by)
    return lambda tx: send_again(tx, account_id, id, by, rewritten_sha256=rewritten)


_SETTLED = {
    Decision.COUNT_AS_SENT: "The letter counts as sent.",
    Decision.COUNT_AS_NOT_SENT: "The letter counts as not sent.",
    Decision.SEND_AGAIN: "The same letter is sent once more.",
}


@readable("/enrollments/{id:str}/letters/{position:str}/{attempt:str}", opt=opened())
def show_letter(
    request: AnyRequest, id: FromPath[str], position: FromPath[str], attempt: FromPath[str]
) -> Response[bytes]:
    """A letter as it was written: to whom, its text, its HTML caged, and what the server said."""
    with visiting(request) as visit:
        enrollment = _seen(visit, id)
        delivery, frozen, letter = _letter(visit, enrollment, position, attempt)
        return visit.page("sent_letter.html", enrollment=enrollment, delivery=delivery, frozen=frozen, letter=letter)


@readable("/enrollments/{id:str}/letters/{position:str}/{attempt:str}/html", opt=opened())
def show_letter_html(
    request: AnyRequest, id: FromPath[str], position: FromPath[str], attempt: FromPath[str]
) -> Response[bytes]:
    """Its HTML in a sandbox: no script, no form, nothing from the network."""
    with visiting(request) as visit:
        _, _, letter = _letter(visit, _seen(visit, id), position, attempt)
    html = letter.html if letter and letter.html else ""
    headers = {"content-security-policy": CAGE_POLICY, "cache-control": "no-store"}
    return Response(html.encode(), media_type="text/html", headers=headers)


def _letter(
    visit: Visit, enrollment: Enrollment, position: str, attempt: str
) -> tuple[Delivery, Frozen, Rendered | None]:
    """A letter, what it was made of, and the letter itself while its content is kept."""
    found = deliveries.list_of_enrollment(visit.snapshot, visit.account_id, enrollment.id)
    key = (position, attempt)
    delivery = next((each for each in found if (str(each.position), str(each.attempt)) == key), None)
    if delivery is None:
        raise NotFound("There is no such letter.")
    frozen = read_frozen(delivery.frozen)
    try:
        return delivery, frozen, rendered_letter(enrollment.plan.steps[delivery.position], frozen)
    except (MissingTags, Refused):
        return delivery, frozen, None


handlers = [
    show_enrollments,
    set_all_blocked,
    show_doubts,
    show_enrollment,
    stop_enrollment,
    resume_enrollment,
    go_on,
    settle_doubt,
    show_letter,
    show_letter_html,
]
