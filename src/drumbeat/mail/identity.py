"""The identity pre-flight: what receivers look up about a sender, and what to publish where it is missing."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from drumbeat.mail.compose import ascii_address
from drumbeat.mail.session import Security

_MOST_LOOKUPS: Final = 10  # RFC 7208, section 4.6.4
_USUAL_SELECTORS: Final = (
    "default", "dkim", "google", "k1", "k2", "mail", "mandrill", "pm", "resend", "s1", "s2", "selector1", "selector2",
    "smtp", "smtpapi", "zoho",
)  # fmt: skip
_LEAST_BITS, _WANTED_BITS = 1024, 2048


class Lookup(Protocol):
    """What is asked of the DNS; an empty answer means that there is nothing, LookupError that nobody knows."""

    def txt(self, name: str) -> Sequence[str]:
        """Text records, each as one text."""

    def mx(self, name: str) -> Sequence[str]:
        """Mail servers, best first; `.` says that no mail is taken."""

    def addresses(self, name: str) -> Sequence[str]:
        """IP addresses."""

    def names(self, address: str) -> Sequence[str]:
        """Names of an IP address (PTR)."""


class Verdict(StrEnum):
    """Whether receivers will be content, may frown, or will refuse or file letters away; or nobody could be asked."""

    FINE = "fine"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing receivers look up, and the fix where it is not as they want it."""

    subject: str
    verdict: Verdict
    sentence: str
    fix: str | None = None


def examine_identity(
    sender_email: str, host: str | None, security: Security, lookup: Lookup, *, selector: str | None = None
) -> Iterator[Finding]:
    """What receivers find about letters from this address that leave by this server, most important first.

    Without a host they leave by a provider's own servers, which nobody but the provider can correct.
    """
    domain = ascii_address(sender_email, "sender").rpartition("@")[2].lower()
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("SPF", lambda: _spf(domain, host, lookup)),
        ("DKIM", lambda: _dkim(domain, lookup, selector)),
        ("DMARC", lambda: _dmarc(domain, lookup)),
        ("mail that comes back", lambda: _mx(domain, lookup)),
    )
    if host is not None:
        checks += ("PTR", lambda: _ptr(host, lookup)), ("TLS", lambda: _tls(host, security))
    for subject, check in checks:
        try:
            yield check()
        except LookupError as error:
            yield Finding(subject, Verdict.UNKNOWN, f"The DNS did not answer: {error}.", "Try again later.")


def _spf(domain: str, host: str | None, lookup: Lookup) -> Finding:
    records = [text for text in lookup.txt(domain) if _is_spf(text)]
    if not records:
        fix = f'Publish a TXT record for {domain} such as "v=spf1 include:your-provider ~all".'
        return Finding("SPF", Verdict.WRONG, f"{domain} does not say which servers send for it.", fix)
    if len(records) > 1:
        return Finding("SPF", Verdict.WRONG, f"{domain} has {len(records)} SPF records.", "Merge them into one.")
    walk = _SpfWalk(lookup)
    walk.read(domain, records[0])
    if walk.looked_up > _MOST_LOOKUPS:
        sentence = f"The SPF record of {domain} needs {walk.looked_up} look-ups, and receivers make {_MOST_LOOKUPS}."
        return Finding("SPF", Verdict.WRONG, sentence, "Take out what you do not send with.")
    if walk.broken:
        return Finding("SPF", Verdict.WRONG, f"The SPF record of {domain} is broken: {walk.broken}.", "Correct it.")
    last = _all_of(records[0])
    if last == "+":
        return Finding("SPF", Verdict.WRONG, f"{domain} lets anybody send for it (+all).", "End it with ~all or -all.")
    if host is None:
        return Finding("SPF", Verdict.FINE, f"{domain} says which servers send for it.")
    allowed = [address for address in lookup.addresses(host) if walk.allows(address)]
    if not allowed:
        sentence = f"The SPF record of {domain} does not name {host} itself."
        return Finding("SPF", Verdict.DOUBTFUL, sentence, "See that it includes what your provider tells you to.")
    return Finding("SPF", Verdict.FINE, f"{domain} lets {host} send for it.")


