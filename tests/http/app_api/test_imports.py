"""Files of people over the app's API: uploaded, looked at, taken in by a worker, mended; and people as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drumbeat.domain.account import AgentsSee, User
from drumbeat.operations.accounts import change_account
from drumbeat.store import accounts
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from drumbeat.worker import Worker
from tests.http.app_api.test_sequences import made, shown
from tests.http.app_api.test_session import refused
from tests.http.app_api.test_users import details
from tests.http.conftest import Browser

FILE = b"First name,E-mail,Plan,Secret\nAda,ada@x.example,pro,x\nNobody,nobody,,\nGrace,grace@x.example,=1+1,y\n"
OCTETS = {"Content-Type": "application/octet-stream"}


def upload(browser: Browser, content: bytes = FILE, query: str = "kind=contact&fileName=fair.csv") -> Any:
    return browser("POST", f"/api/imports?{query}", content=content, headers=OCTETS)


def work(world: World) -> None:
    worker = Worker(world)
    while worker.step():
        pass
    worker.close()


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_a_file_is_uploaded_looked_at_taken_in_and_what_was_left_out_is_mended(seller: Browser, world: World) -> None:
    loaded = made(upload(seller))
    job = loaded["job"]
    assert (job["status"], job["rowsTotal"], job["fileName"], job["kind"]) == ("ready", 3, "fair.csv", "contact")
    assert job["mapping"] == ["first_name", "email", "custom.Plan", "custom.Secret"]
    assert loaded["sample"][0] == ["Ada", "ada@x.example", "pro", "x"]
    work(world)
    assert shown(seller("GET", "/api/people?kind=contact")) == [], "nobody is taken in before it is started"
    path = f"/api/imports/{job['id']}"
    mapping = ["first_name", "email", "custom.plan", ""]
    assert shown(seller("PUT", path, {"status": "running", "mapping": mapping}))["status"] == "running"
    work(world)
    done = shown(seller("GET", path))
    assert (done["status"], done["rowsDone"], done["created"], done["rejected"]) == ("finished", 3, 2, 1)
    people = shown(seller("GET", "/api/people?kind=contact"))
    assert [(each["firstName"], each["customFields"]) for each in people] == [
        ("Ada", {"plan": "pro"}),
        ("Grace", {"plan": "=1+1"}),
    ]
    left_out = seller("GET", f"{path}/rejected")
    assert left_out.headers["content-type"].startswith("text/csv")
    assert [row[0] for row in rows(left_out.text)] == ["Row", "3"]
    assert shown(seller("GET", "/api/imports")) == [done]
    exported = rows(seller("GET", "/api/people.csv?kind=contact").text)
    assert exported[0][-1] == "custom.plan"
    assert [row[-1] for row in exported[1:]] == ["pro", "'=1+1"]


def test_one_is_cancelled_and_starts_once_only(seller: Browser) -> None:
    path = f"/api/imports/{made(upload(seller))['job']['id']}"
    assert shown(seller("PUT", path, {"status": "cancelled"}))["status"] == "cancelled"
    assert details(seller("PUT", path, {"status": "running"}))["field"] == "status"
    assert details(seller("PUT", path, {"status": "finished"}))["field"] == "status"


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (["email"], "Name all 4 columns"),
        (["email", "email", "", ""], "Two columns hold 'email'"),
        (["", "", "title", ""], "Say which column"),
        (["email", "colour", "", ""], "There is no field 'colour'"),
    ],
)
def test_a_mapping_that_cannot_be_is_told(seller: Browser, mapping: list[str], said: str) -> None:
    path = f"/api/imports/{made(upload(seller))['job']['id']}"
    told = details(seller("PUT", path, {"status": "running", "mapping": mapping}))
    assert told["field"] == "mapping"
    assert said in told["reason"]
    assert shown(seller("GET", path))["status"] == "ready"


@pytest.mark.parametrize(
    ("content", "query"),
    [
        (b"", "kind=contact"),
        (b"email\n", "kind=contact"),
        (FILE, ""),
        (FILE, "kind=dog"),
        (FILE, "kind=lead&encoding=klingon"),
        ("email\nÄ".encode("utf-16"), "kind=lead&encoding=utf-8"),
    ],
)
def test_what_cannot_be_read_is_refused(seller: Browser, content: bytes, query: str) -> None:
    assert refused(upload(seller, content, query)) == (400, "VALIDATION_ERROR")


def test_agents_who_see_their_own_take_in_and_out_their_own(
    owner: Browser, seller: Browser, world: World, cast: Cast, sign_in: Callable[[User], Browser]
) -> None:
    account_id = cast.us.account.id
    world.database.transact(
        lambda tx: change_account(tx, replace(accounts.get_account(tx, account_id), agents_see=AgentsSee.OWN))
    )
    theirs = made(upload(owner))["job"]
    owner("PUT", f"/api/imports/{theirs['id']}", {"status": "running"})
    work(world)
    assert refused(seller("GET", f"/api/imports/{theirs['id']}")) == (404, "NOT_FOUND")
    assert shown(seller("GET", "/api/imports")) == []
    assert len(rows(seller("GET", "/api/people.csv?kind=contact").text)) == 1
    mine = made(upload(seller))["job"]
    seller("PUT", f"/api/imports/{mine['id']}", {"status": "running"})
    work(world)
    done = shown(seller("GET", f"/api/imports/{mine['id']}"))
    assert (done["created"], done["updated"], done["rejected"]) == (0, 0, 3)
    assert len(shown(owner("GET", "/api/imports"))) == 2
