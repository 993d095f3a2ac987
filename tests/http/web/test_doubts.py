"""Letters in doubt are listed, those of finished enrollments too, and lead to where one decides."""

from __future__ import annotations

from collections.abc import Callable

from drumbeat.domain.account import AgentsSee
from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import see


def doubted(world: World, cast: Cast, lead: Person) -> int:
    """An enrollment of the seller's, whose letter nobody knows the fate of."""
    us = cast.us

    def work(tx: Tx) -> int:
        request = EnrollRequest(us.letters.id, PersonKind.LEAD, lead.id)
        made = enroll(tx, world.hash_key, us.account.id, us.seller.id, request)
        tx.run(
            Statement("""
                INSERT INTO deliveries (account_id, enrollment_id, position, attempt, status, mailbox_id, address_hash,
                    frozen, composer, claimed_at, transmitting_at)
                VALUES (:a, :e, 0, 0, 'unknown', :m, 'h', '{}', 1, 0, 0)
            """),
            a=us.account.id,
            e=made.id,
            m=us.seller.mailbox_id,
        )
        return made.id

    return world.database.transact(work)


def test_none_is_told(owner: Browser) -> None:
    assert "No letter is in doubt" in see(owner, "/doubts").words
    assert "in doubt" not in see(owner, "/today").words


def test_a_doubt_leads_to_its_enrollment(
    owner: Browser, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    id = doubted(world, cast, new_lead())
    assert f'href="/enrollments/{id}"' in see(owner, "/doubts").text
    assert "1 letter in doubt" in see(owner, "/today").words


def test_sellers_who_see_their_own_alone_see_nobody_else_s(
    seller: Browser, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    id = doubted(world, cast, new_lead())
    world.database.transact(
        lambda tx: tx.run(
            Statement("UPDATE accounts SET agents_see = :own WHERE id = :a"),
            own=AgentsSee.OWN.value,
            a=cast.us.account.id,
        )
    )
    assert f'href="/enrollments/{id}"' in see(seller, "/doubts").text
    world.database.transact(
        lambda tx: tx.run(
            Statement("UPDATE enrollments SET actor_id = :o WHERE account_id = :a AND id = :e"),
            o=cast.us.owner.id,
            a=cast.us.account.id,
            e=id,
        )
    )
    assert f'href="/enrollments/{id}"' not in see(seller, "/doubts").text


def test_any_number_of_doubts_is_listed_page_by_page(
    owner: Browser, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    ids = [doubted(world, cast, new_lead(f"lead{number}@customer.example")) for number in range(51)]
    first, second = see(owner, "/doubts").text, see(owner, f"/doubts?after={ids[49]}").text
    assert f'href="/enrollments/{ids[0]}"' in first
    assert f'href="/doubts?after={ids[49]}">Next page</a>' in first
    assert f'href="/enrollments/{ids[50]}"' not in first
    assert f'href="/enrollments/{ids[50]}"' in second
    assert f'href="/enrollments/{ids[49]}"' not in second
    assert 'href="/doubts">First page</a>' in second
