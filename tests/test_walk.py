"""One contact's walk, enrolled to finished, through real SMTP, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.operations.tasks import complete
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, open_house, task
from drumbeat.testing.sink import Sink
from drumbeat.worker import Worker


def test_a_contact_walks_through_letters_and_a_task_to_the_end(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with Sink() as sink:
        house = open_house(database, sink.port, tmp_path)
        sequence = house.sequence(
            letter("0 hours"),
            letter("1 weekdays", subject="", text="Still warm, {{ person.first_name }}?", is_reply=True),
            task("1 weekdays"),
            letter("2 hours", subject="Last cup"),
        )
        enrolled = house.enroll(sequence, house.person("Ada"))
        worker = Worker(house.world)

        assert worker.step()
        first = message_from_bytes(sink.letters[0].content, policy=policy.default)
        assert first["Subject"] == "Hello Ada"
        assert "tea is ready" in first.get_content()
        assert first["List-Unsubscribe"].startswith("<https://drumbeat.example/u/")
        assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

        shown = house.view(enrolled.id)
        assert [s.status for s in shown.stages] == ["completed", "scheduled", "scheduled", "scheduled"]
        assert shown.stages[0].executed_at == clock.now
        assert shown.stages[1].estimated_at == datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
        assert shown.stages[2].estimated_at == datetime(2026, 3, 5, 10, 0, tzinfo=UTC)

        clock.advance(timedelta(days=1))
        assert worker.step()
        second = message_from_bytes(sink.letters[1].content, policy=policy.default)
        assert second["Subject"] == "Re: Hello Ada"
        assert second["In-Reply-To"] == first["Message-ID"]
        assert second["References"] == first["Message-ID"]

        clock.advance(timedelta(days=1))
        assert worker.step()
        waiting = house.enrollment(enrolled.id)
        assert waiting.status is ActionStatus.IN_PROGRESS
        assert waiting.task_id is not None
        assert house.view(enrolled.id).stages[2].estimated_at == datetime(2026, 3, 5, 23, 59, 59, tzinfo=UTC)

        clock.advance(timedelta(hours=3))
        task_id = waiting.task_id
        database.transact(lambda tx: complete(tx, house.account_id, task_id))
        clock.advance(timedelta(hours=2))
        assert worker.step()
        assert len(sink.letters) == 3
        finished = house.enrollment(enrolled.id)
        assert finished.state is State.FINISHED
        assert finished.finished_reason is FinishedReason.ALL_STEPS_COMPLETED
        assert finished.position == 3
        assert [s.status for s in house.view(enrolled.id).stages] == ["completed"] * 4
        while worker.step():
            pass
        worker.close()
