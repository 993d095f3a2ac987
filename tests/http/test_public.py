from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from drumbeat import __version__
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import Unsubscribing
from drumbeat.domain.unsubscribe import unsubscribe_token
from drumbeat.http.app import make_app
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.store import sequences
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from drumbeat.worker.tending import Tending
from tests.http.conftest import Api, Browser

Client = TestClient[Litestar]
LIST = "/v2/sequence_enrollments"


@pytest.fixture
def enrollment(api: Api, cast: Cast, new_lead: Callable[..., Person]) -> int:
    sent = {"sequence_id": cast.us.letters.id, "resource_type": "lead", "resource_id": new_lead().id}
    return int(api("POST", LIST, {"data": sent}).json()["data"]["id"])


@pytest.fixture
def way_out(world: World, cast: Cast, enrollment: int) -> str:
    return f"/u/{unsubscribe_token(world.hash_key, cast.us.account.id, enrollment)}"


def state(api: Api, id: int) -> tuple[str, str | None]:
    shown = api("GET", f"{LIST}/{id}").json()["data"]
    return shown["state"], shown["finished_reason"]


def test_opening_the_link_changes_nothing(client: Client, api: Api, enrollment: int, way_out: str) -> None:
    page = client.get(way_out)
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "lena" not in page.text.lower()
    head = client.head(way_out)
    assert (head.status_code, head.content) == (200, b"")
    assert state(api, enrollment) == ("active", None)


@pytest.mark.parametrize(
    "sent",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b""},
    ],
)
def test_one_post_stops_everything_and_a_second_is_fine(
    client: Client, api: Api, enrollment: int, way_out: str, sent: dict[str, Any]
) -> None:
    for _ in range(2):
        done = client.post(way_out, follow_redirects=False, **sent)
        assert done.status_code == 200
        assert "set-cookie" not in done.headers
        assert state(api, enrollment) == ("finished", "subscription_cancelled")
    assert "<form" not in client.get(way_out).text
    assert client.get(way_out).text == done.text


def test_the_link_of_a_finished_enrollment_still_suppresses(
    client: Client, api: Api, cast: Cast, enrollment: int, way_out: str
) -> None:
    api("PUT", f"{LIST}/{enrollment}", {"data": {"state": "finished"}})
    assert client.post(way_out).status_code == 200
    sent = {"contacts": [{"email": "lena@customer.example"}]}
    refused = api("POST", f"/api/v1/sequences/{cast.us.letters.id}/execute", sent)
    assert refused.json()["error"]["details"]["results"][0]["status"] == "unsubscribed"


def test_the_page_speaks_the_sequence_s_language(client: Client, world: World, cast: Cast, way_out: str) -> None:
    german = replace(cast.us.letters, unsubscribing=Unsubscribing(True, "de-DE"))
    world.database.transact(lambda tx: sequences.save(tx, german))
    page = client.get(way_out)
    assert '<html lang="de">' in page.text
    assert "Abmelden" in page.text


def test_a_forged_link_gets_a_friendly_404(client: Client, world: World, cast: Cast, way_out: str) -> None:
    unknown = unsubscribe_token(world.hash_key, cast.rival.account.id, 5)
    altered = way_out[:-1] + ("b" if way_out.endswith("a") else "a")  # the key is random, so any letter may be last
    answers = [
        getattr(client, method)(path)
        for method in ("get", "post")
        for path in (altered, way_out + "a", "/u/1.1.x", f"/u/{unknown}", "/u/%00")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "not valid" in answers[0].text


def test_the_front_page_names_the_product_and_leads_on(client: Client) -> None:
    page = client.get("/")
    assert "Drumbeat" in page.text
    assert 'href="/docs"' in page.text
    assert "/caught" not in page.text
    assert 'href="/sign-in"' in page.text
    style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
    assert style is not None
    kept = client.get(style[1])
    assert kept.headers["content-type"].startswith("text/css")
    assert "immutable" in kept.headers["cache-control"]
    assert client.get("/static/other.css").status_code == 404


def test_the_front_page_leads_whoever_is_signed_in_to_their_day(owner: Browser) -> None:
    answer = owner("GET", "/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/today")
    stale = owner("GET", "/", headers={"Cookie": "drumbeat=stale"}, follow_redirects=False)
    assert stale.status_code == 200


def test_health_is_ok(client: Client) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["database"]) == ("ok", "ok")


