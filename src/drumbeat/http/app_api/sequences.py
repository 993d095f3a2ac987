"""/api/sequences: settings, publication and status of sequences, and the versions that run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import format_windows, parse_windows
from drumbeat.domain.sequence import Sequence, SequenceStatus, Split, Unsubscribing, WindowZone
from drumbeat.domain.unsubscribe import check_locale
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, fields_named, nothing, reply, reply_all, stamp
from drumbeat.http.decoding import BodyReader, Id, Name, struct_changes
from drumbeat.http.openapi import Parameter, choice, described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters, word
from drumbeat.http.sequences_v1 import AbTest, Counts, shown_counts
from drumbeat.operations.sequences import SequenceSettings, change_settings, create, set_status, settings_of
from drumbeat.operations.statistics import variant_counts
from drumbeat.store import events, sequences
from drumbeat.store.transaction import Tx

_TEN_YEARS = 315_360_000
_Windows = Annotated[list[Name], msgspec.Meta(max_length=50)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=_TEN_YEARS)]


class UnsubscribeSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Whether letters carry a visible way out at their foot, and in which language."""

    enabled: bool = True
    locale: Name = "en-US"


class AbSettings(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The sequence that is variant B, and the percentage of people who get it."""

    variant_b_id: Id
    share: Annotated[int, msgspec.Meta(ge=1, le=99)]


class NewSequence(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A draft; windows such as "Mon-Fri 09:00-17:00" are when its letters may leave, none is always.

    reenrollAfter is in seconds: for so long after a run began nobody is enrolled again over the APIs.
    """

    name: Name
    time_zone: Name | None = None
    default_actor_id: Id | None = None
    calendar_id: Id | None = None
    windows: _Windows = []
    window_zone: WindowZone = WindowZone.SEQUENCE
    unsubscribe: UnsubscribeSettings = msgspec.field(default_factory=UnsubscribeSettings)
    ab_test: AbSettings | None = None
    reenroll_after: _Seconds | None = None


class ChangedSequence(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes a setting away."""

    name: Name | UnsetType = UNSET
    time_zone: Name | UnsetType | None = UNSET
    default_actor_id: Id | UnsetType | None = UNSET
    calendar_id: Id | UnsetType | None = UNSET
    windows: _Windows | UnsetType = UNSET
    window_zone: WindowZone | UnsetType = UNSET
    unsubscribe: UnsubscribeSettings | UnsetType = UNSET
    ab_test: AbSettings | UnsetType | None = UNSET
    reenroll_after: _Seconds | UnsetType | None = UNSET


class WantedStatus(msgspec.Struct, forbid_unknown_fields=True):
    """active also ends a pause; an archived sequence lets running enrollments finish."""

    status: SequenceStatus


class AppSequence(msgspec.Struct, rename="camel", frozen=True):
    """A sequence as it is set; version 0: nothing is published yet."""

    id: int
    name: str
    status: SequenceStatus
    version: int
    steps_total: int
    creator_id: int
    time_zone: str | None
    default_actor_id: int | None
    calendar_id: int | None
    windows: list[str]
    window_zone: WindowZone
    unsubscribe: UnsubscribeSettings
    ab_test: AbTest | None
    reenroll_after: int | None
    paused_at: str | None
    created_at: str | None
    updated_at: str | None


class CountedSequence(msgspec.Struct, rename="camel", frozen=True):
    """A sequence, and how its people fare; countsUpToDate is false while the latest are not counted yet."""

    sequence: AppSequence
    counts: list[Counts]
    counts_up_to_date: bool


_SEQUENCE: dict[str, Any] = {
    "id": 1,
    "name": "After a webinar",
    "status": "active",
    "version": 2,
    "stepsTotal": 3,
    "creatorId": 1,
    "timeZone": "Europe/Berlin",
    "defaultActorId": None,
    "calendarId": 1,
    "windows": ["Mon-Fri 09:00-17:00"],
    "windowZone": "sequence",
    "unsubscribe": {"enabled": True, "locale": "de"},
    "abTest": {"variantBId": 2, "share": 30},
    "reenrollAfter": 86400,
    "pausedAt": None,
    "createdAt": "2026-03-02T09:30:00Z",
    "updatedAt": "2026-03-03T10:00:00Z",
}
_EXAMPLE = {"data": _SEQUENCE}
_COUNTED = {
    "sequence": _SEQUENCE,
    "counts": [{"variant": None, "enrolled": 1000, "finished": 925, "replied": 125}],
    "countsUpToDate": True,
}
_NAMES = {"locale": "unsubscribe.locale", "split": "abTest"}
_STATUS = (Parameter("status", f"Only those of this status: {', '.join(SequenceStatus)}.", choice(SequenceStatus)),)
_read_new = BodyReader(NewSequence)
_read_changes = BodyReader(ChangedSequence)
_read_status = BodyReader(WantedStatus)


@readable(
    "/sequences",
    opt=described(
        "List sequences",
        role=Role.AGENT,
        parameters=_STATUS,
        answer=Many[AppSequence],
        answer_example={"data": [_SEQUENCE]},
    ),
)
def list_sequences(request: AnyRequest) -> Response[bytes]:
    """Every sequence of the account by id."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        status = word(read_parameters(request, ["status"]), "status", SequenceStatus)
        found = sequences.list_all(snapshot, member.account_id)
    return reply_all([_shown(each) for each in found if status in (None, each.status)])


@readable(
    "/sequences/{id:str}",
    opt=described(
        "Show a sequence",
        role=Role.AGENT,
        answer=One[CountedSequence],
        answer_example={"data": _COUNTED},
        refusals=(404,),
    ),
)
def show_sequence(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One sequence with its settings and its counts; its steps stand in its version."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = sequences.get(snapshot, member.account_id, read_id(id, "sequence"))
        counts = shown_counts(variant_counts(snapshot, found))
        up_to_date = events.are_counted(snapshot, member.account_id)
    return reply(CountedSequence(_shown(found), counts, up_to_date))


@post(
    "/sequences",
    sync_to_thread=True,
    opt=described(
        "Make a sequence",
        role=Role.AGENT,
        body=NewSequence,
        example={"name": "After a webinar", "windows": ["Mon-Fri 09:00-17:00"]},
        answer=One[AppSequence],
        answer_example=_EXAMPLE,
        status=201,
        refusals=(409,),
    ),
)
def make_sequence(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A draft without steps: publish some, then activate it."""
    member = admit_writing(request)
    read_parameters(request)
    with fields_named(**_NAMES):
        sent = struct_changes(_read_new(request, body))
        draft = replace(SequenceSettings(sent["name"]), **_settings(sent))
        made = parts_of(request).world.database.transact(
            lambda tx: create(tx, member.account_id, member.user_id, draft)
        )
    return reply(_shown(made), 201)


@put(
    "/sequences/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Change a sequence",
        role=Role.AGENT,
        body=ChangedSequence,
        example={"windows": [], "abTest": None},
        answer=One[AppSequence],
        answer_example=_EXAMPLE,
        refusals=(404, 409),
    ),
)
def update_sequence(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the settings sent, for running enrollments too; waiting steps move with windows and calendar."""
    member = admit_writing(request)
    read_parameters(request)
    number = read_id(id, "sequence")
    with fields_named(**_NAMES):
        changes = _settings(struct_changes(_read_changes(request, body)))

        def work(tx: Tx) -> Sequence:
            before = settings_of(sequences.lock(tx, member.account_id, number))
            return change_settings(tx, member.account_id, number, replace(before, **changes), member.user_id)

        return reply(_shown(parts_of(request).world.database.transact(work)))


def _settings(sent: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as fields of SequenceSettings."""
    settings = dict(sent)
    if "windows" in sent:
        settings["windows"] = parse_windows(sent["windows"])
    if "unsubscribe" in sent:
        wanted = settings.pop("unsubscribe")
        settings["unsubscribing"] = Unsubscribing(wanted.enabled, check_locale(wanted.locale))
    if "ab_test" in sent:
        test = settings.pop("ab_test")
        settings["split"] = test and Split(test.variant_b_id, test.share)
    if sent.get("reenroll_after") is not None:
        settings["reenroll_after"] = timedelta(seconds=sent["reenroll_after"])
    return settings


@put(
    "/sequences/{id:str}/status",
    sync_to_thread=True,
    opt=described(
        "Activate, pause or archive a sequence",
        role=Role.AGENT,
        body=WantedStatus,
        example={"status": "paused"},
        answer=One[AppSequence],
        answer_example=_EXAMPLE,
        refusals=(404, 409),
    ),
)
def update_status(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """A pause freezes what runs with the delay it still had to wait; its end gives that back."""
    member = admit_writing(request)
    read_parameters(request)
    number, sent = read_id(id, "sequence"), _read_status(request, body)
    return reply(
        _shown(
            parts_of(request).world.database.transact(
                lambda tx: set_status(tx, member.account_id, number, sent.status, member.user_id)
            )
        )
    )


@delete(
    "/sequences/{id:str}",
    status_code=204,
    sync_to_thread=True,
    opt=described("Archive a sequence", role=Role.AGENT, status=204, refusals=(404,)),
)
def archive_sequence(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """It takes no new enrollments and lets running ones finish; nothing is lost, and it can be activated again."""
    member = admit_writing(request)
    read_parameters(request)
    number = read_id(id, "sequence")
    parts_of(request).world.database.transact(
        lambda tx: set_status(tx, member.account_id, number, SequenceStatus.ARCHIVED, member.user_id)
    )
    return nothing()


def _shown(sequence: Sequence) -> AppSequence:
    split, unsubscribing, again = sequence.split, sequence.unsubscribing, sequence.reenroll_after
    return AppSequence(
        id=sequence.id,
        name=sequence.name,
        status=sequence.status,
        version=sequence.version,
        steps_total=sequence.steps_total,
        creator_id=sequence.creator_id,
        time_zone=sequence.time_zone,
        default_actor_id=sequence.default_actor_id,
        calendar_id=sequence.calendar_id,
        windows=list(format_windows(sequence.windows)),
        window_zone=sequence.window_zone,
        unsubscribe=UnsubscribeSettings(unsubscribing.enabled, unsubscribing.locale),
        ab_test=None if split is None else AbTest(split.variant_b_id, split.share),
        reenroll_after=None if again is None else int(again.total_seconds()),
        paused_at=stamp(sequence.paused_at),
        created_at=stamp(sequence.created_at),
        updated_at=stamp(sequence.updated_at),
    )


handlers = [
    list_sequences,
    show_sequence,
    make_sequence,
    update_sequence,
    update_status,
    archive_sequence,
]