def _is_spf(text: str) -> bool:
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def _all_of(record: str) -> str | None:
    """The qualifier of `all`: what becomes of servers that are not named."""
    for term in record.lower().split()[1:]:
        if term.lstrip("+-~?") == "all":
            return term[0] if term[0] in "+-~?" else "+"
    return None


class _SpfWalk:
    """Reads an SPF record with everything it includes, as RFC 7208 counts it."""

    def __init__(self, lookup: Lookup) -> None:
        self.looked_up = 0
        self.broken: str | None = None
        self._lookup = lookup
        self._networks: list[str] = []
        self._seen: set[str] = set()

    def read(self, domain: str, record: str) -> None:
        """Take in one record."""
        self._seen.add(domain)
        for term in record.split()[1:]:
            if self.looked_up > _MOST_LOOKUPS:
                return
            self._term(domain, term)

    def _term(self, domain: str, term: str) -> None:
        qualifier, bare = (term[0], term[1:]) if term[:1] in "+-~?" else ("+", term)
        name = re.split(r"[:=/]", bare, maxsplit=1)[0].lower()
        argument = bare[len(name) :].lstrip(":=")
        if name in ("ip4", "ip6"):
            if qualifier == "+":
                self._networks.append(argument)
        elif name in ("include", "redirect"):
            self._include(argument.lower())
        elif name in ("a", "mx", "exists", "ptr"):
            self.looked_up += 1
            if name in ("a", "mx") and qualifier == "+":
                self._hosts(name, argument.partition("/")[0].lower() or domain)

    def _include(self, target: str) -> None:
        self.looked_up += 1
        if target in self._seen or "%" in target or self.looked_up > _MOST_LOOKUPS:
            return
        records = [text for text in self._lookup.txt(target) if _is_spf(text)]
        if len(records) != 1:
            self.broken = f"it includes {target}, which has {len(records) or 'no'} SPF record"
            return
        self.read(target, records[0])

    def _hosts(self, kind: str, name: str) -> None:
        hosts = self._lookup.mx(name)[:10] if kind == "mx" else [name]
        self._networks += [address for host in hosts for address in self._lookup.addresses(host)]

    def allows(self, address: str) -> bool:
        """Whether a server at this address is named."""
        found = ip_address(address)
        for text in self._networks:
            try:
                network = ip_network(text, strict=False)
            except ValueError:
                continue
            if found.version == network.version and found in network:
                return True
        return False


def _dkim(domain: str, lookup: Lookup, selector: str | None) -> Finding:
    if selector is None:
        found = [each for each in _USUAL_SELECTORS if _keys(each, domain, lookup)]
        if not found:
            sentence = f"No DKIM key of {domain} is at a usual place, and where yours is only your provider knows."
            return Finding("DKIM", Verdict.DOUBTFUL, sentence, "Write to yourself, and look for dkim=pass.")
        selector = found[0]
    keys = _keys(selector, domain, lookup)
    place = f"{selector}._domainkey.{domain}"
    if not keys:
        return Finding("DKIM", Verdict.WRONG, f"There is no DKIM key at {place}.", "Publish it there.")
    bits = _bits(keys[0])
    if bits is None:
        return Finding(
            "DKIM", Verdict.WRONG, f"The DKIM key at {place} is revoked or cannot be read.", "Publish it anew."
        )
    if bits < _LEAST_BITS:
        sentence = f"The DKIM key at {place} has {bits} bits, which receivers ignore."
        return Finding("DKIM", Verdict.WRONG, sentence, f"Make one of {_WANTED_BITS} bits.")
    if bits < _WANTED_BITS:
        sentence = f"The DKIM key at {place} has {bits} bits."
        return Finding("DKIM", Verdict.DOUBTFUL, sentence, f"Make one of {_WANTED_BITS} bits.")
    return Finding("DKIM", Verdict.FINE, f"A DKIM key is at {place}.")


