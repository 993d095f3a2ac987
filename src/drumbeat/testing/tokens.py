"""A real OAuth 2 token server on this machine: it redeems one code and renews one grant, while a test lets it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

from drumbeat.mail.oauth import Grant


class TokenServer:
    """Gives `token` for `refresh_token`; with `refusal` that error instead, with `status` 500 nothing of use."""

    def __init__(self) -> None:
        self.token = "token-1"  # noqa: S105
        self.refresh_token = "refresh-1"  # noqa: S105
        self.code = "code-1"
        self.rotates_to: str | None = None
        self.refusal: str | None = None
        self.status = 200
        self.lasts = 3600
        self.asked: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answers_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)

    @property
    def url(self) -> str:
        """Where tokens are renewed."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def grant(self, refresh_token: str | None = None) -> Grant:
        """A grant that this server renews."""
        return Grant(self.url, "client", "hush", refresh_token or self.refresh_token, "mail")

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What is said to a request."""
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"oops": True}
        if form.get("grant_type") == "authorization_code" and form.get("code") == self.code:
            return 200, {"access_token": self.token, "token_type": "Bearer", "refresh_token": self.refresh_token}
        if self.refusal is not None or form.get("refresh_token") not in (self.refresh_token, self.rotates_to):
            told = {"error": self.refusal or "invalid_grant", "error_description": "The grant was withdrawn"}
            return 400, told
        given = {"access_token": self.token, "token_type": "Bearer", "expires_in": self.lasts}
        return 200, given | ({"refresh_token": self.rotates_to} if self.rotates_to else {})


def _answers_of(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    def do_post(request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers["content-length"])
        form = {name: values[0] for name, values in parse_qs(request.rfile.read(length).decode()).items()}
        status, told = server.answer(form)
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.end_headers()
        request.wfile.write(json.dumps(told).encode())

    members = {"do_POST": do_post, "log_message": lambda *_: None}
    return type("Answers", (BaseHTTPRequestHandler,), members)
