"""People: their names, the human behind an address, and addresses and numbers in their normal form."""

from __future__ import annotations

from datetime import UTC, datetime

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.person import (
    Person,
    PersonKind,
    address_hash,
    address_key,
    findable,
    is_mailable,
    normalize_email,
    normalize_phone,
    person_values,
    search_words,
    values_to_find,
    words_in,
)

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
KEY = b"k" * 32
ADA = Person(
    account_id=1,
    kind=PersonKind.CONTACT,
    id=5,
    first_name="Ada",
    last_name="Lovelace",
    organization_name="Engines",
    title="Countess",
    email="Ada@tea.example",
    address_hash=address_hash(KEY, 1, "Ada@tea.example"),
    phone="+15551234567",
    time_zone=None,
    owner_id=2,
    creator_id=2,
    created_at=NOON,
    updated_at=NOON,
    custom={"tea": "green"},
)


def email_of_the_library(text: str) -> str | None:
    try:
        return validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return None


def phone_of_the_library(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text.strip(), None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def ours(normalize: object, text: str) -> str | None:
    assert callable(normalize)
    try:
        return str(normalize(text))
    except IncorrectValue:
        return None


# Addresses.

label = st.text("aZ09", min_size=1, max_size=30)
separator = st.sampled_from([".", "_", "+", "-", "..", "'"])
locals_ = st.builds("{}{}{}{}{}".format, label, separator, label, separator, label) | label
roles = st.sampled_from([*CASE_INSENSITIVE_MAILBOX_NAMES, "root"]).flatmap(
    lambda role: st.sampled_from([role, role.upper(), role.title()])
)
tops = st.sampled_from(["com", "DE", "arpa", "local", "test", "example", "invalid", "onion", "localhost", "c", "x1"])
domains = st.builds("{}.{}".format, label, tops) | st.builds("{}.{}.{}".format, label, label, tops)


@settings(max_examples=200, deadline=None)
@given(st.builds("{}@{}".format, locals_ | roles, domains))
@example("Postmaster@Tea.Example")
@example("ada@tea.LOCAL")
@example("ada@xn--tea.com")
@example("a" * 30 + "." + "b" * 20 + "." + "c" * 20 + "@tea.example")
def test_the_fast_path_for_addresses_agrees_with_the_library(text: str) -> None:
    assert ours(normalize_email, text) == email_of_the_library(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20) | st.emails() | st.text("aA@.-+_ é\nK\u017f", max_size=12))
def test_any_text_is_an_address_exactly_where_the_library_says_so(text: str) -> None:
    assert ours(normalize_email, text) == email_of_the_library(text)


def test_an_address_keeps_its_writing_before_the_at_sign_and_not_after_it() -> None:
    assert normalize_email("  Ada.Lovelace@TEA.Example ") == "Ada.Lovelace@tea.example"
    assert normalize_email("jos\u00e9@bücher.example") == "jos\u00e9@bücher.example"


def test_the_mailboxes_everybody_has_are_written_in_one_way() -> None:
    assert normalize_email("Sales@tea.example") == "sales@tea.example"


@pytest.mark.parametrize("text", ["", "ada", "ada@", "@tea.example", "ada@tea", "a b@tea.example", "a@b@tea.example"])
def test_what_is_no_address_is_refused_on_its_field(text: str) -> None:
    with pytest.raises(IncorrectValue) as refused:
        normalize_email(text)
    assert refused.value.field == "email"
    assert refused.value.detail


def test_a_very_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(IncorrectValue, match="at most 254 characters"):
        normalize_email("a" * 100_000 + "@tea.example")


# Phone numbers.

digits = st.text("0123456789", min_size=1, max_size=14)


@settings(max_examples=200, deadline=None)
@given(st.builds("+1{}{}".format, st.sampled_from("0123456789"), st.text("0123456789", min_size=8, max_size=10)))
@example("+10001234567")
@example("+12001234567\n")
def test_the_fast_path_for_numbers_agrees_with_the_library(text: str) -> None:
    assert ours(normalize_phone, text) == phone_of_the_library(text)


@settings(max_examples=100, deadline=None)
@given(st.builds("+{}".format, digits) | st.text("+0123456789 ()-.x٣", max_size=18) | st.text(max_size=12))
def test_any_text_is_a_number_exactly_where_the_library_says_so(text: str) -> None:
    assert ours(normalize_phone, text) == phone_of_the_library(text)


def test_a_number_is_stored_in_one_way() -> None:
    assert normalize_phone(" +1 (555) 123-4567 ") == "+15551234567"
    assert normalize_phone("+49 30 901820") == "+4930901820"


