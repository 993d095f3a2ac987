"""What tests of a seller's pages share: forms sent as a browser sends them, what a page then says, and our account at
work, with a real mail server and a worker that moves only when told to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime
from html import unescape
from typing import Any, TypeVar
from urllib.parse import urlencode

from drumbeat.domain.account import AgentsSee, Role, User
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import Sequence, Step
from drumbeat.domain.template import TemplateText
from drumbeat.operations.accounts import change_account
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.operations.sequences import change_settings, settings_of
from drumbeat.operations.templates import Draft, add_template
from drumbeat.store import accounts, deliveries, enrollments, mailboxes, sequences
from drumbeat.store.statement import Statement
from drumbeat.store.templates import StoredTemplate
from drumbeat.store.transaction import Snapshot, Tx
from drumbeat.testing.cast import Cast, add_lead, add_sequence
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.sink import Script, Sink
from drumbeat.wiring import World
from drumbeat.worker import Worker
from tests.corpus.message import plain
from tests.http.conftest import Browser

T = TypeVar("T")
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
SAID = "drumbeat-said"


def post(browser: Browser, path: str, **fields: Any) -> Any:
    """The answer to a page's form, before it leads anywhere."""
    return browser("POST", path, content=urlencode(fields, doseq=True), headers=FORM, follow_redirects=False)


def see(browser: Browser, path: str, **headers: str) -> Any:
    """A page there must be."""
    answer = browser("GET", path, headers={"Accept": "text/html"} | headers, follow_redirects=False)
    assert answer.status_code == 200, answer.text
    return answer


def led(browser: Browser, answer: Any) -> Any:
    """The page that a form's answer leads to, with what it says of what was done."""
    assert answer.status_code == 303, answer.text
    cookie = f"drumbeat={browser.cookie}; {SAID}={answer.cookies.get(SAID, '')}"
    return see(browser, answer.headers["location"], Cookie=cookie)


def words(answer: Any, section: str = "") -> str:
    """What somebody reads on a page, or in its section of this name."""
    html = answer.text
    if section:
        found = re.search(rf'<section[^>]*aria-labelledby="{section}".*?</section>', html, re.DOTALL)
        assert found, f"there is no section {section}"
        html = found[0]
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    return re.sub(r" ([.,:])", r"\1", text)


def said(answer: Any) -> str:
    """What a page says first of all, of what was done before."""
    found = re.search(r'<div class="alert[^"]*" role="(?:alert|status)">\s*<span>(.*?)</span>', answer.text, re.DOTALL)
    return unescape(found[1]) if found else ""


def complaint(answer: Any, field: str) -> str:
    """What stands beside a field as wrong."""
    found = re.search(rf'id="{field}-complaint">(.*?)</p>', answer.text, re.DOTALL)
    return unescape(found[1]) if found else ""


def value(answer: Any, id: str) -> str:
    """What a text field of a page holds."""
    found = re.search(rf'<input[^>]* id="{id}"[^>]* value="([^"]*)"', answer.text)
    assert found, f"there is no field {id}"
    return unescape(found[1])


def hidden(answer: Any, name: str) -> str:
    """What a form of a page sends along unseen."""
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', answer.text)
    assert found, f"nothing is sent along as {name}"
    return unescape(found[1])


