"""People as rows: what columns mean, what rows say, and cells no spreadsheet obeys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.people_table import FIELDS, PersonRow, check_mapping, neutral, original, propose, read_row


def test_columns_are_known_by_many_names_and_the_rest_are_custom_fields() -> None:
    headers = ["First Name", " E-Mail ", "Company", "ZIP code", "Plan", "custom.Seats", "Row", "", "Email address"]
    assert propose(headers) == [
        *("first_name", "email", "organization_name", "address.postal_code", "custom.Plan", "custom.Seats"),
        *("", "", ""),
    ]
    assert propose(FIELDS) == list(FIELDS)


@given(st.lists(st.text(max_size=120), min_size=1, max_size=8))
def test_whatever_is_proposed_may_be_taken_where_it_names_somebody(headers: list[str]) -> None:
    mapping = [*propose(headers), "email"] if "email" not in propose(headers) else propose(headers)
    check_mapping(mapping, len(mapping))


@pytest.mark.parametrize(
    ("mapping", "columns", "said"),
    [
        (["email"], 2, "Name all 2 columns"),
        (["email", "colour"], 2, "There is no field 'colour'; there are: first_name, "),
        (["email", "custom."], 2, "There is no field 'custom.'"),
        (["email", "custom." + "x" * 101], 2, "There is no field"),
        (["email", "email"], 2, "Two columns hold 'email'"),
        (["title", ""], 2, "Say which column holds the e-mail address, or a name."),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping: list[str], columns: int, said: str) -> None:
    with pytest.raises(IncorrectValue, match=said) as refused:
        check_mapping(mapping, columns)
    assert refused.value.field == "mapping"


def test_a_row_says_what_its_cells_hold_and_empty_ones_say_nothing() -> None:
    mapping = [
        "first_name",
        "email",
        "phone",
        "mobile",
        "time_zone",
        "tags",
        "address.city",
        "website",
        "custom.plan",
        "",
    ]
    cells = [
        " Ada ",
        "Ada@X.example",
        "+44 20 7946 0000",
        "020 1",
        "UTC",
        "vip; fair,vip",
        "London",
        "x.example",
        "pro",
    ]
    assert read_row(mapping, cells) == PersonRow(
        fields={
            "first_name": "Ada",
            "email": "Ada@x.example",
            "phone": "+442079460000",
            "mobile": "020 1",
            "time_zone": "UTC",
        },
        details={"tags": ["vip", "fair"], "website": "x.example"},
        address={"city": "London"},
        custom={"plan": "pro"},
    )
    assert read_row(["last_name", "title"], ["Lovelace", " ", "too much"]) == PersonRow({"last_name": "Lovelace"})


@pytest.mark.parametrize(
    ("name", "cell", "field"),
    [
        ("email", "ada", "email"),
        ("time_zone", "Mars/Base", "time_zone"),
        ("phone", "+1", "phone"),
        ("title", "x" * 256, "title"),
        ("description", "x" * 65_536, "description"),
        ("title", "a\0b", "title"),
    ],
)
def test_a_cell_that_cannot_be_kept_is_named(name: str, cell: str, field: str) -> None:
    with pytest.raises(IncorrectValue) as refused:
        read_row(["last_name", name], ["Ada", cell])
    assert refused.value.field == field
    assert refused.value.detail


def test_a_row_without_anybody_is_refused() -> None:
    with pytest.raises(IncorrectValue, match="neither an e-mail address nor a name"):
        read_row(["email", "title"], ["", "Countess"])


@given(st.text(max_size=20) | st.text("=+-@'\t\r\n a", max_size=6))
def test_a_neutral_cell_is_no_formula_and_gives_back_what_it_was(text: str) -> None:
    assert not neutral(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert original(neutral(text)) == text
