"""The OpenAPI document against the application as it is served: whatever the document allows, and does not, is sent.

No answer is a 5xx, every one has a status, a type and a shape that the document tells, and what the document forbids is
refused. DRUMBEAT_TEST_EXAMPLES asks for more random calls a route than the few of every run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drumbeat.domain.access import csrf_token, fingerprint
from drumbeat.domain.person import address_key
from drumbeat.operations.accounts import new_secret
from drumbeat.operations.sign_in import open_session
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import make_world

EXAMPLES = os.environ.get("DRUMBEAT_TEST_EXAMPLES", "3")
CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
CONTRACTS = {
    "v2": "^/v2/",
    "v1": "^/api/v1/",
    # Signing out and in would end the session that everything else is called with.
    "app": "^/api/(?!v1/|sessions?$|password$)",
}


@pytest.fixture
def secrets(served: tuple[str, str], tmp_path: Path, database_url: str) -> dict[str, str]:
    """What the served application is called with: our seller's token, our owner's session and its token."""
    world = make_world(tmp_path, database_url)

    def work(tx: Tx) -> dict[str, str]:
        owner = accounts.get_user(tx, 1, 1)
        login_id = accounts.add_login(tx, owner.email, address_key(owner.email), "no hash")
        accounts.set_login(tx, owner.account_id, owner.id, login_id)
        opened = open_session(tx, login_id, new_secret())
        csrf = csrf_token(world.hash_key, opened.session, fingerprint(opened.text))
        return {"TOKEN": served[1], "SESSION": opened.text, "CSRF": csrf}

    made = world.database.transact(work)
    world.close()
    return made


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_document_and_the_application_agree(
    served: tuple[str, str], secrets: dict[str, str], contract: str, tmp_path: Path
) -> None:
    address, _ = served
    asked = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"),
        *(f"{address}/openapi.json", "--url", address, "--include-path-regex", CONTRACTS[contract]),
        *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", EXAMPLES),
        *("--seed", "1", "--generation-deterministic", "--no-color", "--warnings", "off"),
    ]
    told = subprocess.run(asked, env=os.environ | secrets, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert " passed" in told.stdout