@pytest.mark.parametrize("text", ["", "5551234567", "+1", "call me", "+999123456789"])
def test_a_number_without_its_country_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(IncorrectValue, match="country code") as refused:
        normalize_phone(text)
    assert refused.value.field == "phone"


# The human behind the address.


@settings(max_examples=100)
@given(st.text(max_size=20), st.text(" \t\n", max_size=3))
def test_the_address_key_is_trimmed_and_case_folded(text: str, space: str) -> None:
    assert address_key(space + text + space) == text.strip().casefold()


def test_the_key_is_folded_not_merely_lowered() -> None:
    assert address_key(" STRASSE@Tea.example ") == address_key("straße@tea.example") == "strasse@tea.example"


@settings(max_examples=100)
@given(st.text(max_size=20), st.integers(1, 2**31), st.integers(1, 2**31))
def test_one_address_is_another_hash_in_another_account_and_under_another_key(
    email: str, account_id: int, other_id: int
) -> None:
    hashed = address_hash(KEY, account_id, email)
    assert len(bytes.fromhex(hashed)) == 16
    assert address_hash(KEY, account_id, f" {email} ") == hashed
    assert (address_hash(KEY, other_id, email) == hashed) == (other_id == account_id)
    assert address_hash(b"l" * 32, account_id, email) != hashed


def test_two_addresses_have_two_hashes() -> None:
    assert len({address_hash(KEY, 1, f"ada{n}@tea.example") for n in range(1000)}) == 1000


# Names, and what merge tags see.


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [("Ada", "Lovelace", "Ada Lovelace"), ("Ada", None, "Ada"), ("", "Lovelace", "Lovelace"), (None, None, "")],
)
def test_a_name_is_made_of_what_there_is(first: str | None, last: str | None, name: str) -> None:
    assert structs.replace(ADA, first_name=first, last_name=last).name == name


def test_merge_tags_see_the_persons_fields_and_nothing_internal() -> None:
    assert person_values(ADA) == {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "name": "Ada Lovelace",
        "organization_name": "Engines",
        "title": "Countess",
        "email": "Ada@tea.example",
        "phone": "+15551234567",
        "custom": {"tea": "green"},
    }
    assert person_values(ADA)["custom"] is not ADA.custom


@pytest.mark.parametrize("name", [None, "Engines"])
def test_an_organization_is_called_by_its_own_name(name: str | None) -> None:
    assert structs.replace(ADA, is_organization=True, organization_name=name).name == (name or "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Tom", "Tom"),
        (12, "12"),
        (12.0, "12"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ("", None),
        (["red"], None),
        ({"city": "London"}, None),
        ("x" * 255, "x" * 255),
        ("x" * 256, None),
    ],
)
def test_somebody_is_found_by_a_plain_short_value(value: object, text: str | None) -> None:
    assert findable(value) == text


def test_custom_fields_and_parts_of_the_address_are_told_apart() -> None:
    ada = structs.replace(
        ADA,
        custom={"city": "Tea", "colours": ["red"]},
        details={"address": {"city": "London", "line1": None}, "website": "x"},
    )
    assert values_to_find(ada) == {"custom.city": "Tea", "address.city": "London"}
    assert values_to_find(structs.replace(ADA, custom={}, details={"address": None})) == {}
    assert values_to_find(structs.replace(ADA, custom={}, details={})) == {}


def test_letters_reach_addresses_whose_local_part_is_ascii() -> None:
    assert is_mailable("ada+tea@example.com")
    assert is_mailable("ada@bücher.example")
    assert not is_mailable("jörg@example.com")


def test_words_are_compared_without_case_and_accents() -> None:
    assert words_in("Zoë ÅNGSTRÖM", None, "") == {"zoe", "angstrom"}
    assert words_in("Straße") == words_in("STRASSE") == {"strasse"}


def test_an_address_is_one_word_and_punctuation_none() -> None:
    assert words_in("Ada@X.example", "Lovelace, (Countess); Tea/Co") == {
        *("ada@x.example", "lovelace", "countess", "tea", "co"),
    }


def test_of_a_long_word_the_beginning_counts() -> None:
    assert words_in("x" * 100) == {"x" * 60}


def test_a_person_is_found_by_names_company_and_address() -> None:
    found = search_words(structs.replace(ADA, organization_name="Tea House"))
    assert {"ada", "lovelace", "tea", "house"} <= found


@given(st.text(max_size=80))
def test_words_hold_nothing_that_cannot_be_stored_or_that_separates(text: str) -> None:
    for word in words_in(text):
        assert word
        assert not set(word) & set(' \t\n\0,;()<>"/')
        assert words_in(word) <= {word} or len(word) == 60
