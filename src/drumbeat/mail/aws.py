"""Signing requests to Amazon (Signature Version 4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest


def signed(
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    host: str,
    region: str,
    api: str,
    access_key: str,
    secret_key: str,
    now: datetime,
) -> dict[str, str]:
    """The headers with those that prove who asks; `path` has no query, and needs no escaping."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    proven = {name.lower(): value for name, value in headers.items()} | {"host": host, "x-amz-date": stamp}
    names = ";".join(sorted(proven))
    lines = "".join(f"{name}:{proven[name].strip()}\n" for name in sorted(proven))
    canonical = "\n".join([method, path, "", lines, names, sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/{api}/aws4_request"
    wanted = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in (stamp[:8], region, api, "aws4_request"):
        key = digest(key, part.encode(), "sha256")
    signature = digest(key, wanted.encode(), "sha256").hex()
    proof = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "X-Amz-Date": stamp, "Authorization": proof}
