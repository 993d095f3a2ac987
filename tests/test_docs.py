"""The committed documents say what the code does."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from drumbeat.cli import app
from drumbeat.domain.delivery import TRANSITIONS, DeliveryStatus, FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.event import Fact
from drumbeat.http.errors import TABLE
from drumbeat.http.execute_v1 import execute_sequence
from drumbeat.http.sequences_v1 import show_executable
from drumbeat.operations import reading
from drumbeat.operations.execute import ContactStatus
from drumbeat.operations.files import read_files
from script import draw_api, draw_states

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


COMMANDS = (DOCS / "commands.md").read_text("utf-8")
FILES = (DOCS / "files.md").read_text("utf-8")


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        called = f"{before}{name}"
        if hasattr(command, "commands"):
            yield from _commands(command, f"{called} ")
        else:
            yield called, (command.help or "").split("\n\n")[0].replace("\n", " ")


def test_every_command_has_its_row_with_the_sentence_it_explains_itself_by() -> None:
    rows = [f"| `{name}` | {sentence} |" for name, sentence in _commands(get_command(app))]
    assert [line for line in COMMANDS.splitlines() if line.startswith("| `")] == rows


def test_the_example_of_the_files_is_read_and_names_every_field_there_is() -> None:
    example = FILES.split("```yaml\n")[1].split("```")[0]
    desired = read_files([("example.yaml", example)], lambda path: b"")
    kinds = (desired.calendars, desired.templates, desired.sequences, desired.people)
    assert [len(kind) for kind in kinds] == [1, 3, 2, 1]
    told = FILES.split("## Fields")[1]
    assert [field for field in sorted(_fields()) if f"`{field}`" not in told] == []


def _fields() -> set[str]:
    """Every field that reading a file asks for."""
    found = {*reading.PERSON_TEXTS, *reading._SEQUENCE_FIELDS}
    for node in ast.walk(ast.parse(Path(reading.__file__).read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fields":
            found |= {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    assert len(found) > 35
    return found


EXECUTE = (DOCS / "api" / "execute.md").read_text("utf-8")


def test_the_page_of_the_execute_api_shows_the_examples_of_the_reference() -> None:
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", EXECUTE, re.DOTALL)]
    for handler in (execute_sequence, show_executable):
        assert handler.opt["described"].answer_example in shown


def test_the_page_of_the_execute_api_names_every_result_and_every_error_with_its_status() -> None:
    assert all(f"| `{status}` |" in EXECUTE for status in ContactStatus)
    rows = {(int(status), code) for status, code in re.findall(r"^\| (\d+) \| `(\w+)` \|", EXECUTE, re.MULTILINE)}
    told = {told.api for told in TABLE.values()}
    never = {(409, "ALREADY_EXISTS"), (409, "CONFLICT"), (401, "NOT_SIGNED_IN"), (401, "WRONG_PASSWORD")}
    assert told - rows == never | {(403, "CROSS_SITE"), (410, "LINK_USED_UP")}
    assert {status for status, _ in rows - told} == {405, 408, 413, 415}


def test_the_reference_of_every_resource_is_what_its_routes_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw_api.main(["--check"]) == 0, "run script/draw_api.py"
    assert draw_api.main([], tmp_path) == 0
    assert draw_api.main(["--check"], tmp_path) == 0
    (tmp_path / "sell-leads.md").write_text("old")
    assert draw_api.main(["--check"], tmp_path) == 1
    assert "run script/draw_api.py" in capsys.readouterr().err


def test_every_row_of_the_faults_names_a_test_there_is() -> None:
    rows = [line for line in (DOCS / "faults.md").read_text("utf-8").splitlines() if "::" in line]
    assert len(rows) > 40
    for row in rows:
        path, _, name = row.strip("| ").split(" | ")[-1].partition("::")
        assert f"def {name}(" in (DOCS.parent / path).read_text("utf-8"), row
