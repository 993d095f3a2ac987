"""Draws docs/api/reference, a page for each resource of the APIs, from the OpenAPI document.

With --check it writes nothing, and ends with 1 if the committed pages are not what it draws.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from drumbeat.http.app import make_app
from drumbeat.http.docs import shown_operations
from drumbeat.http.openapi import document
from drumbeat.testing.cast import make_world

FOLDER = Path(__file__).parents[1] / "docs" / "api" / "reference"
CONTRACTS = (("/v2/", "sell", "Sell v2"), ("/api/v1/", "execute", "execute"), ("/api/", "app", "the app's API"))


def draw() -> dict[str, str]:
    """Every page by its file's name."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), f"sqlite:///{folder}/drumbeat.db")
        reference = document(make_app(world), "https://drumbeat.example")
        world.close()
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for operation in sorted(shown_operations(reference), key=lambda each: (each["path"], each["method"])):
        for start, page, name in CONTRACTS:
            if operation["path"].startswith(start):
                found[page, name, operation["path"].removeprefix(start).partition("/")[0]].append(operation)
                break
    pages = {f"{page}-{noun}.md": _page(noun, page, name, each) for (page, name, noun), each in found.items()}
    return pages | {"README.md": _index(found)}


def _index(found: dict[tuple[str, str, str], list[dict[str, Any]]]) -> str:
    lines = [
        "# Reference",
        "",
        "Drawn by `script/draw_api.py` from what every route says of itself; a running Drumbeat shows the same at",
        "`/docs`, and for programs at `/openapi.json`.",
    ]
    for _, page, name in CONTRACTS:
        lines += ["", f"## {name[0].upper()}{name[1:]}", "", f"What it promises: [{page}](../{page}.md).", ""]
        lines += [
            f"- [{noun}]({page}-{noun}.md): {', '.join(dict.fromkeys(each['summary'].lower() for each in operations))}"
            for (of, _, noun), operations in sorted(found.items())
            if of == page
        ]
    return "\n".join(lines) + "\n"


def _page(noun: str, page: str, name: str, operations: list[dict[str, Any]]) -> str:
    title = noun.replace("_", " ").replace("-", " ")
    lines = [f"# {title[0].upper()}{title[1:]}", "", f"Of [{name}](../{page}.md). Drawn by `script/draw_api.py`."]
    for operation in operations:
        lines += ["", *_operation(operation)]
    return "\n".join(lines) + "\n"


def _operation(told: dict[str, Any]) -> list[str]:
    lines = [f"## {told['method']} {told['path']}", "", f"**{told['summary']}.** {_flat(told['description'])}", ""]
    lines += [f"- {line}" for line in _conditions(told)]
    lines += _table("parameter", [_parameter(each) for each in told["parameters"]])
    body = [(field["name"], field["kind"], "needed" if field["required"] else "") for field in told["body"]]
    lines += _table("body", body)
    lines += ["", "```sh", told["curl"], "```"]
    example = _example(told["answers"])
    if example is not None:
        lines += ["", "```json", json.dumps(example, indent=2, ensure_ascii=False), "```"]
    return lines


def _conditions(told: dict[str, Any]) -> list[str]:
    needs = [f"Needs the scope `{scope}`." for scope in told["scopes"]]
    if told["roles"]:
        needs.append("For whoever is signed in." if "agent" in told["roles"] else "For admins who are signed in.")
    return [*needs, f"Answers: {', '.join(told['answers'])}."]


def _parameter(told: dict[str, Any]) -> tuple[str, str, str]:
    schema = told["schema"]
    kind = " or ".join(schema["enum"]) if "enum" in schema else schema["type"]
    needed = "needed; " if told.get("required") else ""
    return told["name"], f"{told['in']}: {kind}", needed + told.get("description", "")


def _table(what: str, rows: list[tuple[str, str, str]]) -> list[str]:
    if not rows:
        return []
    table = [" | ".join(cell.replace("|", "\\|") for cell in (f"`{name}`", *rest)) for name, *rest in rows]
    return ["", f"| {what} | what | |", "|---|---|---|", *(f"| {row} |" for row in table)]


def _example(answers: dict[str, Any]) -> Any:
    first = next(iter(answers.values()))
    return next((content.get("example") for content in first.get("content", {}).values()), None)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Write the pages, or check them."""
    pages = draw()
    if arguments == ["--check"]:
        there = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
        if there != pages:
            print("docs/api/reference is not what the routes say; run script/draw_api.py", file=sys.stderr)
            return 1
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
