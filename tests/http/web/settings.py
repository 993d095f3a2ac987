"""What tests of the settings share: a page as somebody sees it, and its forms sent as a browser sends them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import msgspec

from drumbeat.http.web.frame import Said
from tests.http.conftest import Browser

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", "X-CSRF-Token": ""}
_SAID = "drumbeat-said"


def post(browser: Browser, path: str, **fields: Any) -> Any:
    """The answer to a form; it brings the page's token in a field, as forms do, and not in a header."""
    content = urlencode({"csrf": browser.csrf} | fields, doseq=True)
    return browser("POST", path, content=content, headers=_FORM, follow_redirects=False)


def said(answer: Any) -> Said:
    """What the next page will say of a form that was sent."""
    assert answer.status_code == 303, answer.text
    return msgspec.json.decode(base64.urlsafe_b64decode(answer.cookies[_SAID].strip('"')), type=Said)


def see(browser: Browser, path: str) -> Page:
    """A page, which there must be."""
    answer = browser("GET", path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return Page(browser, answer)


@dataclass
class Form:
    """A form of a page as it is filled in, and what stands on its buttons."""

    action: str
    values: dict[str, Any] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """A page as somebody sees it: its words, alerts by their kind, and fields and complaints by the field's id."""

    def __init__(self, browser: Browser, answer: Any) -> None:
        super().__init__()
        self.browser, self.status, self.path, self.text = browser, answer.status_code, answer.url.path, answer.text
        self.headers: Mapping[str, str] = answer.headers
        self.forms: list[Form] = []
        self.fields: dict[str, str] = {}
        self.complaints: dict[str, str] = {}
        self.alerts: dict[str, str] = {}
        self._heard: list[str] = []
        self._open: list[tuple[str, dict[str, str], int]] = []
        self.feed(answer.text)
        self.words = " ".join("".join(self._heard).split())

    def press(self, button: str, at: str = "", **changes: Any) -> Page:
        """The page that comes when a form is sent by its button, filled in as it is but for the changes."""
        (form,) = [each for each in self.forms if button in each.buttons and at in ("", each.action)]
        answer = post(self.browser, form.action, **{"csrf": ""} | form.values | changes)
        if answer.status_code != 303:
            return Page(self.browser, answer)
        cookie = answer.cookies.get("drumbeat", self.browser.cookie)
        headers = {"Accept": "text/html", "Cookie": f"drumbeat={cookie}; {_SAID}={answer.cookies.get(_SAID, '')}"}
        led = self.browser("GET", answer.headers["location"], headers=headers, follow_redirects=False)
        return Page(replace(self.browser, cookie=cookie), led)

    @property
    def said(self) -> str:
        """What the page says was done."""
        return self.alerts["success"]

    @property
    def refused(self) -> str:
        """What the page says was not done, and why."""
        return self.alerts["error"]

    @property
    def buttons(self) -> set[str]:
        """What may be pressed here, beside signing out."""
        return {button for form in self.forms for button in form.buttons} - {"Sign out", "Sign out here"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self._heard.append(" ")
        if tag == "form":
            self.forms.append(Form(told["action"]))
        elif tag == "input" and (told["type"] != "checkbox" or "checked" in told):
            self._fill(told, told.get("value", ""))
        elif tag == "option" and self._open[-1][0] == "select":
            select = self._open[-1][1]
            if "selected" in told or select["id"] not in self.fields:
                self._fill(select, told["value"])
        elif tag in ("select", "textarea", "button", "p", "div", "span"):
            self._open.append((tag, told, len(self._heard)))

    def handle_data(self, data: str) -> None:
        self._heard.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._heard.append(" ")
        if not self._open or self._open[-1][0] != tag:
            return
        _, told, start = self._open.pop()
        heard = "".join(self._heard[start:])
        words = heard.strip()
        if tag == "textarea":
            self._fill(told, heard.removeprefix("\n"))
        elif tag == "button":
            self.forms[-1].buttons.append(told.get("aria-label", words))
        elif told.get("class") == "complaint":
            self.complaints[told["id"].removesuffix("-complaint")] = words
        elif tag == "span" and self._open and "alert" in self._open[-1][1].get("class", "").split():
            kind = self._open[-1][1]["class"].split()[1]
            self.alerts[kind.removeprefix("alert-")] = words

    def _fill(self, told: dict[str, str], value: str) -> None:
        name = told["name"]
        if "id" in told:
            self.fields[told["id"]] = value
        values = self.forms[-1].values
        values[name] = [*values.get(name, []), value] if told.get("type") == "checkbox" else value
