"""The committed documents say what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from drumbeat.domain.delivery import TRANSITIONS, DeliveryStatus, FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.event import Fact
from script import draw_states

DOCS = Path(__file__).parents[1] / "docs"
STATES = (DOCS / "states.md").read_text("utf-8")
GLOSSARY = (DOCS / "glossary.md").read_text("utf-8")

WORDS: Iterable[type[StrEnum]] = (Fact, State, FinishedReason, FailureReason, ActionStatus, DeliveryStatus)


def test_the_page_of_states_is_what_the_machine_draws() -> None:
    assert draw_states.draw() == STATES, "run script/draw_states.py"
    assert draw_states.main(["--check"]) == 0


def test_a_page_that_is_not_what_the_machine_draws_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "states.md"
    page.write_text(STATES.replace("active --> blocked: cannot send\n", ""), "utf-8")
    assert draw_states.main(["--check"], page) == 1
    assert "run script/draw_states.py" in capsys.readouterr().err
    assert draw_states.main([], page) == 0
    assert page.read_text("utf-8") == STATES


@pytest.mark.parametrize("word", [word for words in WORDS for word in words], ids=repr)
def test_every_word_of_the_machine_is_explained(word: StrEnum) -> None:
    assert f"`{word}`" in GLOSSARY or f"`{word}`" in STATES


def test_every_fact_has_its_row_in_the_glossary() -> None:
    facts = GLOSSARY.split("## Facts of an enrollment")[1]
    assert re.findall(r"^\| `(\w+)` \|", facts, re.MULTILINE) == list(Fact)


def test_the_diagram_shows_that_finished_is_terminal() -> None:
    leaving = {State(word) for word in re.findall(r"^    (\w+) --> \w+:", STATES, re.MULTILINE)}
    assert leaving == {State.ACTIVE, State.BLOCKED}
    assert "    finished --> [*]" in STATES


def test_every_way_a_delivery_may_go_is_in_the_table() -> None:
    for status, following in TRANSITIONS.items():
        row = next(line for line in STATES.split("## Delivery")[1].splitlines() if line.startswith(f"| `{status}` |"))
        assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == set(following)


def test_every_term_of_the_glossary_is_explained_once_in_a_sentence() -> None:
    for section in GLOSSARY.split("\n## ")[1:]:
        rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
        terms = [row[0] for row in rows]
        assert len(terms) == len(set(terms))
        assert rows
        assert all(len(row) == 2 and row[1].endswith(".") for row in rows)
