"""Sequences: settings, publication and status."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from drumbeat.domain.calendar import Unit, parse_windows
from drumbeat.domain.errors import (
    ActorUnavailable,
    AlreadyExists,
    BlankField,
    IncorrectValue,
    Invalid,
    MissingField,
    NotFound,
    SequenceEmpty,
    TemplateSyntax,
)
from drumbeat.domain.sequence import SequenceStatus, Split, Step, WindowZone
from drumbeat.domain.template import TemplateText
from drumbeat.operations.sequences import (
    SequenceSettings,
    change_settings,
    create,
    publish,
    set_status,
    settings_of,
    warnings_of,
)
from drumbeat.store import accounts, sequences
from drumbeat.store.transaction import Tx
from tests.operations.world import (
    ACTIVE,
    ARCHIVED,
    DRAFT,
    HOUR,
    MONDAY,
    PAUSED,
    World,
    active,
    drafted,
    journal,
    letter,
    queued,
    task,
)


class TestSettings:
    def test_a_new_sequence_is_a_draft_without_steps(self, tx: Tx, world: World) -> None:
        sequence = drafted(tx, world, time_zone="Europe/Berlin", reenroll_after=timedelta(0))
        assert (sequence.status, sequence.version, sequence.creator_id) == (DRAFT, 0, world.owner_id)
        assert (sequence.time_zone, sequence.reenroll_after) == ("Europe/Berlin", timedelta(0))
        assert journal(tx, world) == ["sequence_created"]

    def test_what_nobody_makes_is_made_by_the_first_active_admin(self, tx: Tx, world: World) -> None:
        assert create(tx, world.account_id, None, SequenceSettings("X")).creator_id == world.owner_id

    def test_without_an_admin_nobody_can_make_it(self, tx: Tx, world: World) -> None:
        account = accounts.add_account(tx, "Empty", "UTC", None)
        with pytest.raises(ActorUnavailable):
            create(tx, account.id, None, SequenceSettings("X"))

    @pytest.mark.parametrize(
        ("settings", "error", "field"),
        [
            (SequenceSettings(" "), BlankField, "name"),
            (SequenceSettings("Taken"), AlreadyExists, "name"),
            (SequenceSettings("X", time_zone="Europe/Nowhere"), IncorrectValue, "time_zone"),
            (SequenceSettings("X", default_actor_id=99), IncorrectValue, "default_actor_id"),
            (SequenceSettings("X", calendar_id=99), IncorrectValue, "calendar_id"),
            (SequenceSettings("X", reenroll_after=-HOUR), IncorrectValue, "reenroll_after"),
            (SequenceSettings("X", split=Split(99, 30)), IncorrectValue, "split"),
            (SequenceSettings("X", split=Split(1, 100)), IncorrectValue, "split"),
        ],
    )
    def test_a_wrong_setting_is_named(
        self, tx: Tx, world: World, settings: SequenceSettings, error: type[Invalid], field: str
    ) -> None:
        drafted(tx, world, "Taken")
        with pytest.raises(error) as refused:
            create(tx, world.account_id, world.owner_id, settings)
        assert refused.value.field == field

    def test_a_sequence_is_not_its_own_variant(self, tx: Tx, world: World) -> None:
        sequence = drafted(tx, world)
        own = SequenceSettings("Trial", split=Split(sequence.id, 50))
        with pytest.raises(IncorrectValue):
            change_settings(tx, world.account_id, sequence.id, own, world.owner_id)

    def test_settings_are_stored_and_journalled_once(self, tx: Tx, world: World) -> None:
        other, sequence = drafted(tx, world, "B"), drafted(tx, world)
        wanted = SequenceSettings("Trial 2", "Europe/Paris", split=Split(other.id, 30), reenroll_after=HOUR)
        for _ in range(2):
            changed = change_settings(tx, world.account_id, sequence.id, wanted, world.owner_id)
            assert settings_of(changed) == wanted
        assert journal(tx, world).count("sequence_changed") == 1

    @pytest.mark.parametrize(
        "changed",
        [{"windows": parse_windows(["Mon-Fri 09:00-17:00"])}, {"window_zone": WindowZone.RECIPIENT}],
    )
    def test_a_change_of_rhythm_is_queued_once_published(
        self, tx: Tx, world: World, changed: dict[str, object]
    ) -> None:
        draft, live = drafted(tx, world, "Draft"), active(tx, world)
        for sequence in (draft, live):
            wanted = replace(settings_of(sequence), **changed)  # type: ignore[arg-type]
            change_settings(tx, world.account_id, sequence.id, wanted, world.owner_id)
        assert (queued(tx, draft), queued(tx, live)) == ([], ["rhythm"])

    def test_a_new_name_or_zone_moves_nothing(self, tx: Tx, world: World) -> None:
        live = active(tx, world)
        wanted = replace(settings_of(live), name="Other", time_zone="Asia/Tokyo")
        change_settings(tx, world.account_id, live.id, wanted, world.owner_id)
        assert queued(tx, live) == []

    def test_another_accounts_sequence_cannot_be_changed(self, tx: Tx, world: World) -> None:
        live = active(tx, world)
        rival = accounts.add_account(tx, "Rival", "UTC", None)
        with pytest.raises(NotFound):
            change_settings(tx, rival.id, live.id, SequenceSettings("Mine"), None)
        with pytest.raises(NotFound):
            set_status(tx, rival.id, live.id, PAUSED, None)


class TestPublish:
    def test_without_steps_there_is_nothing_to_publish(self, tx: Tx, world: World) -> None:
        with pytest.raises(SequenceEmpty):
            publish(tx, drafted(tx, world), [])

    @pytest.mark.parametrize(
        ("step", "error"),
        [
            (letter("{{ person.first_name"), TemplateSyntax),
            (replace(task(), task_content="{{ nobody.knows }}"), TemplateSyntax),
            (replace(task(), task_content=" "), BlankField),
            (replace(task(), task_content="Look at {{ unsubscribe_url }}"), IncorrectValue),
            (replace(letter(), template=None), MissingField),
        ],
    )
    def test_every_text_is_compiled_first(self, tx: Tx, world: World, step: Step, error: type[Exception]) -> None:
        sequence = drafted(tx, world)
        with pytest.raises(error):
            publish(tx, sequence, [task(), step])
        assert sequences.get(tx, world.account_id, sequence.id).version == 0

    def test_versions_are_numbered_and_kept(self, tx: Tx, world: World) -> None:
        sequence = drafted(tx, world)
        first = publish(tx, sequence, [letter()], world.owner_id).version
        second = publish(tx, sequence, [letter(), task()], world.owner_id).version
        stored = sequences.find_versions(tx, world.account_id, [(sequence.id, 1), (sequence.id, 2)])
        assert stored == {(sequence.id, 1): first, (sequence.id, 2): second}
        assert sequences.get(tx, world.account_id, sequence.id).steps_total == 2
        assert journal(tx, world).count("sequence_published") == 2

    def test_the_author_hears_that_the_first_step_can_block(self, tx: Tx, world: World) -> None:
        text = "{{ person.title }} {{ sender.name }} {{ unsubscribe_url }} {{ person.email }}"
        published = publish(tx, drafted(tx, world), [letter(text)])
        assert published.warnings == ("step 0 can block: {{ person.title }} has no default",)

    def test_delays_that_nobody_would_see_the_end_of_are_refused(self, tx: Tx, world: World) -> None:
        steps = [letter(hours=5000), letter(hours=5000)]
        publish(tx, drafted(tx, world, "Long"), steps)
        with pytest.raises(IncorrectValue, match="at most 10000 hours or weekdays"):
            publish(tx, drafted(tx, world, "Longer"), [*steps, task(1, Unit.WEEKDAYS)])

    def test_the_author_hears_of_fields_nobody_has_and_of_a_thread_without_a_subject(self) -> None:
        wordless = replace(letter(), template=TemplateText(" ", None, "Hi {{ person.custom.plan | default: 'x' }}"))
        asks = replace(task(), task_content="Call {{ person.mobile }}")
        assert warnings_of([asks, wordless, replace(wordless, is_reply=True)]) == (
            "step 0: there is no field {{ person.mobile }}",
            "step 1 has no subject",
        )

    @pytest.mark.parametrize("steps", [[], [task()], [letter()], [letter(), letter("{{ person.title }}")]])
    def test_only_the_first_letters_tags_are_warned_of(self, steps: list[Step]) -> None:
        assert warnings_of(steps) == ()


class TestStatus:
    @pytest.mark.parametrize(
        ("path", "kinds"),
        [
            ([PAUSED], ["freeze"]),
            ([PAUSED, ACTIVE], ["freeze", "thaw"]),
            ([PAUSED, ARCHIVED], ["freeze", "thaw"]),
            ([ARCHIVED, ACTIVE], []),
            ([PAUSED, PAUSED], ["freeze"]),
            ([ACTIVE], []),
        ],
    )
    def test_pauses_and_their_ends_are_queued(
        self, tx: Tx, world: World, path: list[SequenceStatus], kinds: list[str]
    ) -> None:
        sequence = active(tx, world)
        for each in path:
            sequence = set_status(tx, world.account_id, sequence.id, each, world.owner_id)
            assert sequence.status is each
        assert queued(tx, sequence) == kinds

    @pytest.mark.parametrize(
        ("path", "refused"),
        [
            ([], PAUSED),
            ([ACTIVE], DRAFT),
            ([ACTIVE, PAUSED], DRAFT),
            ([ARCHIVED], PAUSED),
            ([ARCHIVED], DRAFT),
        ],
    )
    def test_other_changes_are_refused(
        self, tx: Tx, world: World, path: list[SequenceStatus], refused: SequenceStatus
    ) -> None:
        sequence = drafted(tx, world)
        publish(tx, sequence, [task()])
        for each in path:
            set_status(tx, world.account_id, sequence.id, each, world.owner_id)
        with pytest.raises(IncorrectValue) as error:
            set_status(tx, world.account_id, sequence.id, refused, world.owner_id)
        assert error.value.field == "status"

    def test_a_sequence_without_a_version_is_not_activated(self, tx: Tx, world: World) -> None:
        sequence = drafted(tx, world)
        with pytest.raises(SequenceEmpty):
            set_status(tx, world.account_id, sequence.id, ACTIVE, world.owner_id)

    def test_each_change_is_journalled_and_the_same_status_is_none(self, tx: Tx, world: World) -> None:
        sequence = active(tx, world)
        for each in (PAUSED, PAUSED, ACTIVE, ACTIVE, ARCHIVED):
            set_status(tx, world.account_id, sequence.id, each, world.owner_id)
        told = [fact for fact in journal(tx, world) if fact not in ("sequence_created", "sequence_published")]
        expected = ["sequence_activated", "sequence_paused", "sequence_activated", "sequence_archived"]
        assert told == expected

    def test_it_knows_since_when_it_is_paused(self, tx: Tx, world: World) -> None:
        sequence = active(tx, world)
        assert set_status(tx, world.account_id, sequence.id, PAUSED, None).paused_at == MONDAY
