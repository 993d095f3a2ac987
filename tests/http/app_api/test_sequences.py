"""Calendars, templates, sequences and files over the app's API, from an empty draft to letters that run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drumbeat.domain.account import User
from drumbeat.testing.cast import Cast
from tests.http.app_api.test_session import refused
from tests.http.app_api.test_users import details
from tests.http.conftest import Browser

LETTER = {"actionType": "automated_email", "delayFromPreviousStep": 0, "delayFromPreviousStepUnit": "hours"}
TASK = {"actionType": "task", "delayFromPreviousStep": 1, "delayFromPreviousStepUnit": "weekdays"}


def made(answer: Any) -> Any:
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def shown(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_sequence_is_drafted_published_activated_paused_and_archived(seller: Browser) -> None:
    calendar = made(seller("POST", "/api/calendars", {"name": "Ours", "country": "DE", "days": ["2026-12-24"]}))
    content = made(seller("POST", "/api/attachments", content=b"a price list", headers={"Content-Type": "text/plain"}))
    assert content["size"] == 12
    attached = {"name": "prices.txt", "contentType": "text/plain", "sha256": content["sha256"]}
    template = made(
        seller(
            "POST",
            "/api/templates",
            {"name": "Hello", "subject": "Tea?", "text": "Dear {{ person.title }}", "attachments": [attached]},
        )
    )
    assert template["attachments"] == [attached | {"size": 12}]
    draft = made(
        seller(
            "POST",
            "/api/sequences",
            {
                "name": "Webinar",
                "timeZone": "Europe/Berlin",
                "calendarId": calendar["id"],
                "windows": ["Mon-Fri 09:00-12:00", "Sat 10:00-11:00"],
                "unsubscribe": {"enabled": False, "locale": "de"},
                "abTest": {"variantBId": 1, "share": 30},
                "reenrollAfter": 3600,
            },
        )
    )
    path = f"/api/sequences/{draft['id']}"
    assert (draft["status"], draft["version"], draft["stepsTotal"], draft["creatorId"]) == ("draft", 0, 0, 2)
    assert draft["windows"] == ["Mon-Fri 09:00-12:00", "Sat 10:00-11:00"]
    assert draft["reenrollAfter"] == 3600
    assert refused(seller("PUT", f"{path}/status", {"status": "active"})) == (409, "SEQUENCE_EMPTY")
    steps = [LETTER | {"emailTemplateId": template["id"]}, TASK | {"taskContent": "Call {{ person.first_name }}"}]
    version = made(seller("POST", f"{path}/versions", {"steps": steps}))
    assert (version["number"], version["warnings"]) == (
        1,
        ["step 0 can block: {{ person.title }} has no default"],
    )
    assert version["steps"][0]["text"] == "Dear {{ person.title }}"
    assert version["steps"][0]["attachments"] == template["attachments"]
    assert version["steps"][1]["taskContent"] == "Call {{ person.first_name }}"
    read = shown(seller("GET", f"{path}/versions/1"))
    assert read | {"warnings": version["warnings"]} == version
    for status in ("active", "paused", "active", "archived", "active"):
        assert shown(seller("PUT", f"{path}/status", {"status": status}))["status"] == status
    whole = shown(seller("GET", path))
    assert whole["sequence"]["version"] == 1
    assert [each["variant"] for each in whole["counts"]] == ["A", "B"]
    assert seller("DELETE", path).status_code == 204
    listed = shown(seller("GET", "/api/sequences?status=archived"))
    assert [each["name"] for each in listed] == ["Webinar"]


def test_settings_change_one_by_one_and_null_takes_them_away(seller: Browser) -> None:
    draft = made(seller("POST", "/api/sequences", {"name": "Webinar", "reenrollAfter": 60, "timeZone": "UTC"}))
    path = f"/api/sequences/{draft['id']}"
    renamed = shown(seller("PUT", path, {"name": "Fair"}))
    assert renamed == draft | {"name": "Fair"}
    assert shown(seller("PUT", path, {"reenrollAfter": None, "timeZone": None, "windows": ["Mon 09:00-10:00"]})) == (
        renamed | {"reenrollAfter": None, "timeZone": None, "windows": ["Mon 09:00-10:00"]}
    )
    assert shown(seller("PUT", path, {"unsubscribe": {"enabled": False}}))["unsubscribe"] == {
        "enabled": False,
        "locale": "en-US",
    }
    assert shown(seller("PUT", path, {"abTest": {"variantBId": 2, "share": 1}}))["abTest"]["share"] == 1
    assert shown(seller("PUT", path, {"abTest": None}))["abTest"] is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"timeZone": "Mars/Base"}, "timeZone"),
        ({"calendarId": 77}, "calendarId"),
        ({"defaultActorId": 1_000_001}, "defaultActorId"),
        ({"windows": ["always"]}, "windows"),
        ({"windowZone": "moon"}, "windowZone"),
        ({"unsubscribe": {"locale": "?"}}, "unsubscribe.locale"),
        ({"abTest": {"variantBId": 1_000_001, "share": 30}}, "abTest"),
        ({"abTest": {"variantBId": 1, "share": 100}}, "abTest.share"),
        ({"reenrollAfter": -1}, "reenrollAfter"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_with_a_setting_is_named(seller: Browser, wrong: dict[str, Any], field: str) -> None:
    assert details(seller("POST", "/api/sequences", {"name": "Webinar"} | wrong))["field"] == field
    assert details(seller("PUT", "/api/sequences/1", wrong))["field"] == field
    assert len(shown(seller("GET", "/api/sequences"))) == 2


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (LETTER, "emailTemplateId"),
        (LETTER | {"emailTemplateId": 1_000_001}, "steps[0].emailTemplateId"),
        (LETTER | {"emailTemplateId": 1, "taskContent": "x"}, "steps[0].taskContent"),
        (TASK, "taskContent"),
        (TASK | {"taskContent": "x", "emailTemplateId": 1}, "steps[0].emailTemplateId"),
        (TASK | {"taskContent": "{{ unsubscribe_url }}"}, "taskContent"),
        (TASK | {"taskContent": "x", "delayFromPreviousStep": -1}, "steps[0].delayFromPreviousStep"),
        (TASK | {"taskContent": "x", "delayFromPreviousStepUnit": "years"}, "steps[0].delayFromPreviousStepUnit"),
    ],
)
def test_what_cannot_be_published_is_named_and_nothing_is(
    seller: Browser, cast: Cast, step: dict[str, Any], field: str
) -> None:
    made(seller("POST", "/api/templates", {"name": "Hello", "text": "Hello"}))
    assert details(seller("POST", "/api/sequences/1/versions", {"steps": [step]}))["field"] == field
    assert details(seller("POST", "/api/sequences/1/versions", {"steps": []}))["field"] == "steps"
    assert shown(seller("GET", "/api/sequences/1"))["sequence"]["version"] == 1


def test_a_template_that_does_not_parse_says_where(seller: Browser) -> None:
    broken = {"name": "Hello", "text": "Dear\n{{ person.first_name"}
    told = details(seller("POST", "/api/templates", broken))
    assert told["field"] == "text"
    assert "line 2" in told["reason"]
    assert details(seller("POST", "/api/templates", {"name": "Empty"}))["field"] == "text"
    assert details(seller("POST", "/api/templates", {"name": " ", "text": "x"}))["field"] == "name"
    unknown = {"name": "a.txt", "contentType": "text/plain", "sha256": "0" * 64}
    wanted = {"name": "Hello", "text": "x"}
    answer = seller("POST", "/api/templates", wanted | {"attachments": [unknown]})
    assert details(answer)["field"] == "attachments[0].sha256"
    odd = unknown | {"contentType": "message/rfc822"}
    answer = seller("POST", "/api/templates", wanted | {"attachments": [odd]})
    assert details(answer)["field"] == "attachments[0].contentType"
    assert shown(seller("GET", "/api/templates")) == []


def test_templates_are_changed_in_parts_have_one_name_and_are_deleted(seller: Browser) -> None:
    hello = made(seller("POST", "/api/templates", {"name": "Hello", "subject": "Tea?", "text": "Hello"}))
    made(seller("POST", "/api/templates", {"name": "Bye", "text": "Bye"}))
    path = f"/api/templates/{hello['id']}"
    changed = shown(seller("PUT", path, {"html": "<p>Hello</p>", "text": None}))
    assert changed == hello | {"html": "<p>Hello</p>", "text": None}
    assert refused(seller("PUT", path, {"name": "Bye"})) == (409, "ALREADY_EXISTS")
    assert details(seller("PUT", path, {"html": None}))["field"] == "text"
    assert shown(seller("GET", path)) == changed
    steps = {"steps": [LETTER | {"emailTemplateId": hello["id"]}]}
    made(seller("POST", "/api/sequences/1/versions", steps))
    assert seller("DELETE", path).status_code == 204
    assert refused(seller("GET", path)) == (404, "NOT_FOUND")
    kept = shown(seller("GET", "/api/sequences/1/versions/2"))["steps"][0]
    assert (kept["emailTemplateId"], kept["html"]) == (hello["id"], "<p>Hello</p>")
    assert details(seller("POST", "/api/sequences/1/versions", steps))["field"] == "steps[0].emailTemplateId"


def test_a_template_is_tried_for_a_person(seller: Browser, new_lead: Callable[..., Any], cast: Cast) -> None:
    lead = new_lead()
    whom = {"personKind": "lead", "personId": lead.id}
    tried = shown(
        seller(
            "POST",
            "/api/templates/preview",
            {"subject": "Tea, {{ lead.first_name }}?", "html": "<p>{{ sender.name }}</p>", **whom},
        )
    )
    assert tried == {"subject": "Tea, Lena?", "html": "<p>Sam Seller</p>", "text": "Sam Seller\n", "missing": []}
    lacking = shown(
        seller("POST", "/api/templates/preview", {"text": "{{ person.title }} {{ person.custom.a }}"} | whom)
    )
    assert lacking == {"subject": None, "html": None, "text": None, "missing": ["person.title", "person.custom.a"]}
    answer = seller("POST", "/api/templates/preview", {"text": "x", "personKind": "lead", "personId": 1_000_001})
    assert details(answer)["field"] == "personId"
    assert details(seller("POST", "/api/templates/preview", {"text": "{% if", **whom}))["field"] == "text"


def test_calendars_change_and_go_only_when_nothing_goes_by_them(seller: Browser) -> None:
    ours = made(seller("POST", "/api/calendars", {"name": "Ours", "country": "DE", "region": "BY"}))
    path = f"/api/calendars/{ours['id']}"
    assert shown(seller("PUT", path, {"days": ["2026-12-31", "2026-12-24"]}))["days"] == ["2026-12-24", "2026-12-31"]
    assert shown(seller("PUT", path, {"country": "FR"}))["region"] is None, "a region is its country's"
    assert shown(seller("PUT", path, {"country": None, "name": "Plain"}))["country"] is None
    assert refused(seller("POST", "/api/calendars", {"name": "Plain"})) == (409, "ALREADY_EXISTS")
    assert details(seller("POST", "/api/calendars", {"name": "X", "country": "XX"}))["field"] == "country"
    assert details(seller("POST", "/api/calendars", {"name": "X", "region": "BY"}))["field"] == "region"
    assert details(seller("POST", "/api/calendars", {"name": "X", "days": ["2026-02-30"]}))["field"] == "days[0]"
    seller("PUT", "/api/sequences/1", {"calendarId": ours["id"]})
    assert "1 (Two letters)" in details(seller("DELETE", path))["reason"]
    seller("PUT", "/api/sequences/1", {"calendarId": None})
    assert seller("DELETE", path).status_code == 204
    assert refused(seller("DELETE", path)) == (404, "NOT_FOUND")


def test_an_upload_is_as_large_as_an_attachment_may_be_and_no_larger(seller: Browser) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    assert made(seller("POST", "/api/attachments", content=b"x" * 10_000_000, headers=octets))["size"] == 10_000_000
    assert refused(seller("POST", "/api/attachments", content=b"x" * 10_000_001, headers=octets)) == (
        413,
        "PAYLOAD_TOO_LARGE",
    )
    assert refused(seller("POST", "/api/attachments", content=b"", headers=octets)) == (400, "VALIDATION_ERROR")


YAML = """
templates:
- name: Hello
  subject: Tea?
  text: "Dear {{ person.first_name | default: 'friend' }}"
