"""A trial letter: written as one person would get it, given to a real mail server, and nothing else is done by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drumbeat.domain.errors import IncorrectValue, TemplateSyntax
from drumbeat.domain.person import Person
from drumbeat.domain.template import TemplateText
from drumbeat.operations.templates import Draft
from drumbeat.operations.trial import MARK, Trial, send_trial, write_trial
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.sink import At
from tests.operations.office import Office, opened

URL = "https://drumbeat.example/u/preview"
TEA = TemplateText("Tea, {{ person.first_name }}?", "<p>From {{ sender.name }}</p>", "Stop: {{ unsubscribe_url }}")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def trial_of(office: Office, source: TemplateText, person: Person, user_id: int = 0, mark: str = "mark") -> Trial:
    """The letter that somebody would get, for the owner or another user."""
    house = office.house
    with office.database.read() as snapshot:
        by = user_id or house.owner_id
        return write_trial(
            snapshot, house.world.writer, house.account_id, by, Draft("", source), person, url=URL, mark=mark
        )


def send(office: Office, trial: Trial) -> None:
    """Give it to the mail server."""
    send_trial(office.house.world.vault, office.house.world.tokens, trial)


def test_a_trial_arrives_at_whoever_asks_as_the_person_would_get_it(office: Office) -> None:
    trial = trial_of(office, TEA, office.house.person("Ada"))
    before = office.everything()
    send(office, trial)
    assert [(each.sender, each.recipient) for each in office.sink.letters] == [("olive@tea.example",) * 2]
    read = office.mail()
    assert read["Subject"] == f"{MARK}Tea, Ada?" == "[Trial] Tea, Ada?"
    assert read["To"] == "Olive Owner <olive@tea.example>"
    assert read["Message-ID"] == "<trial.mark@tea.example>"
    html, text = read.get_body(("html",)), read.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "From Olive Owner" in html.get_content()
    assert text.get_content().strip() == f"Stop: {URL}"
    assert office.everything() == before


def test_a_letter_of_a_thread_is_tried_with_the_mark_alone_as_its_subject(office: Office) -> None:
    send(office, trial_of(office, replace(TEA, subject=""), office.house.person("Ada")))
    assert office.mail()["Subject"].strip() == "[Trial]"


def test_a_trial_goes_through_with_the_password_of_the_mailbox(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with opened(database, clock, tmp_path, credentials=("olive", "green tea")) as office:
        send(office, trial_of(office, TEA, office.house.person("Ada")))
        assert (len(office.sink.letters), office.sink.logins) == (1, 1)
        office.set_mailbox(sealed_password=office.house.world.vault.seal("black tea"))
        with pytest.raises(IncorrectValue) as caught:
            send(office, trial_of(office, TEA, office.house.person("Bob")))
        assert caught.value.detail.startswith("The mail server did not take it: ")
        assert office.mailbox().hold_reason is None


def test_what_lacks_a_mailbox_or_a_value_is_no_trial(office: Office) -> None:
    ada, sam = office.house.person("Ada"), office.add_user()
    with pytest.raises(IncorrectValue) as caught:
        trial_of(office, TEA, ada, sam.id)
    assert (caught.value.field, "You have no mailbox" in caught.value.detail) == ("mailbox", True)
    vague = replace(TEA, subject="{{ person.title }} {{ person.custom.plan }}")
    with pytest.raises(IncorrectValue) as caught:
        trial_of(office, vague, ada)
    assert caught.value.detail == "There is no value for person.title, person.custom.plan."


def test_what_could_not_be_kept_is_no_trial(office: Office) -> None:
    ada = office.house.person("Ada")
    for source, field in (
        (replace(TEA, subject="x" * 999), "subject"),
        (replace(TEA, html="x" * 200_001), "html"),
        (replace(TEA, text="x" * 200_001), "text"),
    ):
        with pytest.raises(IncorrectValue) as caught:
            trial_of(office, source, ada)
        assert caught.value.field == field
    with pytest.raises(TemplateSyntax, match="line 1"):
        trial_of(office, replace(TEA, text="{{ person"), ada)
    assert office.sink.letters == []


def test_what_the_mail_server_says_against_it_is_told(office: Office) -> None:
    trial = trial_of(office, TEA, office.house.person("Ada"))
    for at in (At.GREETING, At.MAIL, At.RCPT, At.DOT):
        office.sink.script = {at: "554 5.7.1 we take nothing"}
        with pytest.raises(IncorrectValue) as caught:
            send(office, trial)
        assert "we take nothing" in caught.value.detail, at
        assert (caught.value.field, office.sink.letters) == ("mailbox", [])


def test_a_mail_server_that_is_away_is_told(office: Office) -> None:
    trial = trial_of(office, TEA, office.house.person("Ada"))
    away = replace(trial, mailbox=replace(trial.mailbox, port=1))
    with pytest.raises(IncorrectValue) as caught:
        send(office, away)
    assert caught.value.detail.startswith("The mail server did not take it: ")
