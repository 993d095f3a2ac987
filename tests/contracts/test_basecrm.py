"""The official Python client of the Sell API, unchanged, against a served Drumbeat."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import basecrm
import pytest

# What the client ships, but for tests of resources that are not kept here, or that name the production host.
MODULES = [
    f"basecrm.test.test_{name}"
    for name in ("users_service", "accounts_service", "leads_service", "contacts_service", "tasks_service")
]
MODULES += ["basecrm.test.test_sync", "basecrm.test.test_sync_service"]
SHIPPED = 55


@pytest.fixture
def client(served: tuple[str, str]) -> basecrm.Client:
    """The client as its users make it."""
    address, token = served
    return basecrm.Client(access_token=token, base_url=address)


def test_the_tests_it_ships_pass_unchanged(served: tuple[str, str]) -> None:
    address, token = served
    told = {"BASECRM_BASE_URL": address, "BASECRM_ACCESS_TOKEN": token}
    ran = subprocess.run(
        [sys.executable, "-m", "unittest", *MODULES],
        check=False,
        env=os.environ | told,
        capture_output=True,
        text=True,
        timeout=120,
    )
    end = ran.stderr[-3000:]
    assert ran.returncode == 0, end
    assert re.search(rf"^Ran {SHIPPED} tests in .*\n\nOK$", end, re.MULTILINE), end


def test_it_walks_the_five_enrollment_endpoints(client: basecrm.Client) -> None:
    http, path = client.http_client, "/sequence_enrollments"
    lead = client.leads.create(first_name="Lena", last_name="Lindt", email="lena@customer.example")
    (sequence, *_) = http.get("/sequences", params={"name": "two letters"})[2]
    sent = {"sequence_id": sequence.id, "resource_type": "lead", "resource_id": lead.id}
    status, _, made = http.post(path, body=sent)
    assert (status, made.state, made.actor_id) == (200, "active", client.users.self().id)
    assert http.get(f"{path}/{made.id}")[2].sequence == made.sequence
    listed = http.get(path, params={"resource_ids": lead.id, "resource_type": "lead", "per_page": 1})[2]
    assert [each.id for each in listed] == [made.id]
    _, _, finished = http.put(f"{path}/{made.id}", body={"state": "finished"})
    assert (finished.state, finished.finished_reason) == ("finished", "manual")
    other = client.leads.create(last_name="Lodge", email="lodge@customer.example")
    _, _, again = http.post(path, body=sent | {"resource_id": other.id})
    whom = {"resource_type": "lead", "resource_id": other.id}
    _, _, ended = http.post(f"{path}/finish_ongoing_for_resource", body=whom)
    assert [each.data.id for each in ended.updated_enrollments["items"]] == [again.id]


def test_what_it_is_refused_it_understands(client: basecrm.Client) -> None:
    http = client.http_client
    for refused, kind, status in (
        (lambda: client.leads.create(status="New"), basecrm.ResourceError, 422),
        (lambda: client.leads.retrieve(99), basecrm.RequestError, 404),
        (lambda: client.users.list(unknown="parameter"), basecrm.RequestError, 400),
        (lambda: http.get("/nothing"), basecrm.RequestError, 404),
        (lambda: http.delete("/sequence_enrollments"), basecrm.RequestError, 405),
    ):
        with pytest.raises(kind) as caught:
            refused()
        assert (caught.value.http_status, len(caught.value.errors)) == (status, 1)
        assert caught.value.logref
    stranger = basecrm.Client(access_token="X" * 64, base_url=client.config.base_url)
    with pytest.raises(basecrm.RequestError) as caught:
        stranger.users.self()
    assert caught.value.http_status == 401


def test_a_client_that_synchronizes_is_told_there_is_nothing(client: basecrm.Client) -> None:
    seen: list[object] = []
    basecrm.Sync(client=client, device_uuid="6dadcec8-6e61-4691-b318-1aab27b8fecf").fetch(
        lambda meta, fetched: seen.append(fetched)
    )
    assert seen == []
    assert client.sync.ack("6dadcec8-6e61-4691-b318-1aab27b8fecf", ["User-1234-1"])
