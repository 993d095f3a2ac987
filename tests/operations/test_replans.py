"""What running enrollments hear of their sequence: a pause, its end, another rhythm."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumbeat.domain.calendar import Holidays, Unit, parse_windows
from drumbeat.domain.sequence import Sequence
from drumbeat.operations.calendars import add_calendar, change_calendar
from drumbeat.operations.sequences import (
    carry_replan,
    change_settings,
    set_status,
    settings_of,
)
from drumbeat.store import due, enrollments, replans, sequences
from drumbeat.store.due import Waiting
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.store.replans import ReplanKind
from tests.operations.world import (
    ACTIVE,
    ARCHIVED,
    HOUR,
    MONDAY,
    PAUSED,
    World,
    active,
    carry_all,
    enrolled,
    fetched,
    letter,
    queued,
    status,
    task,
)


class TestPausing:
    def test_a_pause_freezes_and_its_end_gives_the_hours_back(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(10))
            ids = [enrolled(tx, world, sequence) for _ in range(5)]
        world.clock.now += 4 * HOUR
        status(world, sequence, PAUSED)
        assert carry_all(world, limit=2) == 3
        assert [fetched(world, id).due_at for id in ids] == [None] * 5
        world.clock.now += 100 * HOUR
        status(world, sequence, ACTIVE)
        assert carry_all(world, limit=2) == 3
        assert {fetched(world, id).due_at for id in ids} == {MONDAY + 110 * HOUR}

    def test_weekdays_come_back_as_working_time_at_the_same_wall_clock(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(3, Unit.WEEKDAYS))
            id = enrolled(tx, world, sequence)
        world.clock.now += timedelta(days=1)
        status(world, sequence, PAUSED)
        world.clock.now += timedelta(days=7)
        status(world, sequence, ACTIVE)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + timedelta(days=10)

    def test_what_was_overdue_is_due_at_once(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(1))
            id = enrolled(tx, world, sequence)
        world.clock.now += 2 * HOUR
        status(world, sequence, PAUSED)
        carry_all(world)
        world.clock.now += 2 * HOUR
        status(world, sequence, ACTIVE)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + HOUR

    def test_nothing_leaves_early_while_an_ended_pause_is_still_carried(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(10))
            id = enrolled(tx, world, sequence)
        world.clock.now += HOUR
        paused_at = world.clock.now
        status(world, sequence, PAUSED)
        world.clock.now += 100 * HOUR
        resumed = status(world, sequence, ACTIVE)
        assert fetched(world, id).due_at == MONDAY + 10 * HOUR
        assert resumed.paused_at == paused_at
        carry_all(world)
        with world.database.read() as snapshot:
            assert sequences.get(snapshot, world.account_id, sequence.id).paused_at is None

    def test_who_enrolls_while_an_ended_pause_is_still_carried_is_not_left_behind(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(10))
        status(world, sequence, PAUSED)
        world.clock.now += HOUR
        resumed = status(world, sequence, ACTIVE)
        with world.database.write() as tx:
            id = enrolled(tx, world, resumed)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + 11 * HOUR

    def test_who_is_planned_in_the_instant_the_pause_ends_is_not_left_behind(self, world: World) -> None:
        with world.database.write() as tx:
            paused = set_status(tx, world.account_id, active(tx, world, task(10)).id, PAUSED, None)
            id = enrolled(tx, world, paused)
            assert enrollments.get(tx, world.account_id, id).due_at is None
            set_status(tx, world.account_id, paused.id, ACTIVE, None)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + 10 * HOUR

    def test_archiving_a_paused_sequence_lets_its_enrollments_finish(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(10))
            id = enrolled(tx, world, sequence)
        status(world, sequence, PAUSED)
        carry_all(world)
        world.clock.now += HOUR
        status(world, sequence, ARCHIVED)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + 11 * HOUR

    def test_a_freeze_reaches_a_leased_letter_and_ends_its_lease(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world)
            id = enrolled(tx, world, sequence)
            lease = world.clock.now + timedelta(seconds=30)
            due.claim(tx, world.account_id, NO_MAILBOX, limit=1, token="t", lease_until=lease)
        status(world, sequence, PAUSED)
        carry_all(world)
        assert fetched(world, id).due_at is None
        with world.database.read() as snapshot:
            assert replans.leased_among(snapshot, world.account_id, [id]) == frozenset()

    def test_the_tries_of_a_step_outlast_a_pause(self, world: World) -> None:
        tried_at = MONDAY - HOUR
        with world.database.write() as tx:
            sequence = active(tx, world)
            id = enrolled(tx, world, sequence)
            due.plan(tx, world.account_id, [Waiting(id, NO_MAILBOX, MONDAY, 3, tried_at)])
        status(world, sequence, PAUSED)
        carry_all(world)
        status(world, sequence, ACTIVE)
        carry_all(world)
        with world.database.read() as snapshot:
            found = due.get_attempt(snapshot, world.account_id, [id])
        assert found == {id: (NO_MAILBOX, 3, tried_at)}
        assert fetched(world, id).due_at == MONDAY

    def test_what_was_planned_since_the_pause_ended_keeps_its_instant(self, world: World) -> None:
        retry_at = MONDAY + 3 * HOUR
        with world.database.write() as tx:
            sequence = active(tx, world)
            id = enrolled(tx, world, sequence)
        status(world, sequence, PAUSED)
        carry_all(world)
        world.clock.advance(HOUR)
        status(world, sequence, ACTIVE)
        with world.database.write() as tx:
            due.plan(tx, world.account_id, [Waiting(id, NO_MAILBOX, retry_at)])
        carry_all(world)
        assert fetched(world, id).due_at == retry_at

    def test_what_is_stored_later_is_stamped_later(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(10))
            id = enrolled(tx, world, sequence)
        for each in (PAUSED, ACTIVE):
            status(world, sequence, each)
            world.clock.advance(HOUR)
        carry_all(world)
        assert fetched(world, id).updated_at == MONDAY + 2 * HOUR

    def test_an_enrollment_of_another_sequence_is_left_alone(self, world: World) -> None:
        with world.database.write() as tx:
            sequence, other = active(tx, world), active(tx, world, task(10), name="Other")
            id = enrolled(tx, world, other)
        status(world, sequence, PAUSED)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + 10 * HOUR


class TestRhythm:
    def test_new_windows_move_what_waits(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, letter(hours=1))
            id = enrolled(tx, world, sequence)
            wanted = replace(settings_of(sequence), windows=parse_windows(["Tue 12:00-13:00"]))
            change_settings(tx, world.account_id, sequence.id, wanted, world.owner_id)
        carry_all(world)
        assert fetched(world, id).due_at == datetime(2026, 3, 3, 11, tzinfo=UTC)

    def test_a_changed_calendar_moves_what_waits_by_it(self, world: World) -> None:
        with world.database.write() as tx:
            calendar_id = add_calendar(tx, world.account_id, "Ours", Holidays(), world.owner_id).id
            sequence = active(tx, world, task(1, Unit.WEEKDAYS), calendar_id=calendar_id)
            other = active(tx, world, name="Other")
            id = enrolled(tx, world, sequence)
            off = Holidays(days=frozenset({date(2026, 3, 3)}))
            for _ in range(2):
                change_calendar(tx, world.account_id, calendar_id, holidays=off)
            assert (queued(tx, sequence), queued(tx, other)) == (["rhythm"], [])
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + timedelta(days=2)

    def test_a_letter_that_a_worker_holds_is_left_to_it(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world)
            id = enrolled(tx, world, sequence)
            lease = world.clock.now + timedelta(seconds=30)
            due.claim(tx, world.account_id, NO_MAILBOX, limit=1, token="t", lease_until=lease)
            wanted = replace(settings_of(sequence), windows=parse_windows(["Tue 12:00-13:00"]))
            change_settings(tx, world.account_id, sequence.id, wanted, world.owner_id)
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY
        with world.database.read() as snapshot:
            assert replans.leased_among(snapshot, world.account_id, [id]) == {id}

    def test_new_windows_plan_nothing_while_an_ended_pause_is_still_carried(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, letter(hours=1))
            id = enrolled(tx, world, sequence)
        status(world, sequence, PAUSED)
        carry_all(world)
        with world.database.write() as tx:
            wanted = replace(settings_of(sequence), windows=parse_windows(["Mon-Sun 00:00-24:00"]))
            change_settings(tx, world.account_id, sequence.id, wanted, world.owner_id)
        world.clock.now += 50 * HOUR
        status(world, sequence, ACTIVE)
        with world.database.write() as tx:
            rhythm = replans.find_next(tx)
            assert rhythm is not None
            assert rhythm.kind is ReplanKind.RHYTHM
            carry_replan(tx, rhythm)
        assert fetched(world, id).due_at is None
        carry_all(world)
        assert fetched(world, id).due_at == MONDAY + 51 * HOUR


class TestOrder:
    def test_a_change_already_carried_on_is_refused(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world)
            for _ in range(3):
                enrolled(tx, world, sequence)
        status(world, sequence, PAUSED)
        with world.database.write() as tx:
            replan = replans.find_next(tx)
            assert replan is not None
            assert carry_replan(tx, replan, limit=2)
            assert not carry_replan(tx, replan, limit=2)
        carry_all(world)

    def test_a_number_used_again_means_another_change(self, world: World) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world)
        status(world, sequence, PAUSED)
        with world.database.read() as snapshot:
            stale = replans.find_next(snapshot)
        assert stale is not None
        carry_all(world)
        world.clock.now += HOUR
        status(world, sequence, ACTIVE)
        with world.database.write() as tx:
            assert not carry_replan(tx, stale)
            assert queued(tx, sequence) == ["thaw"]
        carry_all(world)

    def test_a_short_change_does_not_wait_for_a_long_one(self, world: World) -> None:
        with world.database.write() as tx:
            long, short = active(tx, world, name="Long"), active(tx, world, name="Short")
            for _ in range(3):
                enrolled(tx, world, long)
        status(world, long, PAUSED)
        with world.database.write() as tx:
            first = replans.find_next(tx)
            assert first is not None
            carry_replan(tx, first, limit=1)
        status(world, short, PAUSED)
        with world.database.read() as snapshot:
            following = replans.find_next(snapshot)
        assert following is not None
        assert following.sequence_id == short.id
        carry_all(world)

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.sampled_from(["pause", "resume", "carry", "enroll"]), max_size=20))
    def test_pauses_in_any_order_give_back_exactly_what_they_took(self, world: World, happenings: list[str]) -> None:
        with world.database.write() as tx:
            sequence = active(tx, world, task(10), name=secrets.token_hex(8))
        told = Told(world, sequence)
        for happening in ["enroll", "enroll", *happenings, "resume"]:
            world.clock.now += timedelta(minutes=97)
            getattr(told, happening)()
            told.check_nothing_leaves_early()
        carry_all(world, limit=3)
        assert {id: fetched(world, id).due_at for id in told.ready_at} == told.ready_at


@dataclass
class Told:
    """When each enrollment is ready, reckoned without any queue."""

    world: World
    sequence: Sequence
    ready_at: dict[int, datetime] = field(default_factory=dict)
    paused_at: datetime | None = None

    def enroll(self) -> None:
        """Somebody starts, unless the sequence is paused."""
        if self.paused_at is None:
            with self.world.database.write() as tx:
                self.ready_at[enrolled(tx, self.world, self.sequence)] = tx.now + 10 * HOUR

    def pause(self) -> None:
        """Everything stops."""
        if self.paused_at is None:
            self.sequence = status(self.world, self.sequence, PAUSED)
            self.paused_at = self.world.clock.now

    def resume(self) -> None:
        """Whoever still had to wait waits on for as long."""
        if self.paused_at is not None:
            self.sequence = status(self.world, self.sequence, ACTIVE)
            for id, ready_at in self.ready_at.items():
                if ready_at > self.paused_at:
                    self.ready_at[id] += self.world.clock.now - self.paused_at
            self.paused_at = None

    def carry(self) -> None:
        """A worker carries one batch."""
        with self.world.database.write() as tx:
            replan = replans.find_next(tx)
            if replan is not None:
                assert carry_replan(tx, replan, limit=2)

    def check_nothing_leaves_early(self) -> None:
        """Whatever has an instant has none before its time, or its sequence holds it."""
        with self.world.database.read() as snapshot:
            stands = sequences.get(snapshot, self.world.account_id, self.sequence.id)
            for id, ready_at in self.ready_at.items():
                due_at = enrollments.get(snapshot, self.world.account_id, id).due_at
                assert due_at is None or stands.paused_at is not None or due_at >= ready_at