def _keys(selector: str, domain: str, lookup: Lookup) -> list[str]:
    return [text for text in lookup.txt(f"{selector}._domainkey.{domain}") if re.search(r"(?:^|;)\s*p=", text)]


def _bits(record: str) -> int | None:
    """How strong the published key is, an Ed25519 one as an RSA one of the wanted size; None if it is none."""
    tags = _tags(record)
    try:
        key = base64.b64decode(re.sub(r"\s", "", tags.get("p", "")), validate=True)
        if tags.get("k", "rsa") == "ed25519":
            return _WANTED_BITS if len(key) == 32 else None
        public = load_der_public_key(key)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return public.key_size if isinstance(public, RSAPublicKey) else None


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _dmarc(domain: str, lookup: Lookup) -> Finding:
    for name in _upwards(domain):
        records = [text for text in lookup.txt(f"_dmarc.{name}") if re.match(r"v=DMARC1\s*(;|$)", text)]
        if len(records) > 1:
            sentence = f"_dmarc.{name} has {len(records)} DMARC records, so receivers read none."
            return Finding("DMARC", Verdict.WRONG, sentence, "Leave one.")
        if records:
            return _policy(name, _tags(records[0]))
    fix = f'Publish a TXT record for _dmarc.{domain} such as "v=DMARC1; p=none; rua=mailto:you@{domain}".'
    return Finding("DMARC", Verdict.WRONG, f"{domain} has no DMARC policy, which large receivers ask of senders.", fix)


def _upwards(domain: str) -> list[str]:
    """The domain and those above it, the public suffix left out as far as that shows."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(max(len(labels) - 1, 1))]


def _policy(name: str, tags: dict[str, str]) -> Finding:
    policy = tags.get("p", "").lower()
    if policy not in ("none", "quarantine", "reject"):
        return Finding("DMARC", Verdict.WRONG, f"The DMARC record of {name} names no policy.", "Write p=none at least.")
    sentence = f"{name} asks receivers for {policy} where neither SPF nor DKIM fits the sender."
    return Finding("DMARC", Verdict.FINE, sentence)


def _mx(domain: str, lookup: Lookup) -> Finding:
    subject, servers = "mail that comes back", lookup.mx(domain)
    if "." in servers or not (servers or lookup.addresses(domain)):
        sentence = f"{domain} takes no mail, so replies and bounces get lost."
        return Finding(subject, Verdict.WRONG, sentence, "Send from a domain that takes mail, or publish an MX record.")
    return Finding(subject, Verdict.FINE, f"{domain} takes mail at {servers[0] if servers else domain}.")


def _ptr(host: str, lookup: Lookup) -> Finding:
    addresses = lookup.addresses(host)
    if not addresses:
        return Finding("PTR", Verdict.WRONG, f"{host} has no address.", "Correct the mailbox's server.")
    for address in addresses:
        names = lookup.names(address)
        if not any(address in lookup.addresses(name) for name in names):
            sentence = f"{address} of {host} has no name that leads back to it, which receivers hold against a server."
            return Finding("PTR", Verdict.DOUBTFUL, sentence, "Ask whoever runs that server for a PTR record.")
    return Finding("PTR", Verdict.FINE, f"{host} has names that lead back to it.")


def _tls(host: str, security: Security) -> Finding:
    if security is Security.NONE:
        sentence = f"Letters go to {host} in plain text."
        return Finding("TLS", Verdict.DOUBTFUL, sentence, "Set the mailbox's security to starttls or tls.")
    return Finding("TLS", Verdict.FINE, f"Letters go to {host} encrypted, and its certificate is checked.")
