"""The keyed hash, and the marks made of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.mac import base36, mac, mark, read_mark

KEY = b"k" * 32
ids = st.integers(0, 2**63 - 1)
parts = st.lists(st.one_of(st.text(max_size=5), st.integers()), max_size=4)


@given(parts, parts)
@settings(max_examples=200)
def test_different_parts_never_have_the_same_mac(one: list[str | int], other: list[str | int]) -> None:
    assert (mac(KEY, "p", *one) == mac(KEY, "p", *other)) == (one == other)


def test_a_mac_depends_on_key_purpose_and_the_kind_and_borders_of_its_parts() -> None:
    macs = [
        mac(KEY, "a", "bc"),
        mac(KEY, "ab", "c"),
        mac(KEY, "a", "b", "c"),
        mac(KEY, "a", 1),
        mac(KEY, "a", "1"),
        mac(KEY, "a", 11),
        mac(KEY, "a", 1, 1),
        mac(b"other", "a", "bc"),
    ]
    assert len(set(macs)) == len(macs)
    assert {len(value) for value in macs} == {32}


@given(st.lists(ids, min_size=1, max_size=8))
def test_a_mark_names_its_ids_to_whoever_has_the_key_and_the_purpose(named: list[int]) -> None:
    text = mark(KEY, "p", *named)
    assert read_mark(KEY, "p", text) == tuple(named)
    assert read_mark(KEY, "q", text) is None
    assert read_mark(b"other", "p", text) is None


@given(st.text(max_size=80) | st.from_regex(r"([0-9a-z]{1,13}\.){1,3}[a-z2-7]{24}", fullmatch=True))
def test_what_only_looks_like_a_mark_is_none(text: str) -> None:
    assert read_mark(KEY, "p", text) is None


@given(ids)
def test_base_36_is_what_int_reads(number: int) -> None:
    assert int(base36(number), 36) == number


@pytest.mark.parametrize("number", [-1, 2**63])
def test_what_is_no_id_is_not_written(number: int) -> None:
    with pytest.raises(ValueError, match="no id"):
        base36(number)
