"""Fresh access tokens from an OAuth 2 grant, until the provider withdraws it."""

from __future__ import annotations

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


def _answer_to(grant: Grant) -> dict[str, Any]:
    client = OAuth2Client(
        client_id=grant.client_id,
        client_secret=grant.client_secret or None,
        scope=grant.scope or None,
        token_endpoint_auth_method="client_secret_post" if grant.client_secret else "none",
        timeout=_PATIENCE,
        trust_env=False,
        follow_redirects=False,
    )
    try:
        with client:
            answer = client.refresh_token(grant.token_url, refresh_token=grant.refresh_token)
    except OAuthError as error:
        raise GrantRefused(f"{error.error}: {error.description or 'no reason was given'}.") from error
    except (httpx2.HTTPError, ValueError) as error:
        raise OSError(f"the token server did not answer: {error or type(error).__name__}") from error
    if not isinstance(answer, dict) or not answer.get("access_token"):
        raise OSError("the token server's answer holds no token")
    return answer
