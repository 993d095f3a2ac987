from __future__ import annotations

import pytest

from drumbeat.domain.inbound import InboundKind, Reading
from drumbeat.domain.told import Told, ToldKind, read_told

OURS = "<1.2.0.1.abc@drumbeat>"


@pytest.mark.parametrize(
    ("kind", "permanent", "read"),
    [
        (ToldKind.BOUNCED, True, InboundKind.BOUNCE),
        (ToldKind.BOUNCED, False, InboundKind.BOUNCE),
        (ToldKind.COMPLAINED, None, InboundKind.COMPLAINT),
        (ToldKind.UNSUBSCRIBED, None, InboundKind.UNSUBSCRIBE),
    ],
)
def test_what_is_told_reads_as_a_message_that_says_the_same(
    kind: ToldKind, permanent: bool | None, read: InboundKind
) -> None:
    told = Told(kind, "e1", OURS, "ada@example.com", "The provider said so.", permanent)
    assert read_told(told) == Reading(read, "The provider said so.", permanent, "ada@example.com", (OURS,))


@pytest.mark.parametrize("kind", [ToldKind.DELIVERED, ToldKind.DEFERRED, ToldKind.OTHER])
def test_no_message_says_what_else_is_told(kind: ToldKind) -> None:
    assert read_told(Told(kind, "e1", OURS, None, "It said so.")) is None


def test_of_somebody_elses_letter_nothing_is_read() -> None:
    assert read_told(Told(ToldKind.BOUNCED, "e1", None, None, "It said so.", True)) is None