TOKEN = "a token for metrics"


def test_metrics_are_closed_until_a_token_is_set(client: Client) -> None:
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


def test_metrics_tell_how_the_installation_stands(
    make_client: Callable[..., Client], world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    client = make_client(metrics_token=TOKEN)
    for wrong in ({}, {"authorization": "Bearer nobody"}, {"authorization": f"Basic {TOKEN}"}):
        assert client.get("/metrics", headers=wrong).status_code == 401
    lead, company = new_lead(), cast.us
    request = EnrollRequest(company.letters.id, lead.kind, lead.id)
    world.database.transact(lambda tx: enroll(tx, world.hash_key, company.account.id, company.owner.id, request))
    Tending(world).step()
    answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.headers["content-type"].startswith("text/plain; version=")
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert told["drumbeat_build_info", __version__] == 1
    assert told["drumbeat_due",] == 1
    assert told["drumbeat_due_seconds",] == 0
    assert told["drumbeat_letters", "unknown"] == 0
    assert told["drumbeat_mailboxes", "on"] == 2
    assert told["drumbeat_facts_total", "enrolled"] == 1
    assert "northwind" not in answer.text.lower()


@dataclass
class Letter:
    id: int = 7
    received_at: datetime = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    sender: str = "sam@northwind.example"
    recipient: str = "<lena>@customer.example"
    subject: str = "<b>Lamps</b>"
    headers: list[tuple[str, str]] = field(
        default_factory=lambda: [
            ("Message-ID", "<1@northwind.example>"),
            ("List-Unsubscribe", "<http://drumbeat.test/u/abc>"),
        ]
    )
    text: str = "Hello"
    html: str = "<script>alert(1)</script><p style='color:red'>Hello</p>"
    raw: bytes = b""


class Caught:
    def letters(self) -> list[Letter]:
        return [Letter()]


def catching(world: World, host: str = "127.0.0.1", address: str = "127.0.0.1") -> TestClient[Any]:
    """A client at `address` of an application bound to `host`."""
    bound = replace(world, settings=world.settings.model_copy(update={"host": host}))
    app = make_app(bound, Caught())

    async def from_address(scope: Any, receive: Any, send: Any) -> None:
        scope["client"] = (address, 50_000)
        await app(scope, receive, send)

    return TestClient(from_address, base_url="http://drumbeat.test")


def test_letters_are_shown_on_this_machine(world: World) -> None:
    client, here = catching(world), {"Host": "localhost:8000"}
    assert 'href="/caught"' in client.get("/", headers=here).text
    assert "&lt;b&gt;Lamps" in client.get("/caught", headers=here).text
    page = client.get("/caught/7", headers=here).text
    assert '<iframe sandbox title="Preview" src="/caught/7/html">' in page
    assert 'href="http://drumbeat.test/u/abc"' in page
    preview = client.get("/caught/7/html", headers=here)
    assert preview.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "allow" not in preview.headers["content-security-policy"]
    (told,) = client.get("/caught.json", headers=here).json()
    assert told["received_at"] == "2026-03-03T10:00:00Z"
    assert (told["message_id"], told["in_reply_to"]) == ("<1@northwind.example>", None)
    assert set(told) == {
        *("id", "received_at", "from", "to", "subject", "message_id", "in_reply_to", "references"),
        *("list_unsubscribe", "text", "html"),
    }
    assert client.get("/caught/8", headers=here).status_code == 404


@pytest.mark.parametrize("path", ["/caught", "/caught.json", "/caught/7", "/caught/7/html"])
def test_letters_are_shown_to_nobody_else(world: World, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    afar = catching(world, host="0.0.0.0", address="203.0.113.9")
    assert afar.get(path, headers={"Host": "localhost"}).status_code == 404
    proxied = {"Host": "localhost", "X-Forwarded-For": "203.0.113.9"}
    assert catching(world).get(path, headers=proxied).status_code == 404
    assert catching(world).get(path, headers={"Host": "rebound.example"}).status_code == 404
    assert catching(world, host="0.0.0.0").get(path, headers={"Host": "127.0.0.1"}).status_code == 200
