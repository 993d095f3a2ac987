"""Sequences as files: what applying them changes, and that an export is such a file."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import Delay, Holidays, Unit, Window
from drumbeat.domain.errors import InFile
from drumbeat.domain.line import one_line
from drumbeat.domain.person import PersonKind, address_hash
from drumbeat.domain.sequence import Sequence, SequenceStatus, Split, Step, Unsubscribing, WindowZone
from drumbeat.operations.desired import Desired
from drumbeat.operations.files import apply, export, exported_attachments, plan, read_files
from drumbeat.operations.yaml_text import write_yaml
from drumbeat.store import accounts, people, sequences, templates
from drumbeat.store.transaction import Tx
from tests.operations.world import DRAFT, PAUSED, World, queued

KEY = b"k" * 32
BROCHURE = b"%PDF-1.7 brochure"
EVERYTHING = """\
calendars:
  - name: Germany
    country: DE
    region: BY
    days: [2026-12-24]
templates:
  - name: Welcome
    subject: "Welcome, {{ person.first_name | default: 'there' }}"
    html: |
      <p>Hello {{ person.title }}</p>
    text: |
      Hello
    attachments: [brochure.pdf]
  - name: Nudge
    text: Any news?
sequences:
  - name: Trial follow-up
    time_zone: Europe/Berlin
    calendar: Germany
    actor: Owner@example.com
    windows: ["Mon-Fri 09:00-17:00"]
    window_zone: recipient
    unsubscribe: {enabled: true, locale: de-DE}
    reenroll_after: 24 hours
    variant: {sequence: Trial follow-up B, share: 30}
    steps:
      - email: Welcome
        after: 0 hours
      - email: Nudge
        after: 2 weekdays
        reply: true
      - task: "Call {{ person.first_name }}"
        after: 1 weekday
  - name: Trial follow-up B
    status: paused
    steps: [{email: Nudge, after: 1 hour}]
  - {name: Someday, status: draft}
people:
  - kind: contact
    email: Ada@Example.com
    first_name: Ada
    organization: Analytical Engines
    phone: "+49 30 901820"
    time_zone: Europe/London
    custom: {plan: gold, seats: 3, since: 2026-01-01, tags: [a, b], ratio: 0.5, trial: false}
  - {kind: lead, email: ada@example.com, last_name: Lovelace}
