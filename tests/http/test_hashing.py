"""Passwords are hashed few at a time, and a flood of them takes no threads from other calls."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from drumbeat.domain.errors import Unavailable
from drumbeat.http.hashing import Hashing


class Working(Thread):
    """Hashes until it is told to end."""

    def __init__(self, hashing: Hashing) -> None:
        super().__init__()
        self.hashing, self.works, self.ends = hashing, Event(), Event()

    def run(self) -> None:
        with self.hashing:
            self.works.set()
            assert self.ends.wait(10)


def test_whoever_finds_no_room_is_sent_away_and_finds_some_later() -> None:
    hashing = Hashing(at_once=1, waiting=0)
    first = Working(hashing)
    first.start()
    assert first.works.wait(10)
    with pytest.raises(Unavailable, match="Too many people are signing in"), hashing:
        raise AssertionError("there was room")
    first.ends.set()
    first.join(10)
    with hashing:
        pass


def test_who_finds_room_to_wait_has_their_turn() -> None:
    hashing = Hashing(at_once=1, waiting=1)
    first, second = Working(hashing), Working(hashing)
    first.start()
    assert first.works.wait(10)
    second.ends.set()
    second.start()
    assert not second.works.is_set()
    first.ends.set()
    second.join(10)
    assert second.works.is_set()
    first.join(10)
