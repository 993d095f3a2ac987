from __future__ import annotations

from dataclasses import replace

from drumbeat.domain.account import Role, UnknownMeans, UserStatus
from tests.domain.runs import ACCOUNT, ACTOR


def test_only_an_active_user_may_sign_in_send_and_be_given_tasks() -> None:
    assert ACTOR.is_active
    assert not replace(ACTOR, status=UserStatus.INACTIVE).is_active


def test_a_doubt_asks_or_counts_as_sent_and_a_user_is_admin_or_agent() -> None:
    assert set(UnknownMeans) == {"ask", "sent"}
    assert set(Role) == {"admin", "agent"}
    assert set(UserStatus) == {"active", "inactive"}


def test_accounts_and_users_are_values() -> None:
    assert replace(ACCOUNT) == ACCOUNT
    assert replace(ACCOUNT, name="Rival") != ACCOUNT
    assert len({ACTOR, replace(ACTOR)}) == 1
