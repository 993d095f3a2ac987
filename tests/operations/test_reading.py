"""Reading files: what is wrong is named with its file, line, field and fix."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.calendar import Window
from drumbeat.domain.errors import InFile
from drumbeat.operations.desired import Desired
from drumbeat.operations.files import read_files
from tests.operations.test_files import files, read


def refusal(*texts: str) -> str:
    """What is said of texts that are refused."""
    with pytest.raises(InFile) as error:
        read(*texts)
    return str(error.value)


TEMPLATE = "templates: [{name: T, text: x}]\n"


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("sequenecs: []", "a.yaml:1: sequenecs: There is no such field; did you mean 'sequences'?"),
            (
                "templates:\n  - name: T\n    txt: x",
                "a.yaml:3: templates[0].txt: There is no such field; did you mean 'text'?",
            ),
            (
                "calendars: [{name: A, zzz: 1}]",
                "a.yaml:1: calendars[0].zzz: There is no such field; there are: name, country, region, days.",
            ),
            ("people: []\npeople: []", "a.yaml:2: people: The field is there twice; remove one."),
            ("people:\n  - {kind: lead}", "a.yaml:2: people[0]: The field 'email' is missing; add it."),
            ("people: {}", "a.yaml:1: people: This must be a list"),
            ("people: [x]", "a.yaml:1: people[0]: This must be a group of fields, and it is text."),
            ("- x", "a.yaml:1: This must be a group of fields, and it is a list."),
            ("calendars:\n- name: 7", "a.yaml:2: calendars[0].name: This must be text (in quotes"),
            ("calendars:\n- {name: A, country: NO}", "a.yaml:2: calendars[0].country: This must be text (in"),
            ("calendars: [{name: ' '}]", "a.yaml:1: calendars[0].name: The text is blank"),
            ("calendars: [{name: A, country: XX}]", "a.yaml:1: calendars[0].country: There is no holiday"),
            (
                "calendars:\n- name: A\n  country: DE\n  region: ZZ",
                "a.yaml:4: calendars[0].region: There is no such region",
            ),
            ("calendars: [{name: A, days: [2026-02-30]}]", "a.yaml:1: calendars[0].days[0]: Write a date"),
            ("calendars: [{name: A, days: [soon]}]", "a.yaml:1: calendars[0].days[0]: Write a date"),
            ("calendars: [{name: A, days: [[]]}]", "a.yaml:1: calendars[0].days[0]: This must be a date"),
            ("templates: [{name: T}]", "a.yaml:1: templates[0]: The template has no body"),
            (
                "templates:\n- name: T\n  text: |\n    one\n    {{ person.first_name }\n",
                "a.yaml:5: templates[0].text: In text, line 2",
            ),
            (
                "templates:\n- name: T\n  text: x\n  subject: '{{ nobody.knows }}'",
                "a.yaml:4: templates[0].subject: In subject, line 1: there is no 'nobody'",
            ),
            ("templates: [{name: T, html: '{% if %}'}]", "a.yaml:1: templates[0].html: In html"),
            (
                "templates: [{name: T, text: x, attachments: [gone.pdf]}]",
                "a.yaml:1: templates[0].attachments[0]: The attachment 'gone.pdf' cannot be read: No such",
            ),
            (
                "templates: [{name: T, text: x, attachments: [../brochure.pdf]}]",
                "a.yaml:1: templates[0].attachments[0]: An attachment lies in the file's folder",
            ),
            (
                "templates: [{name: T, text: x, attachments: [/brochure.pdf]}]",
                "a.yaml:1: templates[0].attachments[0]: An attachment lies in the file's folder",
            ),
            ('templates: [{name: T, text: "a\\0b"}]', "a.yaml:1: templates[0].text: The text has a char"),
            ('templates: [{name: T, text: "\\ud800"}]', "a.yaml:1: "),
            ("sequences: [{name: A}]", "a.yaml:1: sequences[0]: The sequence has no steps"),
            (
                "sequences: [{name: A, status: live}]",
                "a.yaml:1: sequences[0].status: Write one of: draft, active, paused, archived.",
            ),
            (
                "sequences: [{name: A, status: draft, time_zone: Berlin}]",
                "a.yaml:1: sequences[0].time_zone: There is no time zone 'Berlin'",
            ),
            (
                "sequences: [{name: A, status: draft, windows: [9-5]}]",
                "a.yaml:1: sequences[0].windows[0]: Write days and hours",
            ),
            (
                "sequences: [{name: A, status: draft, reenroll_after: soon}]",
                "a.yaml:1: sequences[0].reenroll_after: Write a number and a unit",
            ),
            (
                "sequences: [{name: A, status: draft, reenroll_after: 999999999999999 days}]",
                "a.yaml:1: sequences[0].reenroll_after: This is too long.",
            ),
            (
                "sequences: [{name: A, status: draft, unsubscribe: {enabled: maybe}}]",
                "a.yaml:1: sequences[0].unsubscribe.enabled: This must be true or false, and it is text.",
            ),
            (
                "sequences: [{name: A, status: draft, unsubscribe: {locale: '?'}}]",
                "a.yaml:1: sequences[0].unsubscribe.locale: Write a locale",
            ),
            (
                "sequences: [{name: A, status: draft, variant: {sequence: B, share: 100}}]",
                "a.yaml:1: sequences[0].variant.share: Variant B's share is a percentage",
            ),
            (
                "sequences: [{name: A, status: draft, variant: {sequence: B, share: '30'}}]",
                "a.yaml:1: sequences[0].variant.share: This must be a whole number, and it is text.",
            ),
            (
                "sequences: [{name: A, status: draft, variant: {sequence: A, share: 30}}]",
                "a.yaml:1: sequences[0].variant.sequence: Variant B is another sequence.",
            ),
            (
                "sequences: [{name: A, steps: [{email: T, after: 2 days}]}]",
                "a.yaml:1: sequences[0].steps[0].after: Write a whole number",
            ),
            (
                "sequences: [{name: A, steps: [{email: T}]}]",
                "a.yaml:1: sequences[0].steps[0]: The field 'after' is missing; add it.",
            ),
            (
                "sequences: [{name: A, steps: [{email: T, task: C, after: 1 hour}]}]",
                "a.yaml:1: sequences[0].steps[0]: A step has either",
            ),
            (
                "sequences: [{name: A, steps: [{task: C, reply: true, after: 1 hour}]}]",
                "a.yaml:1: sequences[0].steps[0].reply: Only an e-mail is a reply",
            ),
            (
                "sequences: [{name: A, steps: [{task: '{{ x.y }}', after: 1 hour}]}]",
                "a.yaml:1: sequences[0].steps[0].task: In text, line 1: there is no 'x'",
            ),
            (
                "people: [{kind: boss, email: a@b.com}]",
                "a.yaml:1: people[0].kind: Write one of: lead, contact.",
            ),
            ("people: [{kind: lead, email: nobody}]", "a.yaml:1: people[0].email: "),
            (
                "people: [{kind: lead, email: a@b.com, phone: '555'}]",
                "a.yaml:1: people[0].phone: Write the number with its country code",
            ),
            (
                "people: [{kind: lead, email: a@b.com, custom: {a: {b: 1}}}]",
                "a.yaml:1: people[0].custom.a: This must be a plain value",
            ),
            (
                "people: [{kind: lead, email: a@b.com, custom: {a: [[1]]}}]",
                "a.yaml:1: people[0].custom.a: This must be a list of plain values",
            ),
            (
                "people: [{kind: lead, email: a@b.com, custom: {a: .inf}}]",
                "a.yaml:1: people[0].custom.a: The num",
            ),
            (
                "people: [{kind: lead, email: a@b.com, custom: {a: .nan}}]",
                "a.yaml:1: people[0].custom.a: The num",
            ),
        ],
    )
    def test_what_is_wrong_is_named_with_line_field_and_fix(self, text: str, said: str) -> None:
        assert refusal(text).startswith(said)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: [\n", "a.yaml:2: This is no YAML"),
            ("a: b\n c: d", "a.yaml:2: This is no YAML"),
            ("a: b\nb: \x07", "a.yaml:2: This is no YAML"),
            ("a: *b", "a.yaml:1: This is no YAML"),
            ("a: b\n---\nc: d", "a.yaml:2: This is no YAML"),
            (
                "a: !!python/object:os.system x",
                "a.yaml:1: The type 'tag:yaml.org,2002:python/object:os.system'",
            ),
            ("x: 1\na: !secret x", "a.yaml:2: The type '!secret' is not allowed here"),
            ("a: !!binary aGk=", "a.yaml:1: The type"),
            ("calendars:\n- name: =", "a.yaml:2: The value has a special meaning"),
            ("x: &x {a: b}\n<<: *x", "a.yaml:2: A field's name is a word, and fields are not merged."),
            ("? [a]\n: b", "a.yaml:1: A field's name is a word"),
            ("calendars:\n- name: !!bool x", "a.yaml:2: calendars[0].name: This must be text"),
            (
                "people: [{kind: lead, email: a@b.com, custom: {a: !!bool x}}]",
                "a.yaml:1: people[0].custom.a: This cannot be read; write it in quotes.",
            ),
            ("calendars:\n- name: !!str [a]", "a.yaml:2: calendars[0].name: This must be text"),
            ("a: " + "[" * 30, "a.yaml:1: Values are nested more than 20 deep."),
            ("a: " + "[" * 300_000, "a.yaml:1: Values are nested more than 20 deep."),
            ("#" * 1_000_001, "a.yaml:1: The file is larger than 1 MB; split it."),
            ("people: &p [*p]", "a.yaml:1: The file's aliases stand for too many values"),
        ],
    )
    def test_what_is_no_plain_yaml_is_refused(self, text: str, said: str) -> None:
        assert refusal(text).startswith(said)

    def test_an_alias_bomb_is_refused(self) -> None:
        bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        assert "too many values" in refusal("\n".join(bomb))

    def test_a_plain_alias_is_welcome(self) -> None:
        text = "sequences:\n- {name: A, status: draft, windows: &w [Mon 09:00-10:00]}\n"
        first, second = read(text + "- {name: B, status: draft, windows: *w}").sequences
        assert first.windows == second.windows == (Window(0, 540, 600),)

    @pytest.mark.parametrize(
        ("one", "two", "said"),
        [
            (TEMPLATE, TEMPLATE, "b.yaml:1: templates[0]: This template stands in a.yaml:1 too; remove one."),
            ("calendars: [{name: A}]", "calendars: [{name: A}]", "b.yaml:1: calendars[0]: This calendar"),
            (
                "people: [{kind: lead, email: a@b.com}]",
                "people: [{kind: contact, email: a@b.com}, {kind: lead, email: A@b.com}]",
                "b.yaml:1: people[1]: This person stands in a.yaml:1 too",
            ),
        ],
    )
    def test_what_stands_in_two_files_is_refused(self, one: str, two: str, said: str) -> None:
        assert refusal(one, two).startswith(said)

    @pytest.mark.parametrize(("size", "refused"), [(10_000_000, False), (10_000_001, True)])
    def test_an_attachment_has_10_mb_at_most(self, size: int, refused: bool) -> None:
        text = "templates: [{name: T, text: x, attachments: [big.bin]}]"
        if refused:
            with pytest.raises(InFile, match="at most 10 MB are sent"):
                read_files([("a.yaml", text)], lambda _: b"x" * size)
        else:
            template = read_files([("a.yaml", text)], lambda _: b"x" * size).templates[0]
            assert template.attachments[0].content_type == "application/octet-stream"

    def test_attachments_are_sought_from_the_files_folder(self) -> None:
        sought: list[str] = []
        text = "templates: [{name: T, text: x, attachments: [papers/offer.docx]}]"
        read_files([("team/one.yaml", text)], lambda path: sought.append(path) or b"x")  # type: ignore[func-returns-value]
        assert sought == ["team/papers/offer.docx"]

    @settings(max_examples=150, deadline=None)
    @given(st.text(st.sampled_from("ab: -[]{}&*!|>'\"\n\t,?#%@`=<0.~\x00\x85é"), max_size=60))
    def test_nothing_that_is_read_fails_in_another_way(self, text: str) -> None:
        line = 1
        try:
            desired = read_files([("a.yaml", text)], files)
        except InFile as error:
            desired, line = Desired(), error.line
        assert desired == Desired()
        assert line >= 1