@dataclass
class Works:
    """Our account: its seller's mailbox is a real mail server, and the worker moves only when told to."""

    world: World
    cast: Cast
    sink: Sink
    worker: Worker
    clock: FrozenClock

    @property
    def account_id(self) -> int:
        """Our account."""
        return self.cast.us.account.id

    def transact(self, act: Callable[[Tx], T]) -> T:
        """Do something in one transaction."""
        return self.world.database.transact(act)

    def read(self, look: Callable[[Snapshot], T]) -> T:
        """Look something up."""
        with self.world.database.read() as snapshot:
            return look(snapshot)

    def work(self) -> None:
        """Let the worker do all there is to do now, counting too."""
        for _ in range(60):
            if not self.worker.step():
                return
        raise AssertionError("the worker goes round in circles")

    def later(self, **by: float) -> None:
        """Let time pass, and the worker work."""
        self.clock.advance(timedelta(**by))
        self.work()

    def template(
        self, name: str = "Lamps", subject: str = "Lamps", text: str = "A lamp?", **more: Any
    ) -> StoredTemplate:
        """A template of ours."""
        draft = Draft(name, TemplateText(subject, more.pop("html", None), text), **more)
        return self.transact(lambda tx: add_template(tx, self.account_id, draft, self.cast.us.owner.id))

    def sequence(self, name: str, *steps: Step, **settings: Any) -> Sequence:
        """An active sequence of these steps, set as given."""

        def make(tx: Tx) -> Sequence:
            made = add_sequence(tx, self.cast.us.seller, name, list(steps))
            wanted = replace(settings_of(made), **settings)
            return change_settings(tx, self.account_id, made.id, wanted, self.cast.us.owner.id)

        return self.transact(make)

    def sequence_of(self, id: int) -> Sequence:
        """A sequence as it stands."""
        return self.read(lambda snapshot: sequences.get(snapshot, self.account_id, id))

    def lead(self, first_name: str = "Lena", owner: User | None = None, **fields: Any) -> Person:
        """A lead of our seller's or of another owner's."""
        given = {"last_name": "Lead", "email": f"{first_name.lower()}@customer.example"} | fields
        told, whose = PersonFields(first_name=first_name, **given), owner or self.cast.us.seller
        return self.transact(
            lambda tx: add_person(tx, self.world.hash_key, self.account_id, whose.id, PersonKind.LEAD, told)
        )

    def enroll(self, sequence: Sequence, person: Person, by: User | None = None) -> Enrollment:
        """Enrolled by our seller or somebody else."""
        request, whose = EnrollRequest(sequence.id, person.kind, person.id), by or self.cast.us.seller
        return self.transact(lambda tx: enroll(tx, self.world.hash_key, self.account_id, whose.id, request))

    def enroll_many(self, sequence: Sequence, first_names: Iterable[str]) -> list[int]:
        """Leads of our seller's, enrolled at once; the enrollments' ids."""
        account_id, seller = self.account_id, self.cast.us.seller

        def work(tx: Tx) -> list[int]:
            made = []
            for name in first_names:
                person = add_lead(tx, self.world, self.cast.us, f"{name.lower()}@customer.example", name)
                request = EnrollRequest(sequence.id, person.kind, person.id)
                made.append(enroll(tx, self.world.hash_key, account_id, seller.id, request).id)
            return made

        return self.transact(work)

    def enrollment(self, id: int) -> Enrollment:
        """An enrollment as it stands."""
        return self.read(lambda snapshot: enrollments.get(snapshot, self.account_id, id))

    def hear(self, id: int, text: str = "Tell me more.", sender: str = "lena@customer.example") -> None:
        """Somebody answers an enrollment's first letter, and it is heard."""
        found = self.read(lambda snapshot: deliveries.list_of_enrollment(snapshot, self.account_id, id))
        ours = read_frozen(found[0].frozen).message_id
        headers = f"From: {sender}\nTo: sam@northwind.example\nSubject: Re: Lamps\nIn-Reply-To: {ours}"
        raw = plain(f"{headers}\nDate: {format_datetime(self.clock.now)}", text)
        mailbox_id = self.cast.us.seller.mailbox_id or 0
        self.transact(lambda tx: take_in(tx, self.world.hash_key, self.account_id, mailbox_id, read(raw)))

    def colleague(self) -> User:
        """Another agent, without a mailbox."""
        email = "cara@northwind.example"
        return self.transact(
            lambda tx: accounts.add_user(tx, self.account_id, name="Cara", email=email, role=Role.AGENT)
        )

    def let_agents_see_their_own(self) -> None:
        """From now on agents see their own records alone."""

        def work(tx: Tx) -> None:
            change_account(tx, replace(accounts.get_account(tx, self.account_id), agents_see=AgentsSee.OWN))

        self.transact(work)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        row = self.read(lambda snapshot: snapshot.first(Statement(f"SELECT count(*) FROM {table}")))
        assert row is not None
        return int(row[0])


@contextmanager
def at_work(world: World, cast: Cast, clock: FrozenClock, script: Script | None = None) -> Iterator[Works]:
    """Our account at work; the mail server follows a script that a test may change at any time."""
    with Sink({} if script is None else script) as sink:
        worker = Worker(world)
        works = Works(world, cast, sink, worker, clock)
        mailbox_id = cast.us.seller.mailbox_id or 0

        def connect(tx: Tx) -> None:
            mailbox = mailboxes.get(tx, works.account_id, mailbox_id)
            mailboxes.save_settings(tx, replace(mailbox, port=sink.port))

        works.transact(connect)
        yield works
        worker.close()
