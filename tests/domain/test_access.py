"""Tokens and keys: their 64 characters, what they name, what they may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drumbeat.domain.access import (
    GRANTABLE,
    SESSION_IDLE_FOR,
    SESSION_LASTS,
    TOKEN_LENGTH,
    Credential,
    CredentialKind,
    Named,
    Scope,
    SecretKind,
    Session,
    check_scopes,
    covers,
    csrf_token,
    fingerprint,
    has_role,
    matches,
    owner_seen,
    read_credential,
    read_secret,
    sees,
    write_credential,
)
from drumbeat.domain.account import AgentsSee, Role
from drumbeat.domain.errors import IncorrectValue

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SECRET = "s" * 43

ids = st.integers(1, 2**31)
secrets = st.text(LETTERS, min_size=43, max_size=43)
kinds = st.sampled_from(CredentialKind)


@settings(max_examples=200)
@given(kinds, ids, ids, secrets)
def test_a_credential_is_64_characters_and_reads_as_what_was_written(
    kind: CredentialKind, account_id: int, id: int, secret: str
) -> None:
    text = write_credential(kind, account_id, id, secret)
    assert len(text) == TOKEN_LENGTH == 64
    assert read_credential(text) == Named(kind, account_id, id)
    assert matches(text, fingerprint(text))


@settings(max_examples=200)
@given(kinds, ids, ids, secrets, st.integers(0, 63), st.characters(exclude_categories=["Cs"]))
def test_a_changed_character_never_matches(
    kind: CredentialKind, account_id: int, id: int, secret: str, place: int, letter: str
) -> None:
    text = write_credential(kind, account_id, id, secret)
    changed = text[:place] + letter + text[place + 1 :]
    assert matches(changed, fingerprint(text)) == (changed == text)


@settings(max_examples=100)
@given(st.text(max_size=80) | secrets.map(lambda secret: f"dbt_{SECRET[:16]}_{secret}"))
def test_any_text_reads_as_a_credential_of_its_shape_or_as_none(text: str) -> None:
    named = read_credential(text)
    assert named is None or write_credential(named.kind, named.account_id, named.id, text[21:]) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f"dbt_{'0' * 16}_{SECRET[1:]}",
        f"dbt_{'0' * 16}_{SECRET}s",
        f"dbt_{'0' * 16}_{SECRET}\n",
        f"DBT_{'0' * 16}_{SECRET}",
        f"dbx_{'0' * 16}_{SECRET}",
        f"dbt_{'A' * 16}_{SECRET}",
        f"dbt_{'٣' * 16}_{SECRET}",
        f"dbt_{'0' * 16}_{'é' * 43}",
    ],
)
def test_what_has_not_the_shape_is_no_credential(text: str) -> None:
    assert read_credential(text) is None


@pytest.mark.parametrize("secret", ["", "s" * 42, "s" * 44, "s" * 42 + "=", "s" * 42 + "é", "s" * 42 + "\n"])
def test_a_secret_that_could_not_be_read_back_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="43 characters"):
        write_credential(CredentialKind.KEY, 1, 1, secret)


def test_kinds_accounts_and_ids_never_share_a_text() -> None:
    texts = {write_credential(kind, a, i, SECRET) for kind in CredentialKind for a in (1, 36) for i in (1, 36)}
    assert len(texts) == 8


def test_what_is_stored_does_not_tell_the_secret() -> None:
    text = write_credential(CredentialKind.TOKEN, 1, 1, SECRET)
    assert SECRET not in fingerprint(text)
    assert len(fingerprint(text)) == 64
    assert not matches(fingerprint(text), fingerprint(text))


@pytest.mark.parametrize(
    ("granted", "covered"),
    [
        ([], set()),
        (["read"], {Scope.READ}),
        (["write"], {Scope.WRITE}),
        (["read", "write"], {Scope.READ, Scope.WRITE}),
        (["sequences:read"], {Scope.SEQUENCES_READ}),
        (["sequences:execute"], {Scope.SEQUENCES_EXECUTE}),
        (["sequences:*"], {Scope.SEQUENCES_READ, Scope.SEQUENCES_EXECUTE}),
        (["*"], set(Scope)),
        (["sequences", "seq*", "sequences:", "*:read", "READ"], set()),
    ],
)
def test_scopes_cover_themselves_and_wildcards_their_family(granted: list[str], covered: set[Scope]) -> None:
    assert {scope for scope in Scope if covers(granted, scope)} == covered
    credential = Credential(1, 1, CredentialKind.KEY, 2, frozenset(granted))
    assert {scope for scope in Scope if credential.allows(scope)} == covered


def test_a_credential_is_valid_until_it_expires_or_is_revoked() -> None:
    credential = Credential(1, 1, CredentialKind.TOKEN, 2, frozenset({"read"}))
    assert credential.is_valid(NOON)
    expiring = replace(credential, expires_at=NOON)
    assert expiring.is_valid(NOON - timedelta(microseconds=1))
    assert not expiring.is_valid(NOON)
    assert not replace(credential, revoked_at=NOON).is_valid(NOON - timedelta(days=1))


@given(st.integers(1, 36**8 - 1), st.integers(1, 36**8 - 1), st.sampled_from(SecretKind))
def test_a_secret_names_its_account_and_id_and_is_no_credential(account_id: int, id: int, kind: SecretKind) -> None:
    text = write_credential(kind, account_id, id, "s" * 43)
    assert read_secret(kind, text) == (account_id, id)
    assert read_credential(text) is None
    others = [other for other in SecretKind if other is not kind]
    assert [read_secret(other, text) for other in others] == [None]
    assert read_secret(kind, text[:-1]) is None


def test_a_session_ends_when_it_is_idle_and_when_it_is_old() -> None:
    began = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    session = Session(1, 2, 3, 4, Role.AGENT, began, began)
    assert session.ends_at == began + SESSION_IDLE_FOR
    used = replace(session, seen_at=began + SESSION_LASTS - timedelta(hours=1))
    assert used.ends_at == began + SESSION_LASTS


def test_an_admin_may_do_what_agents_may() -> None:
    assert [(role, least) for role in Role for least in Role if not has_role(role, least)] == [(Role.AGENT, Role.ADMIN)]


def test_every_session_has_a_token_of_its_own() -> None:
    began = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    session = Session(1, 2, 3, 4, Role.AGENT, began, began)
    others = [replace(session, id=3), replace(session, account_id=2)]
    tokens = {csrf_token(b"key", each, "stored") for each in (session, *others)}
    tokens |= {csrf_token(b"other", session, "stored"), csrf_token(b"key", session, "anew")}
    assert len(tokens) == 5
    assert csrf_token(b"key", session, "stored") in tokens


def test_a_scope_that_there_is_not_is_named() -> None:
    check_scopes(GRANTABLE)
    with pytest.raises(IncorrectValue, match="There is no scope 'fly'; there is: read, write, "):
        check_scopes(["read", "fly"])


def test_agents_of_an_account_that_says_so_see_their_own_records_alone() -> None:
    seen = {(role, see): owner_seen(role, see, 7) for role in Role for see in AgentsSee}
    assert {key: by for key, by in seen.items() if by is not None} == {(Role.AGENT, AgentsSee.OWN): 7}
    assert sees(None, 8)
    assert sees(7, 7)
    assert not sees(7, 8)
    began = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    session = Session(1, 2, 7, 4, Role.AGENT, began, began, AgentsSee.OWN)
    assert session.seen_by == 7
