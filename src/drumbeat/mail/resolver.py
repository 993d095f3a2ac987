"""What the identity pre-flight asks of the real DNS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.resolver
import dns.reversename

_PATIENCE = 5.0  # seconds for a question, with its second tries
_PATIENCE_FOR_ALL = 30.0  # from the first question on


class Resolver:
    """Asks a DNS server (address, or address:port), else the system's; a question nobody answers is LookupError.

    For one look at a sender: after half a minute it asks nothing more.
    """

    def __init__(self, server: str = "", *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends_at: float | None = None
        self._resolver = dns.resolver.Resolver(configure=not server)
        if server:
            address, _, port = server.partition(":") if server.count(":") == 1 else (server, "", "")
            self._resolver.nameservers = [address]
            self._resolver.port = int(port or 53)

    def txt(self, name: str) -> Sequence[str]:
        """Text records, each as one text."""
        return [b"".join(record.strings).decode("utf-8", "replace") for record in self._ask(name, "TXT")]

    def mx(self, name: str) -> Sequence[str]:
        """Mail servers, best first."""
        records = sorted(self._ask(name, "MX"), key=lambda record: (record.preference, str(record.exchange)))
        return [str(record.exchange).rstrip(".").lower() or "." for record in records]

    def addresses(self, name: str) -> Sequence[str]:
        """IPv4 and IPv6 addresses; an address is its own."""
        if _is_address(name):
            return [name]
        return [str(record.address) for kind in ("A", "AAAA") for record in self._ask(name, kind)]

    def names(self, address: str) -> Sequence[str]:
        """Names of an address."""
        pointer = dns.reversename.from_address(address).to_text()
        return [str(record.target).rstrip(".").lower() for record in self._ask(pointer, "PTR")]

    def _ask(self, name: str, kind: str) -> Sequence[Any]:
        now = self._monotonic()
        self._ends_at = self._ends_at or now + _PATIENCE_FOR_ALL
        if now >= self._ends_at:
            raise LookupError(f"{kind} of {name}: no time is left to ask")
        try:
            patience = min(_PATIENCE, self._ends_at - now)
            return list(self._resolver.resolve(name, kind, lifetime=patience, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise LookupError(f"{kind} of {name}: {str(error).rstrip('.') or type(error).__name__}") from error


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