"""
CREATED = [
    "create calendar 'Germany'",
    "create template 'Welcome'",
    "create template 'Nudge'",
    "create sequence 'Trial follow-up' (3 steps)",
    "create sequence 'Trial follow-up B' (1 step), paused",
    "create sequence 'Someday' (0 steps), draft",
    "add contact Ada@example.com",
    "add lead ada@example.com",
]


def files(path: str) -> bytes:
    """The only attachment there is, wherever it is sought."""
    if path.endswith("brochure.pdf"):
        return BROCHURE
    raise FileNotFoundError(2, "No such file or directory")


def read(*texts: str) -> Desired:
    """What the texts ask for, as files a.yaml, b.yaml and so on."""
    return read_files([(f"{'abc'[n]}.yaml", text) for n, text in enumerate(texts)], files)


def applied(tx: Tx, world: World, *texts: str) -> list[str]:
    """What applying the texts changed, and that planning says the same and applying again nothing."""
    desired = read(*texts)
    planned = plan(tx, world.account_id, desired, KEY)
    changes = apply(tx, world.account_id, world.owner_id, desired, KEY)
    assert changes == planned
    assert apply(tx, world.account_id, world.owner_id, desired, KEY) == []
    return [str(change) for change in changes]


def named(tx: Tx, world: World, name: str) -> Sequence:
    """The sequence of that name."""
    return next(s for s in sequences.list_all(tx, world.account_id) if s.name == name)


def steps_of(tx: Tx, world: World, name: str) -> tuple[Step, ...]:
    """The steps of its newest version."""
    sequence = named(tx, world, name)
    return sequences.get_version(tx, world.account_id, sequence.id, sequence.version).steps


class TestApply:
    def test_everything_is_made_as_it_is_written(self, tx: Tx, world: World) -> None:
        assert applied(tx, world, EVERYTHING) == CREATED
        trial, b = named(tx, world, "Trial follow-up"), named(tx, world, "Trial follow-up B")
        assert (trial.status, trial.version, trial.steps_total) == (SequenceStatus.ACTIVE, 1, 3)
        assert trial.holidays == Holidays("DE", "BY", frozenset({date(2026, 12, 24)}))
        assert trial.windows == tuple(Window(day, 540, 1020) for day in range(5))
        assert (trial.window_zone, trial.time_zone) == (WindowZone.RECIPIENT, "Europe/Berlin")
        assert trial.unsubscribing == Unsubscribing(True, "de-DE")
        assert (trial.default_actor_id, trial.reenroll_after) == (world.owner_id, timedelta(days=1))
        assert trial.split == Split(b.id, 30)
        assert (b.status, b.version) == (PAUSED, 1)
        assert named(tx, world, "Someday").status is DRAFT

    def test_steps_carry_texts_and_attachments(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        welcome, nudge, call = steps_of(tx, world, "Trial follow-up")
        assert welcome.template is not None
        assert welcome.template.html == "<p>Hello {{ person.title }}</p>\n"
        attached = welcome.attachments[0]
        assert (attached.name, attached.content_type) == ("brochure.pdf", "application/pdf")
        assert templates.attachment_content(tx, world.account_id, attached.sha256) == BROCHURE
        assert (nudge.is_reply, nudge.delay) == (True, Delay(2, Unit.WEEKDAYS))
        assert call.task_content == "Call {{ person.first_name }}"

    def test_people_are_made_and_execute_finds_the_contact(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        hashed = address_hash(KEY, world.account_id, "ada@example.com")
        contact = people.find_by_address(tx, world.account_id, PersonKind.CONTACT, hashed)
        lead = people.find_by_address(tx, world.account_id, PersonKind.LEAD, hashed)
        assert contact is not None
        assert lead is not None
        assert (contact.first_name, contact.phone, lead.last_name) == ("Ada", "+4930901820", "Lovelace")
        custom = {"plan": "gold", "seats": 3, "since": "2026-01-01", "tags": ["a", "b"]}
        assert contact.custom == {**custom, "ratio": 0.5, "trial": False}
        found = people.contacts_by_address(tx, world.account_id, [hashed])
        assert found[0].id == contact.id

    def test_the_author_is_warned_of_a_first_step_that_can_block(self, tx: Tx, world: World) -> None:
        changes = plan(tx, world.account_id, read(EVERYTHING), KEY)
        warned = {change.text: change.warnings for change in changes if change.warnings}
        assert warned == {
            "create sequence 'Trial follow-up' (3 steps)": (
                "'Trial follow-up': step 0 can block: {{ person.title }} has no default",
            ),
            "create sequence 'Trial follow-up B' (1 step), paused": ("'Trial follow-up B': step 0 has no subject",),
        }

    def test_planning_writes_nothing(self, tx: Tx, world: World) -> None:
        plan(tx, world.account_id, read(EVERYTHING), KEY)
        assert sequences.list_all(tx, world.account_id) == []
        assert templates.list_all(tx, world.account_id) == []

    def test_what_no_file_names_stays(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        assert applied(tx, world, "templates: [{name: Other, text: x}]") == ["create template 'Other'"]
        assert len(sequences.list_all(tx, world.account_id)) == 3

    def test_several_files_refer_to_each_other(self, tx: Tx, world: World) -> None:
        one = "sequences: [{name: A, steps: [{email: T, after: 0 hours}]}]"
        assert applied(tx, world, one, "templates: [{name: T, text: x}]", "") == [
            "create template 'T'",
            "create sequence 'A' (1 step)",
        ]

    def test_a_template_may_stand_in_the_account(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        text = "sequences: [{name: A, steps: [{email: Nudge, after: 0 hours}]}]"
        assert applied(tx, world, text) == ["create sequence 'A' (1 step)"]

    def test_other_accounts_are_neither_seen_nor_touched(self, tx: Tx, world: World) -> None:
        rival = accounts.add_account(tx, "Rival", "UTC", None)
        boss = accounts.add_user(tx, rival.id, name="B", email="owner@example.com", role=Role.ADMIN)
        applied(tx, world, EVERYTHING)
        changes = apply(tx, rival.id, boss.id, read(EVERYTHING), KEY)
        assert [str(change) for change in changes] == CREATED
        assert len(sequences.list_all(tx, world.account_id)) == 3


class TestChanges:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (
                "    text: Any news?",
                "    text: News?",
                [
                    "change template 'Nudge': text",
                    "publish version 2 of 'Trial follow-up': step 1 text changed",
                    "publish version 2 of 'Trial follow-up B': step 0 text changed",
                ],
            ),
            (
                "        after: 2 weekdays\n        reply: true",
                "        after: 3 hours",
                ["publish version 2 of 'Trial follow-up': step 1 delay and reply changed"],
            ),
            (
                "[{email: Nudge, after: 1 hour}]",
                "[{email: Welcome, after: 1 hour}, {task: Call, after: 0 hours}]",
                [
                    "publish version 2 of 'Trial follow-up B': "
                    "step 0 template and text and attachments changed, step 1 added"
                ],
            ),
            (
                '      - task: "Call {{ person.first_name }}"\n        after: 1 weekday\n',
                "",
                ["publish version 2 of 'Trial follow-up': step 2 removed"],
            ),
            (
                "    attachments: [brochure.pdf]",
                "    attachments: [{file: x/brochure.pdf, name: Our offer.pdf}]",
                [
                    "change template 'Welcome': attachments",
                    "publish version 2 of 'Trial follow-up': step 0 attachments changed",
                ],
            ),
            ("    status: paused", "    status: active", ["resume 'Trial follow-up B'"]),
            ("    status: paused", "    status: archived", ["archive 'Trial follow-up B'"]),
            (
                "    time_zone: Europe/Berlin\n    cal",
                "    status: paused\n    cal",
                ["change 'Trial follow-up': time zone", "pause 'Trial follow-up'"],
            ),
            (
                "    variant: {sequence: Trial follow-up B, share: 30}\n",
                "",
                ["change 'Trial follow-up': variant"],
            ),
            (
                "- {name: Someday, status: draft}",
                "- {name: Someday, steps: [{task: Call, after: 0 hours}]}",
                ["publish version 1 of 'Someday': 1 step", "activate 'Someday'"],
            ),
            ("days: [2026-12-24]", "days: [2026-12-31]", ["change calendar 'Germany'"]),
            (
                "    organization: Analytical Engines",
                "    organization:",
                ["change contact Ada@example.com: organization name"],
            ),
            ("seats: 3", "seats: null", ["change contact Ada@example.com: custom"]),
            ('    phone: "+49 30 901820"\n', "", []),
        ],
    )
    def test_only_what_differs_is_changed(self, tx: Tx, world: World, old: str, new: str, expected: list[str]) -> None:
        applied(tx, world, EVERYTHING)
        assert old in EVERYTHING
        assert applied(tx, world, EVERYTHING.replace(old, new)) == expected

    def test_a_changed_calendar_or_window_is_queued_for_what_waits(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        applied(tx, world, EVERYTHING.replace("2026-12-24", "2026-12-31").replace("Mon-Fri", "Mon-Thu"))
        assert queued(tx, named(tx, world, "Trial follow-up")) == ["rhythm", "rhythm"]

    def test_an_archived_sequence_can_be_paused(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING.replace("status: paused", "status: archived"))
        assert applied(tx, world, EVERYTHING) == ["pause 'Trial follow-up B'"]
        assert named(tx, world, "Trial follow-up B").status is PAUSED

    def test_sequences_may_name_each_other_as_variants(self, tx: Tx, world: World) -> None:
        step = "steps: [{task: Call, after: 0 hours}]"
        a, b = "{name: A, variant: {sequence: B, share: 10}", "{name: B, variant: {sequence: A, share: 20}"
        text = f"sequences: [{a}, {step}}}, {b}, {step}}}]"
        applied(tx, world, text)
        one, other = named(tx, world, "A"), named(tx, world, "B")
        assert (one.split, other.split) == (Split(other.id, 10), Split(one.id, 20))

    def test_a_person_is_met_by_the_address_key(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        text = "people: [{kind: contact, email: ADA@example.com, last_name: King}]"
        assert applied(tx, world, text) == ["change contact ADA@example.com: last name, email"]
        assert len(people.list_all(tx, world.account_id, PersonKind.CONTACT, 0, 10)) == 1


class TestReferences:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (
                "email: Welcome",
                "email: Welcom",
                "a.yaml:27: sequences[0].steps[0].email: There is no template 'Welcom'",
            ),
            (
                "calendar: Germany",
                "calendar: France",
                "a.yaml:19: sequences[0].calendar: There is no calendar 'France'",
            ),
            (
                "actor: Owner@example.com",
                "actor: x@example.com",
                "a.yaml:20: sequences[0].actor: There is no user 'x@example.com'",
            ),
            (
                "sequence: Trial follow-up B, s",
                "sequence: C, s",
                "a.yaml:25: sequences[0].variant.sequence: There is no sequence 'C'",
            ),
        ],
    )
    def test_what_is_nowhere_is_named_with_its_line(self, tx: Tx, world: World, old: str, new: str, said: str) -> None:
        with pytest.raises(InFile) as error:
            plan(tx, world.account_id, read(EVERYTHING.replace(old, new)), KEY)
        assert str(error.value).startswith(said)
        assert sequences.list_all(tx, world.account_id) == []

    def test_what_was_active_is_no_draft_again(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        with pytest.raises(InFile, match="paused, no draft any more") as error:
            plan(tx, world.account_id, read(EVERYTHING.replace("status: paused", "status: draft")), KEY)
        assert (error.value.file, error.value.line) == ("a.yaml", 34)

    def test_published_steps_are_not_taken_away(self, tx: Tx, world: World) -> None:
        text = "sequences: [{name: A, status: draft, steps: [{task: Call, after: 0 hours}]}]"
        applied(tx, world, text)
        with pytest.raises(InFile, match="cannot be taken away"):
            plan(tx, world.account_id, read("sequences: [{name: A, status: draft}]"), KEY)


class TestExport:
    def test_applying_an_export_changes_nothing(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        written = export(tx, world.account_id)
        contents = dict(exported_attachments(tx, world.account_id))
        desired = read_files([("x.yaml", written)], contents.__getitem__)
        assert plan(tx, world.account_id, desired, KEY) == []

    def test_an_export_makes_the_same_account_elsewhere(self, tx: Tx, world: World) -> None:
        applied(tx, world, EVERYTHING)
        written = export(tx, world.account_id)
        contents = dict(exported_attachments(tx, world.account_id))
        rival = accounts.add_account(tx, "Rival", "UTC", None)
        boss = accounts.add_user(tx, rival.id, name="B", email="owner@example.com", role=Role.ADMIN)
        apply(tx, rival.id, boss.id, read_files([("x.yaml", written)], contents.__getitem__), KEY)
        assert export(tx, rival.id) == written

    def test_an_empty_account_is_an_empty_file(self, tx: Tx, world: World) -> None:
        written = export(tx, world.account_id)
        assert read(written) == Desired()

    def test_people_without_an_address_and_second_ones_are_left_out(self, tx: Tx, world: World) -> None:
        applied(tx, world, "people: [{kind: lead, email: a@example.com, custom: {a: 1}}]")
        person = people.list_all(tx, world.account_id, PersonKind.LEAD, 0, 1)[0]
        nameless = structs.replace(person, id=8, email=None, address_hash=None)
        people.add(tx, [nameless, structs.replace(person, id=9, custom={"deep": {"a": 1}})])
        assert len(read(export(tx, world.account_id)).people) == 1

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{}%"), min_size=1).filter(str.strip))
    def test_every_text_outlasts_writing_and_reading(self, text: str) -> None:
        subject = one_line(text)
        from_yaml = written_and_read({"templates": [{"name": "T", "subject": subject, "text": text}]})
        assert from_yaml.templates[0].source.text == text
        assert from_yaml.templates[0].source.subject == subject


def written_and_read(document: object) -> Desired:
    """What a document says after it was written."""
    return read_files([("a.yaml", write_yaml(document))], files)
