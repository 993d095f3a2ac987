"""The tree of errors: as it is drawn, and the sentence each one says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from drumbeat.domain import errors
from drumbeat.domain.errors import (
    BlankField,
    DrumbeatError,
    InboxUnreachable,
    IncorrectValue,
    InFile,
    Invalid,
    InvalidMany,
    MissingField,
    MissingTags,
    NoEligibleContacts,
    NotFound,
    TemplateFails,
    TemplateSyntax,
    TooManyAttempts,
)

ALL = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DrumbeatError)]


def drawn() -> Iterator[tuple[str, str | None]]:
    """Each error of the drawing with the one above it."""
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"((?:\|   |    )*)(?:\|-- |`-- )(\w+)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            del above[depth:]
            yield found[2], above[-1]
            above.append(found[2])
        elif line == "DrumbeatError":
            yield line, None
            above.append(line)


def test_the_drawing_is_the_tree() -> None:
    real = {each.__name__: None if each is DrumbeatError else each.__mro__[1].__name__ for each in ALL}
    assert dict(drawn()) == real
    assert len(list(drawn())) == len(real), "each is drawn once"


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_says_a_sentence_of_its_own(error: type[DrumbeatError]) -> None:
    sentence = error.__new__(error).message
    assert re.fullmatch(r"[A-Z].*\.", sentence)
    assert "\n" not in sentence
    assert sum(other.__doc__ == error.__doc__ for other in ALL) == 1


def test_the_detail_follows_the_sentence() -> None:
    assert str(NotFound()) == "There is no such record."
    error = NotFound("There is no lead 7.", field="resource_id")
    assert str(error) == "There is no such record. There is no lead 7."
    assert (error.detail, error.field, error.message) == (
        "There is no lead 7.",
        "resource_id",
        "There is no such record.",
    )


def test_the_message_is_the_first_paragraph_on_one_line() -> None:
    class Long(DrumbeatError):
        """Two lines
        of one sentence.

        And more about it.
        """

    assert Long().message == "Two lines of one sentence."


def test_an_error_without_a_docstring_says_what_it_was_told() -> None:
    class Silent(DrumbeatError):
        __doc__ = None

    assert str(Silent("told")) == "told"


def test_several_fields_are_told_together() -> None:
    many = InvalidMany([MissingField(field="name"), BlankField("Say it.", field="content")])
    assert [error.field for error in many.errors] == ["name", "content"]
    assert all(isinstance(error, Invalid) for error in many.errors)
    assert "name: The field is required.; content: The field must not be blank. Say it." in str(many)


def test_a_refused_execution_carries_the_result_of_each_contact() -> None:
    results = [{"email": "ada@tea.example", "status": "invalid"}]
    assert NoEligibleContacts(results).results == tuple(results)


@pytest.mark.parametrize("error", [TemplateSyntax, TemplateFails])
def test_a_template_error_says_where(error: type[TemplateSyntax]) -> None:
    told = error("an open tag", part="subject", line=3)
    assert (told.part, told.line, told.field) == ("subject", 3, "subject")
    assert "In subject, line 3: an open tag" in str(told)
    assert "In html: an open tag" in str(error("an open tag", part="html"))


def test_an_error_in_a_file_reads_like_a_compilers() -> None:
    told = InFile("a step needs a delay.", file="tea.yaml", line=12)
    assert str(told) == "tea.yaml:12: a step needs a delay."
    assert told.field == "tea.yaml:12"


def test_missing_tags_are_named_all_at_once() -> None:
    told = MissingTags(["person.title", "sender.name"])
    assert told.tags == ("person.title", "sender.name")
    assert "person.title, sender.name" in str(told)


def test_what_cannot_stand_in_a_header_is_a_value_error_too() -> None:
    assert issubclass(errors.Unsendable, ValueError)
    assert issubclass(errors.Unsendable, IncorrectValue)


@pytest.mark.parametrize(("seconds", "said"), [(1, "1 minute."), (60, "1 minute."), (61, "2 minutes.")])
def test_too_many_attempts_say_when_to_come_back(seconds: int, said: str) -> None:
    error = TooManyAttempts(seconds)
    assert error.seconds == seconds
    assert error.detail == f"Try again in {said}"


def test_an_inbox_out_of_reach_names_the_stage() -> None:
    error = InboxUnreachable("auth", "invalid credentials")
    assert (error.stage, error.detail) == ("auth", "auth: invalid credentials")
