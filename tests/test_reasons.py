"""Every failure and finish reason, from the outside in: a request, a real mail server, and what v2 tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.domain.sequence import Sequence
from drumbeat.http.app import make_app
from drumbeat.mail.session import Security
from drumbeat.operations.inboxes import InboxSettings, listen
from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.testing.cast import add_credential
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import At
from tests.corpus.message import plain
from tests.imap_server import PASSWORD, USER, RunningServer, running
from tests.operations.office import Office, opened

LIST = "/v2/sequence_enrollments"


@dataclass
class Outside:
    """Somebody who has a token, and sees what the API shows."""

    office: Office
    client: TestClient[Litestar]
    token: str

    def __call__(self, method: str, path: str, fields: Any = None) -> Any:
        headers = {"User-Agent": "tests", "Accept": "application/json", "Authorization": f"Bearer {self.token}"}
        sent = None if fields is None else {"data": fields}
        answer = self.client.request(method, path, json=sent, headers=headers)
        assert answer.status_code in (200, 204), answer.text
        return answer.json()["data"] if answer.content else None

    def enrolled(self, sequence: Sequence) -> int:
        """A new contact, enrolled; and the worker does what is due."""
        person = self(
            "POST", "/v2/contacts", {"last_name": "Lovelace", "first_name": "Ada", "email": "ada@example.com"}
        )
        wanted = {"sequence_id": sequence.id, "resource_type": "contact", "resource_id": person["id"]}
        made = self("POST", LIST, wanted)
        self.office.work()
        return int(made["id"])

    def reason(self, id: int) -> tuple[str, str | None]:
        """State and failure reason of the present step."""
        shown = self("GET", f"{LIST}/{id}")
        step = shown["enrollment_steps"]["items"][shown["current_step_position"]]["data"]
        return shown["state"], step["action"]["data"]["failure_reason"]

    def ending(self, id: int) -> tuple[str, str | None]:
        """State and finish reason."""
        shown = self("GET", f"{LIST}/{id}")
        return shown["state"], shown["finished_reason"]


@pytest.fixture
def outside(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Outside]:
    """The office seen from outside; its mailbox is a real one."""
    with opened(database, clock, tmp_path) as office:
        office.set_mailbox(is_catcher=False)
        with TestClient(make_app(office.house.world)) as client:
            yield Outside(office, client, office.transact(lambda tx: _token(tx, office)))


def _token(tx: Any, office: Office) -> str:
    owner = accounts.get_user(tx, office.house.account_id, office.house.owner_id)
    return add_credential(tx, owner, CredentialKind.TOKEN, [Scope.READ, Scope.WRITE])


def refuses(at: At, reply: str) -> tuple[Callable[[Office], None], Callable[[Office], None]]:
    """The mail server refuses so, and then no more."""

    def refusing(office: Office) -> None:
        office.sink.script = {at: reply}

    def willing(office: Office) -> None:
        office.sink.script = {}

    return refusing, willing


def has(**changes: Any) -> Callable[[Office], None]:
    """The mailbox is changed so."""
    return lambda office: office.set_mailbox(**changes)


def may_send(letters: int | None) -> Callable[[Office], None]:
    """The account may send so many letters a month."""
    return lambda office: office.set_account(monthly_allowance=letters)


REASONS = {
    "auth": refuses(At.MAIL, "535 5.7.8 wrong password"),
    "sendout_limited": refuses(At.DOT, "550 5.4.5 daily sending limit exceeded"),
    "recipient_invalid": refuses(At.RCPT, "550 5.1.1 no such user"),
    "attachment_limit_exceeded": refuses(At.MAIL, "552 5.3.4 too large"),
    "unknown": refuses(At.DOT, "554 5.6.0 no"),
    "sendout_disabled": (has(is_active=False), has(is_active=True)),
    "quota_exceeded": (may_send(0), may_send(None)),
    "missing_merge_tags": (lambda office: None, lambda office: None),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_failure_reason_is_told_and_the_letter_leaves_once_its_cause_is_gone(
    outside: Outside, reason: str
) -> None:
    begins, ends = REASONS[reason]
    begins(outside.office)
    text = "{{ person.title }}" if reason == "missing_merge_tags" else "Tea?"
    id = outside.enrolled(outside.office.house.sequence(letter(text=text)))
    assert outside.reason(id) == ("blocked", reason)
    assert outside.office.sink.letters == []
    ends(outside.office)
    person = outside("GET", f"{LIST}/{id}")["resource_id"]
    outside("PUT", f"/v2/contacts/{person}", {"title": "Countess", "email": "ada.l@example.com"})
    if outside.reason(id)[0] == "blocked":
        outside("PUT", f"{LIST}/{id}", {"state": "active"})
    outside.office.later(hours=1)
    assert outside.ending(id) == ("finished", "all_steps_completed")
    assert outside.office.recipients() == ["ada.l@example.com"]


def test_who_answers_is_finished_as_replied(outside: Outside) -> None:
    with running("pymap") as server:
        _let_hear(outside.office, server)
        id = outside.enrolled(outside.office.house.sequence(letter(), letter("48 hours")))
        ours = outside.office.mail()["Message-ID"]
        head = f"From: ada@example.com\nTo: olive@tea.example\nSubject: Re: Hello\nIn-Reply-To: {ours}"
        server.deliver(plain(head, "Yes, please."))
        outside.office.later(minutes=1)
    assert outside.ending(id) == ("finished", "replied_to_email")


def _let_hear(office: Office, server: RunningServer) -> None:
    house = office.house
    settings = InboxSettings("127.0.0.1", server.port, Security.TLS, USER, PASSWORD)
    office.transact(lambda tx: listen(tx, house.world.vault, house.account_id, house.mailbox_id, settings))
    office.run("UPDATE inboxes SET security = 'none'")


def _finishes(outside: Outside, id: int) -> None:
    outside("PUT", f"{LIST}/{id}", {"state": "finished"})


def _deletes_the_person(outside: Outside, id: int) -> None:
    outside("DELETE", f"/v2/contacts/{outside('GET', f'{LIST}/{id}')['resource_id']}")


def _clicks_the_way_out(outside: Outside, id: int) -> None:
    way_out = str(outside.office.mail()["List-Unsubscribe"]).partition("<https")[2].partition(">")[0]
    answer = outside.client.post(urlsplit("https" + way_out).path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200


def _deletes_the_task(outside: Outside, id: int) -> None:
    (open_task,) = outside.client.get(
        "/v2/tasks", headers={"User-Agent": "tests", "Authorization": f"Bearer {outside.token}"}
    ).json()["items"]
    outside("DELETE", f"/v2/tasks/{open_task['data']['id']}")


def _completes_the_task(outside: Outside, id: int) -> None:
    (open_task,) = outside.client.get(
        "/v2/tasks", headers={"User-Agent": "tests", "Authorization": f"Bearer {outside.token}"}
    ).json()["items"]
    outside("PUT", f"/v2/tasks/{open_task['data']['id']}", {"completed": True})


ENDINGS: dict[str, Callable[[Outside, int], None]] = {
    "manual": _finishes,
    "all_steps_completed": _completes_the_task,
    "resource_deleted": _deletes_the_person,
    "subscription_cancelled": _clicks_the_way_out,
    "task_deleted": _deletes_the_task,
}


@pytest.mark.parametrize("reason", ENDINGS)
def test_each_finish_reason_is_told_and_nothing_leaves_afterwards(outside: Outside, reason: str) -> None:
    id = outside.enrolled(outside.office.house.sequence(letter(), task()))
    assert outside.ending(id) == ("active", None)
    ENDINGS[reason](outside, id)
    assert outside.ending(id) == ("finished", reason)
    outside.office.later(days=7)
    assert len(outside.office.sink.letters) == 1
