"""A world with the cast in it, the application over it, and a client that speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.access import csrf_token, fingerprint
from drumbeat.domain.account import User
from drumbeat.domain.happening import EnrollmentEvent
from drumbeat.domain.machine import decide
from drumbeat.domain.person import Person, address_key
from drumbeat.http.app import make_app
from drumbeat.http.pages import Pages
from drumbeat.http.parts import Parts
from drumbeat.http.rates import Rates
from drumbeat.operations.accounts import new_secret
from drumbeat.operations.changes import Change, store
from drumbeat.operations.sign_in import Opened, open_session
from drumbeat.store import accounts, enrollments
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, add_lead, enter_cast, make_world
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World


@pytest.fixture
def world(tmp_path: Path, database_url: str, clock: FrozenClock) -> Iterator[World]:
    """The real parts over a fresh database and the test's clock."""
    made = make_world(tmp_path, database_url, clock)
    yield made
    made.close()


@pytest.fixture
def cast(world: World) -> Cast:
    """Everybody, entered into the database."""
    return world.database.transact(enter_cast)


@pytest.fixture(scope="session")
def app_over() -> Callable[[World], Litestar]:
    """Puts the application over a world: it is made once, for its routes take longer to read than a test does."""
    made: list[tuple[Litestar, Pages]] = []

    def put(world: World) -> Litestar:
        if not made:
            made.append((make_app(world), Pages()))
        app, pages = made[0]
        app.state["parts"] = Parts(world, pages, None, Rates(world))
        return app

    return put


@pytest.fixture
def app(world: World, app_over: Callable[[World], Litestar]) -> Litestar:
    """The application without a catcher."""
    return app_over(world)


@dataclass
class Api:
    """Calls the application with a credential."""

    client: TestClient[Litestar]
    token: str
    headers: dict[str, str] = field(default_factory=lambda: {"User-Agent": "tests", "Accept": "application/json"})

    def ids(self, path: str) -> list[int]:
        """The ids of a list, in order."""
        answer = self("GET", path)
        assert answer.status_code == 200, answer.text
        return [item["data"]["id"] for item in answer.json()["items"]]

    def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        headers = self.headers | {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        if json is not None:
            more["json"] = json
        return self.client.request(method, path, headers=headers, **more)


@pytest.fixture
def client(app: Litestar) -> Iterator[TestClient[Litestar]]:
    """Speaks to the application without a socket."""
    with TestClient(app, base_url="http://drumbeat.test", raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def make_client(world: World) -> Iterator[Callable[..., TestClient[Litestar]]]:
    """Speaks to an application whose settings differ in what is named."""
    with ExitStack() as after:

        def make(**settings: Any) -> TestClient[Litestar]:
            app = make_app(replace(world, settings=world.settings.model_copy(update=settings)))
            return after.enter_context(TestClient(app, base_url="http://drumbeat.test"))

        yield make


@pytest.fixture
def api(client: TestClient[Litestar], cast: Cast) -> Api:
    """Calls as our seller."""
    return Api(client, cast.us.token)


@pytest.fixture
def rival(client: TestClient[Litestar], cast: Cast) -> Api:
    """Calls as the outsider."""
    return Api(client, cast.rival.token)


@dataclass
class Browser:
    """A browser that is signed in; changes carry the token that only our pages know."""

    client: TestClient[Litestar]
    cookie: str
    csrf: str

    def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        headers = {"Cookie": f"drumbeat={self.cookie}", "X-CSRF-Token": self.csrf} | more.pop("headers", {})
        if json is not None:
            more["json"] = json
        return self.client.request(method, path, headers=headers, **more)


@pytest.fixture
def sign_in(client: TestClient[Litestar], world: World) -> Callable[[User], Browser]:
    """Signs a user in, without a password."""

    def enter(user: User) -> Browser:
        def work(tx: Tx) -> Opened:
            login_id = accounts.login_of(tx, user.account_id, user.id)
            if login_id is None:
                login_id = accounts.add_login(tx, user.email, address_key(user.email), "no hash")
                accounts.set_login(tx, user.account_id, user.id, login_id)
            return open_session(tx, login_id, new_secret(), user.account_id)

        opened = world.database.transact(work)
        csrf = csrf_token(world.hash_key, opened.session, fingerprint(opened.text))
        return Browser(client, opened.text, csrf)

    return enter


@pytest.fixture
def owner(sign_in: Callable[[User], Browser], cast: Cast) -> Browser:
    """Our owner, an admin."""
    return sign_in(cast.us.owner)


@pytest.fixture
def seller(sign_in: Callable[[User], Browser], cast: Cast) -> Browser:
    """Our seller, an agent."""
    return sign_in(cast.us.seller)


@pytest.fixture
def new_lead(world: World, cast: Cast) -> Callable[..., Person]:
    """Makes a lead of ours."""

    def make(email: str | None = "lena@customer.example") -> Person:
        return world.database.transact(lambda tx: add_lead(tx, world, cast.us, email))

    return make


@pytest.fixture
def happen(world: World, cast: Cast) -> Callable[..., None]:
    """Lets things happen to one of our enrollments, as the worker would."""

    def tell(id: int, *events: EnrollmentEvent) -> None:
        def work(tx: Tx) -> None:
            account_id = cast.us.account.id
            for event in events:
                (enrollment,) = enrollments.lock(tx, account_id, [id])
                store(tx, account_id, [Change(decide(enrollment, event, tx.now), enrollment.revision)])

        world.database.transact(work)

    return tell
