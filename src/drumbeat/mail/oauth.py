"""Fresh access tokens from an OAuth 2 grant, until the provider withdraws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client

from drumbeat.domain.errors import GrantRefused, IncorrectValue
from drumbeat.mail.session import is_loopback

_PATIENCE: Final = 15.0  # seconds for the token server
_EARLY: Final = 120.0  # seconds before its end that a token is renewed
_USUAL_LIFE: Final = 600.0

PROVIDERS: Final = {
    "google": ("https://oauth2.googleapis.com/token", "https://mail.google.com/"),
    "microsoft": (
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "https://outlook.office.com/SMTP.Send https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    ),
}


CONSENTS: Final = {
    "google": "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&prompt=consent",
    "microsoft": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
}
"""Where a mailbox's owner consents, by provider."""


class Grant(msgspec.Struct, frozen=True):
    """What a provider lets us renew tokens with; stored sealed."""

    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    scope: str


def check_grant(grant: Grant) -> Grant:
    """The grant, if it can be one; IncorrectValue names the field."""
    for name in ("token_url", "client_id", "refresh_token"):
        if not getattr(grant, name):
            raise IncorrectValue("Write something.", field=name)
    for name in ("client_id", "client_secret", "refresh_token", "scope"):
        if not getattr(grant, name).isprintable():
            raise IncorrectValue("Write it in one line, without control characters.", field=name)
    address = urlsplit(grant.token_url)
    if not address.hostname or (address.scheme != "https" and not is_loopback(address.hostname)):
        raise IncorrectValue("The token server's address begins with https://.", field="token_url")
    return grant


@dataclass(frozen=True, slots=True)
class Renewal:
    """A fresh access token, for how many seconds it is good, and the grant as it is now: providers may replace it."""

    token: str
    lasts: float
    grant: Grant


def renew(grant: Grant) -> Renewal:
    """Ask the provider for an access token.

    Raises GrantRefused when a person must grant anew, and OSError when the token server is in the way.
    """
    answer = _answer_to(grant)
    lasts = max(float(answer.get("expires_in") or _USUAL_LIFE) - _EARLY, 1.0)
    refresh_token = str(answer.get("refresh_token") or grant.refresh_token)
    return Renewal(str(answer["access_token"]), lasts, msgspec.structs.replace(grant, refresh_token=refresh_token))


def consent_url(address: str, grant: Grant, redirect_uri: str, state: str, verifier: str) -> str:
    """Where a mailbox's owner is sent to consent (RFC 6749, 4.1, with PKCE, RFC 7636); they come back to
    `redirect_uri` with a code."""
    with _client(grant) as client:
        client.code_challenge_method = "S256"
        url, _ = client.create_authorization_url(
            address, state=state, code_verifier=verifier, redirect_uri=redirect_uri, response_type="code"
        )
    return str(url)


def redeem(grant: Grant, code: str, redirect_uri: str, verifier: str) -> Grant:
    """The grant with the refresh token that a code is good for.

    Raises GrantRefused when a person must consent anew, and OSError when the token server is in the way.
    """

    def ask(client: OAuth2Client) -> Any:
        return client.fetch_token(
            grant.token_url,
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=verifier,
        )

    refresh_token = _asked(grant, ask).get("refresh_token")
    if not refresh_token:
        raise GrantRefused("The provider gave no refresh token: take its access away there, and consent anew.")
    return msgspec.structs.replace(grant, refresh_token=str(refresh_token))


def _answer_to(grant: Grant) -> dict[str, Any]:
    return _asked(grant, lambda client: client.refresh_token(grant.token_url, refresh_token=grant.refresh_token))


def _client(grant: Grant) -> OAuth2Client:
    return OAuth2Client(
        client_id=grant.client_id,
        client_secret=grant.client_secret or None,
        scope=grant.scope or None,
        token_endpoint_auth_method="client_secret_post" if grant.client_secret else "none",
        timeout=_PATIENCE,
        trust_env=False,
        follow_redirects=False,
    )


def _asked(grant: Grant, ask: Callable[[OAuth2Client], Any]) -> dict[str, Any]:
    try:
        with _client(grant) as client:
            answer = ask(client)
    except OAuthError as error:
        raise GrantRefused(f"{error.error}: {error.description or 'no reason was given'}.") from error
    except (httpx2.HTTPError, ValueError) as error:
        raise OSError(f"the token server did not answer: {error or type(error).__name__}") from error
    if not isinstance(answer, dict) or not answer.get("access_token"):
        raise OSError("the token server's answer holds no token")
    return answer
