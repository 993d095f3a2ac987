"""/sequences: the list with live counts, a sequence with its steps, numbers and people, its settings and its status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.calendar import format_windows, parse_windows
from drumbeat.domain.errors import Invalid, InvalidMany, Refused
from drumbeat.domain.sequence import Sequence, SequenceStatus, Split, Unsubscribing, WindowZone
from drumbeat.domain.unsubscribe import check_locale
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Undo, Visit, opened, posted, visiting
from drumbeat.http.web.settings.zones import offered_zones
from drumbeat.operations.drafting import draft_of, published_steps
from drumbeat.operations.sequence_counts import MOST_COUNTED, Tallied, list_running, tally_of, tally_sequences
from drumbeat.operations.sequences import SequenceSettings, change_settings, create, set_status, settings_of
from drumbeat.store import accounts, people, sequences, templates
from drumbeat.store.transaction import Tx

_SHOWN = 50
_SAID = {
    SequenceStatus.ACTIVE: "The sequence is active.",
    SequenceStatus.PAUSED: "The sequence is paused: nothing of it leaves, and delays stand still.",
    SequenceStatus.ARCHIVED: "The sequence is archived: nobody new is enrolled, and what runs goes on.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A sequence of the list, with its numbers."""

    sequence: Sequence
    tally: Tallied


@readable("/sequences", opt=opened())
def show_sequences(request: AnyRequest) -> Response[bytes]:
    """Every sequence with its numbers; those that are archived on demand."""
    with visiting(request) as visit:
        archived = visit.query.get("show") == "archived"
        tallies = tally_sequences(visit.snapshot, visit.account_id)
        found = [
            Line(each, tallies.get(each.id, Tallied()))
            for each in sequences.list_all(visit.snapshot, visit.account_id)
            if (each.status is SequenceStatus.ARCHIVED) is archived
        ]
        return visit.page("sequences.html", lines=found, archived=archived, most_counted=MOST_COUNTED)


@readable("/sequences/new", opt=opened())
def show_new_sequence(request: AnyRequest) -> Response[bytes]:
    """Asks for a name; everything else has a default."""
    with visiting(request) as visit:
        return visit.page("sequence_new.html", form=Form.of(name=None))


