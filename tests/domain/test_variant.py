"""Which variant a person gets: the same for ever, and in the configured share."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.variant import Variant, choose_variant

KEY = b"k" * 32
PEOPLE = [f"{number:032x}" for number in range(20_000)]

hashes = st.integers(0, 2**128 - 1).map("{:032x}".format)
shares = st.integers(1, 99)


@settings(max_examples=100)
@given(hashes, shares)
def test_a_person_gets_the_same_variant_every_time(address_hash: str, share: int) -> None:
    first = choose_variant(KEY, 1, 2, address_hash, share)
    assert choose_variant(KEY, 1, 2, address_hash, share) is first


@pytest.mark.parametrize("share", [1, 10, 33, 50, 90, 99])
def test_the_realised_share_is_the_configured_one(share: int) -> None:
    realised = sum(choose_variant(KEY, 1, 2, person, share) is Variant.B for person in PEOPLE)
    expected, deviation = len(PEOPLE) * share / 100, sqrt(len(PEOPLE) * share * (100 - share)) / 100
    assert abs(realised - expected) <= 3 * deviation


@settings(max_examples=200)
@given(hashes, shares, shares)
def test_a_changed_share_moves_people_in_one_direction_only(address_hash: str, one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    if choose_variant(KEY, 1, 2, address_hash, smaller) is Variant.B:
        assert choose_variant(KEY, 1, 2, address_hash, larger) is Variant.B


@pytest.mark.parametrize(("account_id", "experiment", "key"), [(2, 2, KEY), (1, 3, KEY), (1, 2, b"l" * 32)])
def test_another_account_or_experiment_draws_anew(account_id: int, experiment: int, key: bytes) -> None:
    people = PEOPLE[:2000]
    same = sum(
        choose_variant(KEY, 1, 2, person, 50) is choose_variant(key, account_id, experiment, person, 50)
        for person in people
    )
    assert abs(same - 1000) <= 3 * sqrt(2000) / 2


def test_the_variants_are_named_as_in_the_api() -> None:
    assert [str(variant) for variant in Variant] == ["A", "B"]
