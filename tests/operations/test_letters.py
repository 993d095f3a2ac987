"""Frozen inputs and the bytes they make: the same every time, whoever the letter is for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.account import Account, AgentsSee, UnknownMeans
from drumbeat.domain.calendar import Delay, Rhythm, Unit
from drumbeat.domain.delivery import read_message_id
from drumbeat.domain.enrollment import Enrollment, Plan, Subject
from drumbeat.domain.errors import MissingTags
from drumbeat.domain.machine import start
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import Step, Unsubscribing
from drumbeat.domain.template import Attachment
from drumbeat.domain.unsubscribe import read_unsubscribe_token
from drumbeat.operations.dispatch import ClaimedLetter, claim
from drumbeat.operations.letters import Frozen, Identity, Writer, encode_frozen, freeze_letter, read_frozen
from drumbeat.store.database import Database
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.stamps import to_stamp
from drumbeat.testing.clock import TUESDAY_MORNING, FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At
from tests.operations.office import TOKEN, Office, opened

IDENTITY = Identity(b"k" * 32, "https://drumbeat.example")
ACCOUNT = Account(
    id=1,
    name="Tea House",
    time_zone="UTC",
    postal_address="1 Tea Lane\nLondon",
    sequences_enabled=True,
    unknown_means=UnknownMeans.ASK,
    agents_see=AgentsSee.ALL,
    created_at=TUESDAY_MORNING,
    updated_at=TUESDAY_MORNING,
)
WRITER = Writer(lambda _, __: b"leaves")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def mailbox(**changes: object) -> StoredMailbox:
    """Olive's mailbox."""
    fields = {"sender_name": "Olive Owner", "sender_email": "olive@tea.example"} | changes
    return StoredMailbox(
        1, 1, "Olive", host="h", port=25, security="none", username=None, sealed_password=None,
        connections=1, is_catcher=True, is_active=True, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def person(first_name: str | None = "Ada", last_name: str | None = None, email: str = "ada@example.com") -> Person:
    """Somebody to write to."""
    return Person(
        1, PersonKind.CONTACT, 1, first_name, last_name, None, None, email, "h", None, None, 1, 1,
        TUESDAY_MORNING, TUESDAY_MORNING,
    )  # fmt: skip


def running(*steps: Step) -> Enrollment:
    """An enrollment at its first step."""
    subject = Subject(1, PersonKind.CONTACT, 1, "h", 1, 1, 1, None, 1, "UTC", None)
    return start(1, 7, subject, Plan(steps, Rhythm("UTC")), TUESDAY_MORNING, {}).enrollment


def frozen_of(
    step: Step, whom: Person, *, locale: str | None = "en-US", hears: bool = False, **changes: object
) -> Frozen:
    """What the step's letter is made of."""
    return freeze_letter(
        IDENTITY,
        running(step),
        0,
        now_stamp=to_stamp(TUESDAY_MORNING),
        person=whom,
        account=ACCOUNT,
        mailbox=mailbox(**changes),
        unsubscribing=Unsubscribing(locale is not None, locale or "en-US"),
        hears=hears,
        thread=None,
    )


def written(
    step: Step, whom: Person, *, locale: str | None = "en-US", hears: bool = False, **changes: object
) -> EmailMessage:
    """The step's letter, parsed."""
    content = WRITER.write(1, step, frozen_of(step, whom, locale=locale, hears=hears, **changes))
    return message_from_bytes(content, policy=policy.default)


def body(message: EmailMessage, kind: str = "plain") -> str:
    """The letter's text."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


NAMES = st.text(max_size=80) | st.sampled_from(
    [
        "Ada\r\nBcc: eve@example.com",
        '"Ada" <eve@example.com>',
        "\x00\x1b[2J",
        "李 小龙",
        "a" * 300,
        "{{ account.name }}",
        "\ud800",
    ]
)


@settings(max_examples=100, deadline=None)
@given(first=NAMES, last=NAMES, sender=NAMES)
def test_hostile_names_stay_where_names_belong(first: str, last: str, sender: str) -> None:
    step = letter(subject="Hi {{ person.first_name | default: 'you' }}", text="x {{ person.last_name | default: '-' }}")
    frozen = read_frozen(
        encode_frozen(frozen_of(step, person(_sound(first), _sound(last)), sender_name=_sound(sender)))
    )
    message = message_from_bytes(WRITER.write(1, step, frozen), policy=policy.default)
    assert [address.addr_spec for address in message["To"].addresses] == ["ada@example.com"]
    assert [address.addr_spec for address in message["From"].addresses] == ["olive@tea.example"]
    assert message["Bcc"] is None
    assert len(message.get_all("Subject") or []) == 1
    assert "Tea House" not in str(message["Subject"]) + str(message["To"])
    assert not message.defects


def _sound(text: str) -> str:
    """What a database would give back: no halves of characters."""
    return text.encode("utf-8", "replace").decode()


def test_a_value_is_escaped_in_html_and_as_it_is_in_text() -> None:
    step = letter(text="Dear {{ person.first_name }}", html="<p>Dear {{ person.first_name }}</p>")
    message = written(step, person("<b>{{ x }} & co"))
    assert "Dear <b>{{ x }} & co" in body(message)
    assert "Dear &lt;b&gt;{{ x }} &amp; co" in body(message, "html")


def test_the_same_frozen_inputs_give_the_same_bytes() -> None:
    step = letter(html="<p>{{ person.first_name }}</p>")
    with_file = Step(
        step.action_type, Delay(0, Unit.HOURS), 1, template=step.template,
        attachments=(Attachment("menu.pdf", "application/pdf", "s" * 64, 6),),
    )  # fmt: skip
    for each in (step, with_file):
        text = encode_frozen(frozen_of(each, person()))
        first = WRITER.write(1, each, read_frozen(text))
        again = Writer(lambda _, __: b"leaves").write(1, each, read_frozen(text))
        assert hashlib.sha256(first).hexdigest() == hashlib.sha256(again).hexdigest()
    assert b"menu.pdf" in first


def test_an_attachment_is_read_once_for_many_letters() -> None:
    asked: list[str] = []
    writer = Writer(lambda _, sha256: asked.append(sha256) or b"leaves")  # type: ignore[func-returns-value]
    plain = letter()
    step = Step(
        plain.action_type, plain.delay, 1, template=plain.template, attachments=(Attachment("a", "text/plain", "s", 6),)
    )
    for name in ("Ada", "Bob"):
        writer.write(1, step, frozen_of(step, person(name)))
    assert asked == ["s"]


def test_every_missing_tag_is_named_at_once() -> None:
    step = letter(
        subject="{{ person.title }}", text="{{ person.phone }} {{ person.custom.tea }} {{ person.first_name }}"
    )
    with pytest.raises(MissingTags) as caught:
        WRITER.write(1, step, frozen_of(step, person()))
    assert set(caught.value.tags) == {"person.title", "person.phone", "person.custom.tea"}


@pytest.mark.parametrize(
    ("locale", "word"),
    [("en-US", "Unsubscribe"), ("de-DE", "Abmelden"), ("fr", "Se désabonner"), ("xx", "Unsubscribe")],
)
def test_the_footer_speaks_the_sequences_language_and_carries_the_postal_address(locale: str, word: str) -> None:
    message = written(letter(html="<p>Hi</p>"), person(), locale=locale)
    for kind in ("plain", "html"):
        assert word in body(message, kind)
        assert "1 Tea Lane" in body(message, kind)
        assert "https://drumbeat.example/u/" in body(message, kind)


def test_without_a_footer_the_way_out_is_still_in_the_headers() -> None:
    message = written(letter(), person(), locale=None)
    assert "https://" not in body(message)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = message["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert read_unsubscribe_token(IDENTITY.hash_key, token) == (1, 7)


def test_a_mailbox_that_hears_offers_the_way_out_by_mail_too() -> None:
    link, mailto = written(letter(), person(), hears=True)["List-Unsubscribe"].split(", ")
    token = link.strip("<>").rpartition("/")[2]
    assert mailto == f"<mailto:olive@tea.example?subject=unsubscribe%20{token}>"


def test_an_address_no_header_can_hold_offers_none() -> None:
    message = written(letter(), person(), hears=True, sender_email="o'live!@tea.example")
    assert "mailto" not in message["List-Unsubscribe"]


def test_a_body_with_the_link_of_its_own_gets_no_footer() -> None:
    message = written(letter(text="Stop: {{ unsubscribe_url }}"), person())
    assert body(message).count("https://drumbeat.example/u/") == 1
    assert "no longer want" not in body(message)


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("sender.name", "Olive Owner"),
        ("sender.email", "olive@tea.example"),
        ("account.name", "Tea House"),
        ("lead.email", "ada@example.com"),
        ("contact.name", "Ada L"),
        ("person.last_name", "L"),
    ],
)
def test_every_kind_of_tag_is_filled(tag: str, shown: str) -> None:
    step = letter(text=f"[{{{{ {tag} }}}}]")
    assert f"[{shown}]" in body(written(step, person("Ada", "L"), locale=None))


def test_the_message_id_names_the_letter_and_its_try() -> None:
    frozen = frozen_of(letter(), person())
    assert read_message_id(IDENTITY.hash_key, frozen.message_id) == (1, 7, 0, 0)
    assert frozen.message_id.endswith("@tea.example>")


def test_a_mailbox_in_a_domain_with_umlauts_writes_letters() -> None:
    message = written(letter(), person(), sender_email="olive@bücher.example")
    assert message["Message-ID"].endswith("@xn--bcher-kva.example>")
    assert message["From"].addresses[0].addr_spec == "olive@xn--bcher-kva.example"


def claimed(office: Office, token: str = TOKEN) -> ClaimedLetter:
    """The one letter that is due."""
    house = office.house
    brought = office.transact(
        lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=9, token=token)
    )
    (only,) = brought.letters
    return only


def test_a_letter_put_off_leaves_later_with_the_same_bytes(office: Office) -> None:
    office.sink.script = {At.RCPT: "451 4.3.0 later"}
    ada = office.house.person()
    enrolled = office.enroll(office.house.sequence(letter()), ada)
    office.work()
    first = office.deliveries(enrolled.id)[0]
    office.change(ada, first_name="Eve")
    office.sink.script = {}
    office.later(minutes=7)
    (sent,) = office.deliveries(enrolled.id)
    assert sent.frozen == first.frozen
    assert hashlib.sha256(office.sink.letters[0].content).hexdigest() == sent.sha256
    assert office.mail()["Subject"] == "Hello Ada"


def test_a_changed_address_discards_the_frozen_letter(office: Office) -> None:
    office.sink.script = {At.RCPT: "451 4.3.0 later"}
    ada = office.house.person()
    enrolled = office.enroll(office.house.sequence(letter()), ada)
    office.work()
    office.change(ada, first_name="Eve", email="eve@example.com")
    office.sink.script = {}
    office.later(minutes=7)
    old, new = office.deliveries(enrolled.id)
    assert (old.status, new.status) == ("refused", "accepted")
    assert read_frozen(old.frozen).message_id != read_frozen(new.frozen).message_id == office.mail()["Message-ID"]
    assert office.recipients() == ["eve@example.com"]
    assert office.mail()["Subject"] == "Hello Eve"


def test_a_letter_frozen_for_another_composer_is_frozen_anew(office: Office) -> None:
    office.sink.script = {At.RCPT: "451 4.3.0 later"}
    enrolled = office.enroll(office.house.sequence(letter()), office.house.person())
    office.work()
    office.run("UPDATE deliveries SET composer = 0")
    office.sink.script = {}
    office.later(minutes=7)
    assert office.delivered(enrolled.id) == ["refused", "accepted"]
    assert len(office.sink.letters) == 1


def test_what_is_claimed_is_frozen_as_of_the_claim(office: Office) -> None:
    ada = office.house.person()
    office.enroll(office.house.sequence(letter("1 hours")), ada)
    office.change(ada, first_name="Eve")
    office.clock.advance(timedelta(hours=1))
    frozen = claimed(office).frozen
    assert frozen.values == {"person.first_name": "Eve"}
    assert frozen.date == to_stamp(office.clock.now)