@post("/sequences/new", status_code=303, sync_to_thread=True, opt=opened())
def make_sequence(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Makes a draft, and leads to its steps."""
    sent = posted(request, body)
    try:

        def work(tx: Tx) -> Sequence:
            way_out = Unsubscribing(locale=accounts.get_account(tx, sent.account_id).locale)
            return create(tx, sent.account_id, sent.by, SequenceSettings(sent.form.text("name"), unsubscribing=way_out))

        made = sent.transact(work)
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return visit.page("sequence_new.html", 422, form=sent.form.complain(error))
    return sent.to(f"/sequences/{made.id}/steps", "Add its first step.")


@readable("/sequences/{id:str}", opt=opened())
def show_sequence(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """Its status, numbers, steps, and who runs it now."""
    with visiting(request) as visit:
        found, after = _sequence(visit, id), visit.number("after")
        listed = list_running(visit.snapshot, found, seen_by=visit.seen_by, after=after, limit=_SHOWN + 1)
        running = listed[:_SHOWN]
        keys = sorted({(e.subject.resource_type, e.subject.resource_id) for e in running})
        page = f"/sequences/{found.id}"
        everything = sequences.list_all(visit.snapshot, visit.account_id)
        return visit.page(
            "sequence.html",
            sequence=found,
            tally=tally_of(visit.snapshot, found),
            most_counted=MOST_COUNTED,
            steps=published_steps(visit.snapshot, found),
            has_draft=draft_of(visit.snapshot, found).is_saved,
            running=running,
            people=people.find_many(visit.snapshot, visit.account_id, keys),
            pages={
                "first": page if after else "",
                "next": f"{page}?after={running[-1].id}" if len(listed) > _SHOWN else "",
            },
            names={each.id: each.name for each in everything},
            tested_by=[each for each in everything if each.split and each.split.variant_b_id == found.id],
            windows=list(format_windows(found.windows)),
            calendar=_calendar_name(visit, found),
        )


def _sequence(visit: Visit, id: str) -> Sequence:
    return sequences.get(visit.snapshot, visit.account_id, read_id(id, "sequence"))


def _calendar_name(visit: Visit, sequence: Sequence) -> str:
    found = templates.list_calendars(visit.snapshot, visit.account_id)
    return next((each.name for each in found if each.id == sequence.calendar_id), "")


@post("/sequences/{id:str}/status", status_code=303, sync_to_thread=True, opt=opened())
def update_status(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Activates, pauses, resumes or archives it; one click takes that back."""
    sent, number = posted(request, body), read_id(id, "sequence")
    page = f"/sequences/{number}"
    try:
        wanted = sent.form.chosen("status", SequenceStatus)
        with sent.again() as visit:
            before = sequences.get(visit.snapshot, sent.account_id, number).status
        if wanted is before:
            return sent.to(page)
        sent.transact(lambda tx: set_status(tx, sent.account_id, number, wanted, sent.by))
    except Refused as error:
        return sent.to(page, error.detail or error.message, wrong=True)
    can_undo = before is not SequenceStatus.DRAFT and before is not wanted
    undo = Undo(f"{page}/status", fields={"status": before.value}) if can_undo and _returns(before, wanted) else None
    return sent.to(page, _SAID[wanted], undo=undo)


def _returns(before: SequenceStatus, now: SequenceStatus) -> bool:
    """Whether one step leads back: an archived sequence becomes active, never paused."""
    return before is SequenceStatus.ACTIVE or (before, now) == (SequenceStatus.PAUSED, SequenceStatus.ACTIVE)


@readable("/sequences/{id:str}/settings", opt=opened())
def show_settings(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """Windows, zone, holidays, sender, footer, A/B test, re-enrolling."""
    with visiting(request) as visit:
        found = _sequence(visit, id)
        return _settings_page(visit, found, _filled(found))


@post("/sequences/{id:str}/settings", status_code=303, sync_to_thread=True, opt=opened())
def update_settings(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Keeps them, for running enrollments too; waiting steps move with windows and calendar."""
    sent, number = posted(request, body), read_id(id, "sequence")

    def work(tx: Tx) -> None:
        before = settings_of(sequences.lock(tx, sent.account_id, number))
        change_settings(tx, sent.account_id, number, _settings(sent.form, before), sent.by)

    try:
        sent.transact(work)
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            found = sequences.get(visit.snapshot, sent.account_id, number)
            return _settings_page(visit, found, _named(sent.form, error), 422)
    return sent.to(f"/sequences/{number}", "The settings are kept, for running enrollments too.")


def _named(form: Form, error: Invalid | InvalidMany) -> Form:
    """The complaint beside the field that stands for several here."""
    for each in error.errors if isinstance(error, InvalidMany) else (error,):
        each.field = {"split": "variant_b_id"}.get(each.field or "", each.field)
    return form.complain(error)


def _settings_page(visit: Visit, sequence: Sequence, form: Form, status: int = 200) -> Response[bytes]:
    everybody = accounts.list_users(visit.snapshot, visit.account_id)
    users = [user for user in everybody if user.is_active or user.id == sequence.default_actor_id]
    others = sequences.list_all(visit.snapshot, visit.account_id)
    calendars = templates.list_calendars(visit.snapshot, visit.account_id)
    return visit.page(
        "sequence_settings.html",
        status,
        sequence=sequence,
        form=form,
        users=[(user.id, user.name or user.email) for user in users],
        others=[(each.id, each.name) for each in others if each.id != sequence.id],
        calendars=[(each.id, each.name) for each in calendars],
        zone_of_account=visit.account.time_zone,
        zones=offered_zones(),
    )


def _filled(found: Sequence) -> Form:
    again = found.reenroll_after
    return Form.of(
        name=found.name,
        time_zone=found.time_zone,
        default_actor_id=found.default_actor_id,
        calendar_id=found.calendar_id,
        windows="\n".join(format_windows(found.windows)),
        window_zone=found.window_zone.value,
        unsubscribe=found.unsubscribing.enabled,
        locale=found.unsubscribing.locale,
        variant_b_id=found.split.variant_b_id if found.split else None,
        share=found.split.share if found.split else 50,
        reenroll_hours=None if again is None else int(again.total_seconds()) // 3600,
    )


def _settings(form: Form, before: SequenceSettings) -> SequenceSettings:
    """The settings with what the sender changed of them."""
    split, way_out = before.split, before.unsubscribing
    windows = [line.strip() for line in form.raw("windows").splitlines() if line.strip()]
    hours, other = form.number("reenroll_hours", 0, 87_600), form.number("variant_b_id", 1)
    share = None if other is None else form.needed("share", 1, 99)
    touched: dict[str, Any] = form.touched(
        {
            "name": form.text("name"),
            "time_zone": form.optional("time_zone"),
            "default_actor_id": form.number("default_actor_id", 1),
            "calendar_id": form.number("calendar_id", 1),
            "windows": parse_windows(windows),
            "window_zone": form.chosen("window_zone", WindowZone),
            "unsubscribe": form.is_on("unsubscribe"),
            "locale": check_locale(form.text("locale")),
            "variant_b_id": other,
            "share": share,
            "reenroll_hours": None if hours is None else timedelta(hours=hours),
        }
    )
    enabled, locale = touched.pop("unsubscribe", way_out.enabled), touched.pop("locale", way_out.locale)
    other = touched.pop("variant_b_id", split.variant_b_id if split else None)
    share = touched.pop("share", None) or (split.share if split else share)
    again = touched.pop("reenroll_hours", before.reenroll_after)
    return replace(
        before,
        **touched,
        unsubscribing=Unsubscribing(enabled, locale),
        split=Split(other, share) if other and share else None,
        reenroll_after=again,
    )


handlers = [
    show_sequences,
    show_new_sequence,
    make_sequence,
    show_sequence,
    update_status,
    show_settings,
    update_settings,
]