sequences:
- name: From a file
  steps:
  - email: Hello
    after: 0 hours
"""


def test_files_are_tried_applied_and_exported(owner: Browser) -> None:
    wanted = {"files": [{"name": "tea.yaml", "content": YAML}]}
    tried = shown(owner("POST", "/api/files", wanted | {"dryRun": True}))
    assert [each["text"] for each in tried["changes"]] == [
        "create template 'Hello'",
        "create sequence 'From a file' (1 step)",
    ]
    assert shown(owner("GET", "/api/templates")) == []
    applied = shown(owner("POST", "/api/files", wanted))
    assert applied == tried | {"dryRun": False}
    assert shown(owner("POST", "/api/files", wanted))["changes"] == []
    exported = owner("GET", "/api/files")
    assert exported.headers["content-type"].startswith("application/yaml")
    assert "name: From a file" in exported.text


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("sequences:\n- name: X\n  colour: red\n", "my_tea.yaml:3"),
        ("templates:\n- name: X\n  text: x\n  attachments: [a.pdf]\n", "my_tea.yaml:4"),
        ("{", "my_tea.yaml:2"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(owner: Browser, content: str, where: str) -> None:
    answer = owner("POST", "/api/files", {"files": [{"name": "my_tea.yaml", "content": content}]})
    assert details(answer)["field"] == where


def test_rivals_see_and_change_none_of_it(seller: Browser, sign_in: Callable[[User], Browser], cast: Cast) -> None:
    template = made(seller("POST", "/api/templates", {"name": "Hello", "text": "Hello"}))
    calendar = made(seller("POST", "/api/calendars", {"name": "Ours"}))
    rival = sign_in(cast.rival.owner)
    for path, body in (
        (f"/api/templates/{template['id']}", {"name": "Theirs"}),
        (f"/api/calendars/{calendar['id']}", {"name": "Theirs"}),
        ("/api/sequences/1", {"name": "Theirs"}),
    ):
        assert refused(rival("GET", path)) == (404, "NOT_FOUND")
        assert refused(rival("PUT", path, body)) == (404, "NOT_FOUND")
        assert refused(rival("DELETE", path)) == (404, "NOT_FOUND")
    assert refused(rival("GET", "/api/sequences/1/versions/1")) == (404, "NOT_FOUND")
    assert refused(rival("PUT", "/api/sequences/1/status", {"status": "paused"})) == (404, "NOT_FOUND")
    assert refused(rival("POST", "/api/sequences/1/versions", {"steps": [TASK | {"taskContent": "x"}]})) == (
        404,
        "NOT_FOUND",
    )
