"""What pages refer to is there: every class in the compiled style sheet, every file under its content's name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import drumbeat.http as http
from drumbeat.http.pages import CAGE_POLICY, CONTENT_POLICY, SCRIPT_POLICY, Pages

HERE = Path(http.__file__).parent
TEMPLATES = sorted([*HERE.glob("templates/*.html"), *HERE.glob("web/pages/**/*.html")])
# Rules of our own that need no style, and what Jinja puts together: those stand whole elsewhere.
UNSTYLED = frozenset(("plain", "step", "more", "crumbs", "chart", "track", "month", "line"))


def classes(text: str) -> set[str]:
    """Every class that a template names, those inside Jinja's expressions too."""
    found = set()
    for written in re.findall(r'class="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\})*)"', text):
        literals = re.findall(r'"([^"]*)"', written)
        plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " \0 ", written)
        for word in [*plain.split(), *(word for literal in literals for word in literal.split())]:
            if "\0" not in word and re.fullmatch(r"-?[a-z][\w:/.\[\]()#%,-]*", word):
                found.add(word)
    return found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_class_stands_in_the_style_sheet(path: Path) -> None:
    style = (HERE / "static" / "app.css").read_text("utf-8").replace("\\", "")
    missing = {each for each in classes(path.read_text("utf-8")) - UNSTYLED if f".{each}" not in style}
    words = {each for each in missing if re.fullmatch(r"[a-z_]+", each)}  # what an expression compares with
    assert missing - words == set(), "run script/assets"


def test_there_are_classes_to_look_for() -> None:
    found = {each for path in TEMPLATES for each in classes(path.read_text("utf-8"))}
    assert {"btn-primary", "lg:grid-cols-2", "badge-error", "sm:grid-cols-2"} <= found


def test_what_pages_refer_to_is_named_by_its_content() -> None:
    served = Pages().static
    assert {name.partition(".")[0] for name in served} >= {"app", "htmx", "password", "icon"}
    for name, (kind, content) in served.items():
        assert re.fullmatch(r"[\w.]+\.[0-9a-f]{12}\.(css|js|svg)", name)
        assert kind
        assert content


def test_no_policy_of_ours_lets_anything_inline_run() -> None:
    for policy in (CONTENT_POLICY, SCRIPT_POLICY):
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
    assert "sandbox;" in CAGE_POLICY
    assert "script-src" not in CAGE_POLICY


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_a_style_a_script_or_anything_unescaped(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert path.name == "icons.html" or "| safe" not in text
