"""A real `drumbeat serve` on either database, and a real browser in front of it.

The browser is Debian's Chromium, or what DRUMBEAT_TEST_CHROMIUM names; where there is none these tests are skipped.
With DRUMBEAT_TEST_SHOTS every page that `look` looks at is kept as a picture in that folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.conftest import BOTH
from tests.test_serve import call, environment, until

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; not for the whole run: it keeps an event loop open, in which other tests could not run theirs."""
    path = os.environ.get("DRUMBEAT_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("There is no Chromium here; on Debian: apt install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(frozen=True)
class Served:
    """A running Drumbeat: where, who signs in there, and its database."""

    url: str
    email: str
    password: str
    token: str
    api_key: str
    database_url: str

    def letters(self) -> list[dict[str, Any]]:
        """What the built-in catcher took in, newest first."""
        found: list[dict[str, Any]] = call(f"{self.url}/caught.json")
        return found


@pytest.fixture(scope="module", params=BOTH)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A first start on an empty database, once for each kind."""
    kept = tmp_path_factory.mktemp("kept")
    with ExitStack() as after:
        env = environment(kept)
        url = f"sqlite:///{kept}/drumbeat.db"
        if request.param == "postgresql":
            template = request.getfixturevalue("postgresql_template")
            url = request.getfixturevalue("postgresql_server").create(after, template=template)
            env |= {"DRUMBEAT_DATABASE_URL": url}
        server = after.enter_context(
            subprocess.Popen([sys.executable, "-m", "drumbeat", "serve"], env=env, stdout=subprocess.DEVNULL)
        )
        after.callback(server.kill)

        def first_run() -> dict[str, Any]:
            assert server.poll() is None, "the server ended by itself"
            found: dict[str, Any] = json.loads((kept / "first-run.json").read_text())
            call(f"{found['base_url']}/health")
            return found

        first = until(first_run, 30.0)
        yield Served(first["base_url"], first["email"], first["password"], first["token"], first["api_key"], url)


@dataclass
class Watch:
    """What went wrong in a browser: errors of pages, refusals of the policy, requests that leave the host."""

    host: str
    troubles: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """Keep what the browser complains about; a form that is refused answers 4xx as it should."""
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.troubles.append(message.text)

    def on_request(self, request: Request) -> None:
        """Keep what is asked of anybody else."""
        if not request.url.startswith((self.host, "data:", "about:", "blob:")):
            self.troubles.append(f"asks {request.url}")

    def attach(self, page: Page) -> Page:
        """Watch a page."""
        page.on("console", self.on_console)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", self.on_request)
        page.on("dialog", lambda dialog: (self.troubles.append(f"dialog {dialog.message}"), dialog.dismiss()))
        return page


@pytest.fixture
def watch(served: Served) -> Iterator[Watch]:
    """Fails the test if anything went wrong in its browser."""
    watching = Watch(served.url)
    yield watching
    assert watching.troubles == []


@pytest.fixture
def context(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    with chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB") as made:
        yield made


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    """A tab."""
    return watch.attach(context.new_page())


@pytest.fixture
def signed_in(page: Page, served: Served) -> Page:
    """A tab in which the owner is signed in."""
    sign_in(page, served)
    return page


def sign_in(page: Page, served: Served) -> None:
    """Signs the owner in, as people do."""
    page.goto(f"{served.url}/sign-in")
    page.get_by_label("E-mail address").fill(served.email)
    page.get_by_label("Password").fill(served.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/today")


def keep_picture(page: Page, name: str) -> None:
    """A picture of the page, where a folder for them is named."""
    folder = os.environ.get("DRUMBEAT_TEST_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
