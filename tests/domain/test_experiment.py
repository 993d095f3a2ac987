"""Whether the difference between two variants is real, however often one looks."""

from __future__ import annotations

import random
from functools import cache
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumbeat.domain.experiment import CONVINCED, Arm, examine
from drumbeat.domain.variant import Variant


def test_without_anybody_nothing_is_known() -> None:
    found = examine(Arm(0, 0), Arm(0, 0), 50)
    assert (found.evidence, found.better, found.least, found.most) == (1.0, None, 0.0, inf)
    assert found.needed is None
    assert not found.is_skewed


def test_a_variant_that_gets_many_more_replies_is_better() -> None:
    assert examine(Arm(1000, 50), Arm(1000, 110), 50).better is Variant.B
    assert examine(Arm(1000, 110), Arm(1000, 50), 50).better is Variant.A


def test_the_same_rate_at_an_uneven_share_is_no_difference() -> None:
    found = examine(Arm(9000, 900), Arm(1000, 100), 10)
    assert found.better is None
    assert found.least < 1 < found.most


def test_a_small_difference_needs_people_and_says_about_how_many() -> None:
    found = examine(Arm(500, 50), Arm(500, 65), 50)
    assert found.better is None
    assert found.needed is not None
    more = (500 + found.needed // 2) / 500
    later = examine(Arm(int(500 * more), int(50 * more)), Arm(int(500 * more), int(65 * more)), 50)
    assert later.evidence >= CONVINCED / 2


def test_where_nothing_differs_no_number_of_people_is_promised() -> None:
    assert examine(Arm(500, 50), Arm(500, 50), 50).needed is None
    assert examine(Arm(100_000, 10_000), Arm(100_000, 10_120), 50).needed is None


def test_a_few_replies_promise_nothing() -> None:
    assert examine(Arm(50, 1), Arm(50, 2), 50).needed is None


def test_all_or_none_of_the_replies_is_evidence_too() -> None:
    assert examine(Arm(100, 0), Arm(100, 6), 50).better is None
    assert examine(Arm(100, 6), Arm(100, 0), 50).needed is not None
    assert examine(Arm(100, 0), Arm(100, 30), 50).better is Variant.B
    assert examine(Arm(100, 0), Arm(100, 30), 50).most == inf


def test_overwhelming_evidence_is_told_without_end() -> None:
    assert examine(Arm(100_000, 100), Arm(100_000, 50_000), 50).evidence == inf


def test_people_enrolled_in_another_share_than_asked_for_are_told() -> None:
    assert examine(Arm(5000, 0), Arm(5000, 0), 30).is_skewed
    assert not examine(Arm(7030, 0), Arm(2970, 0), 30).is_skewed


def test_a_rate_is_a_share_of_those_enrolled() -> None:
    assert (Arm(0, 0).rate, Arm(4, 1).rate) == (0.0, 0.25)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 99))
def test_the_range_holds_what_was_seen_and_the_decision_agrees_with_it(a: int, b: int, share: int) -> None:
    found = examine(Arm(10_000, a), Arm(10_000, b), share)
    assert 0 <= found.least <= found.most
    if a + b:
        seen = inf if not a else (b / (a + b)) * (100 - share) / ((a / (a + b)) * share)
        assert found.least <= seen * 1.001
        assert found.most >= seen * 0.999


@pytest.mark.parametrize("share", [20, 50])
def test_looking_after_every_reply_deceives_at_most_one_in_twenty(share: int) -> None:
    @cache
    def evidence(a: int, b: int) -> float:
        return examine(Arm(10**6, a), Arm(10**6, b), share).evidence

    def deceives(chance: random.Random) -> bool:
        b = 0
        for tosses in range(1, 201):
            b += chance.random() < share / 100
            if evidence(tosses - b, b) >= CONVINCED:
                return True
        return False

    chance = random.Random(share)
    assert sum(deceives(chance) for _ in range(300)) <= 15
