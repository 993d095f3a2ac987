"""What receivers look up about a sender, asked of a real name server."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drumbeat.mail.identity import Finding, Verdict, examine_identity
from drumbeat.mail.resolver import Resolver
from drumbeat.mail.session import Security
from drumbeat.testing.nameserver import NameServer

SENDER, HOST = "olive@Tea.example", "smtp.tea.example"
DER = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
GOOD = rsa.generate_private_key(65537, 2048).public_key().public_bytes(*DER)


@pytest.fixture
def server() -> Iterator[NameServer]:
    """A name server that knows a sender with whom nothing is wrong."""
    with NameServer() as server:
        server.records = {
            ("tea.example", "TXT"): [
                '"site-verification=abc"', '"v=spf1 ip4:192.0.2.0/24 " "include:_spf.host.example ~all"'
            ],
            ("_spf.host.example", "TXT"): ['"v=spf1 ip4:198.51.100.7 -all"'],
            ("tea.example", "MX"): ["20 mx2.tea.example.", "10 mx.tea.example."],
            ("_dmarc.tea.example", "TXT"): ['"v=DMARC1; p=none; rua=mailto:d@tea.example"'],
            ("s1._domainkey.tea.example", "TXT"): [dkim(GOOD)],
            (HOST, "A"): ["192.0.2.9"],
            ("9.2.0.192.in-addr.arpa", "PTR"): ["smtp.tea.example."],
        }  # fmt: skip
        yield server


def dkim(key: bytes, *more: str) -> str:
    """A key record, in parts of 255 octets as servers have it."""
    text = "; ".join(("v=DKIM1", *more, f"p={base64.b64encode(key).decode()}"))
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


def examined(server: NameServer, **more: str) -> dict[str, Finding]:
    lookup = Resolver(server.address)
    return {each.subject: each for each in examine_identity(SENDER, HOST, Security.TLS, lookup, **more)}  # type: ignore[arg-type]


def test_a_sender_with_whom_nothing_is_wrong(server: NameServer) -> None:
    found = examined(server)
    assert list(found) == ["SPF", "DKIM", "DMARC", "mail that comes back", "PTR", "TLS"]
    assert {each.verdict for each in found.values()} == {Verdict.FINE}
    assert all(each.fix is None for each in found.values())
    assert found["DKIM"].sentence == "A DKIM key is at s1._domainkey.tea.example."
    assert found["mail that comes back"].sentence == "tea.example takes mail at mx.tea.example."


def test_a_domain_that_publishes_nothing_is_told_what_to_publish(server: NameServer) -> None:
    server.records = {(HOST, "A"): ["192.0.2.9"]}
    found = examined(server)
    assert {name: each.verdict for name, each in found.items()} == {
        "SPF": Verdict.WRONG,
        "DKIM": Verdict.DOUBTFUL,
        "DMARC": Verdict.WRONG,
        "mail that comes back": Verdict.WRONG,
        "PTR": Verdict.DOUBTFUL,
        "TLS": Verdict.FINE,
    }
    assert 'TXT record for tea.example such as "v=spf1' in (found["SPF"].fix or "")
    assert "TXT record for _dmarc.tea.example" in (found["DMARC"].fix or "")


SPF = [
    (["v=spf1 include:_spf.host.example ~all"], Verdict.DOUBTFUL, "does not name smtp.tea.example itself"),
    (["v=spf1 a:smtp.tea.example -all"], Verdict.FINE, "lets smtp.tea.example send"),
    (["v=spf1 mx -all"], Verdict.DOUBTFUL, "does not name"),
    (["v=spf1 redirect=_spf.ours.example"], Verdict.FINE, "lets"),
    (["v=spf1 -ip4:192.0.2.9 ip6:2001:db8::/32 ip4:nonsense ?all"], Verdict.DOUBTFUL, "does not name"),
    (["v=spf1 ip4:192.0.2.9 +all"], Verdict.WRONG, "anybody"),
    (["v=spf1 ip4:192.0.2.9 all"], Verdict.WRONG, "anybody"),
    (["v=spf1 -all", "v=spf1 ~all"], Verdict.WRONG, "2 SPF records"),
    (["v=spf1 include:nobody.example -all"], Verdict.WRONG, "nobody.example, which has no SPF record"),
    (["v=spf1 " + " ".join(f"a:h{n}.example" for n in range(11)) + " -all"], Verdict.WRONG, "needs 11 look-ups"),
    (["v=spf1 include:loop.example -all"], Verdict.DOUBTFUL, "does not name"),
    (["v=spf1 include:%{i}.host.example ip4:192.0.2.9"], Verdict.FINE, "lets"),
    (["v=spf10 -all"], Verdict.WRONG, "does not say which servers"),
]


@pytest.mark.parametrize(("records", "verdict", "said"), SPF)
def test_spf_is_read_as_receivers_read_it(server: NameServer, records: list[str], verdict: Verdict, said: str) -> None:
    server.records["tea.example", "TXT"] = [f'"{record}"' for record in records]
    server.records["_spf.ours.example", "TXT"] = ['"v=spf1 ip4:192.0.2.9"']
    server.records["loop.example", "TXT"] = ['"v=spf1 include:loop.example -all"']
    found = examined(server)["SPF"]
    assert found.verdict is verdict
    assert said in found.sentence
    assert (found.fix is None) is (verdict is Verdict.FINE)


DKIM = [
    (rsa.generate_private_key(65537, 1024).public_key().public_bytes(*DER), (), Verdict.DOUBTFUL, "1024 bits"),
    (b"", (), Verdict.WRONG, "revoked"),
    (b"nonsense", (), Verdict.WRONG, "cannot be read"),
    (ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*DER), (), Verdict.WRONG, "cannot be read"),
    (
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
        ("k=ed25519",), Verdict.FINE, "s1._domainkey",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "more", "verdict", "said"), DKIM, ids=["short", "revoked", "nonsense", "of a curve", "ed25519"]
)
def test_a_key_is_measured(server: NameServer, key: bytes, more: tuple[str, ...], verdict: Verdict, said: str) -> None:
    server.records["s1._domainkey.tea.example", "TXT"] = [dkim(key, *more)]
    found = examined(server)["DKIM"]
    assert (found.verdict, said in found.sentence) == (verdict, True)


def test_a_key_too_short_for_anybody_is_wrong(server: NameServer) -> None:
    # A 512-bit key, made elsewhere: the library makes none any more.
    short = (
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL7Qv6aLk3xPqcGZ0wHnGVmWgHkRXqk0zj3o1qzqk0c3Xb3mQ0sVf1a9cPp1b0h9"
        "mJXwXhE8sV6S0mC1l2kq0RkCAwEAAQ=="
    )
    server.records["s1._domainkey.tea.example", "TXT"] = [f'"p={short}"']
    assert examined(server)["DKIM"].verdict is Verdict.WRONG


def test_a_named_selector_is_looked_at_alone(server: NameServer) -> None:
    found = examined(server, selector="other")["DKIM"]
    assert found == Finding(
        "DKIM", Verdict.WRONG, "There is no DKIM key at other._domainkey.tea.example.", "Publish it there."
    )


@pytest.mark.parametrize(
    ("records", "verdict", "said"),
    [
        ({"_dmarc.tea.example": ["v=DMARC1; p=reject; adkim=s"]}, Verdict.FINE, "asks receivers for reject"),
        ({"_dmarc.tea.example": ["v=DMARC1; rua=mailto:a@b.example"]}, Verdict.WRONG, "names no policy"),
        ({"_dmarc.tea.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, Verdict.WRONG, "2 DMARC records"),
        ({"_dmarc.tea.example": ["something else"]}, Verdict.WRONG, "has no DMARC policy"),
    ],
)
def test_dmarc_is_one_policy(server: NameServer, records: dict[str, list[str]], verdict: Verdict, said: str) -> None:
    for name, texts in records.items():
        server.records[name, "TXT"] = [f'"{text}"' for text in texts]
    found = examined(server)["DMARC"]
    assert (found.verdict, said in found.sentence) == (verdict, True)


def test_the_policy_of_the_domain_above_counts(server: NameServer) -> None:
    lookup = Resolver(server.address)
    found = {f.subject: f for f in examine_identity("o@news.eu.tea.example", HOST, Security.TLS, lookup)}
    assert found["DMARC"].verdict is Verdict.FINE
    assert "tea.example asks" in found["DMARC"].sentence


@pytest.mark.parametrize(("records", "verdict"), [(["0 ."], Verdict.WRONG), ([], Verdict.FINE)])
def test_mail_comes_back_to_a_null_mx_never_and_to_a_mere_address_too(
    server: NameServer, records: list[str], verdict: Verdict
) -> None:
    server.records["tea.example", "MX"] = records
    server.records["tea.example", "A"] = ["192.0.2.1"]
    assert examined(server)["mail that comes back"].verdict is verdict


def test_a_server_s_name_leads_back_to_it(server: NameServer) -> None:
    server.records["9.2.0.192.in-addr.arpa", "PTR"] = ["elsewhere.example."]
    assert examined(server)["PTR"].verdict is Verdict.DOUBTFUL
    del server.records[HOST, "A"]
    assert examined(server)["PTR"].verdict is Verdict.WRONG
    lookup = Resolver(server.address)
    found = {f.subject: f for f in examine_identity(SENDER, "192.0.2.9", Security.NONE, lookup)}
    assert found["PTR"].verdict is Verdict.DOUBTFUL
    assert found["TLS"].verdict is Verdict.DOUBTFUL


def test_a_dns_that_fails_is_told_and_nothing_is_called_wrong_for_it(server: NameServer) -> None:
    server.failing = {name for name, _ in server.records} | {"default._domainkey.tea.example"}
    found = examined(server)
    assert {found[name].verdict for name in ("SPF", "DKIM", "DMARC", "PTR")} == {Verdict.UNKNOWN}
    assert "The DNS did not answer: TXT of tea.example" in found["SPF"].sentence


def test_a_look_that_takes_too_long_asks_nothing_more(server: NameServer) -> None:
    now = iter(range(0, 10_000, 29))
    lookup = Resolver(server.address, monotonic=lambda: float(next(now)))
    found = list(examine_identity(SENDER, HOST, Security.TLS, lookup))
    assert len(server.asked) == 2
    assert "no time is left" in found[1].sentence
    assert {each.verdict for each in found[1:5]} == {Verdict.UNKNOWN}
