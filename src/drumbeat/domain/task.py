"""Work a seller does by hand, and what completing it means for a step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Task:
    """A to-do; one opened by a sequence names its enrollment, and completing it completes that step."""

    account_id: int
    id: int
    owner_id: int
    creator_id: int
    resource_type: str | None
    resource_id: int | None
    content: str
    due_at: datetime | None
    completed_at: datetime | None
    enrollment_id: int | None
    created_at: datetime
    updated_at: datetime
    remind_at: datetime | None = None

    @property
    def completed(self) -> bool:
        """Whether it is done."""
        return self.completed_at is not None

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is open and its due date has passed."""
        return not self.completed and self.due_at is not None and self.due_at < now
