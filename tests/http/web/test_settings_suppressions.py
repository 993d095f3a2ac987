"""/settings/suppressions: addresses that nothing is sent to, looked at, added to and lifted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from drumbeat.domain.account import AgentsSee, User
from drumbeat.domain.person import Person, address_hash
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.store import accounts, unsubscribes
from drumbeat.testing.cast import Cast, Company
from drumbeat.wiring import World
from tests.http.conftest import Api, Browser
from tests.http.web.settings import post, said, see

SUPPRESSIONS = "/settings/suppressions"
LENA = "lena@customer.example"


def is_suppressed(world: World, company: Company, email: str) -> bool:
    hashed = address_hash(world.hash_key, company.account.id, email)
    with world.database.read() as snapshot:
        return unsubscribes.is_suppressed(snapshot, company.account.id, hashed)


def count(world: World, company: Company) -> int:
    with world.database.read() as snapshot:
        return len(unsubscribes.list_suppressed(snapshot, company.account.id, "", 1000))


def test_addresses_are_suppressed_and_listed_with_what_is_known_of_them(
    owner: Browser, api: Api, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    whom = {"resource_type": "lead", "resource_id": new_lead(LENA).id, "sequence_id": cast.us.letters.id}
    assert api("POST", "/v2/sequence_enrollments", {"data": whom}).status_code == 200
    page = see(owner, SUPPRESSIONS)
    assert "None yet" in page.words
    page = page.press("Suppress them", emails=f"{LENA}\r\n\r\nnobody\r\n ada@x.example ")
    told = "Nothing is sent to 2 addresses any more. 1 enrollment ended. What stands here is no address."
    assert (page.status, page.complaints["emails"], page.fields["emails"]) == (422, told, "nobody")
    assert f"{LENA} Suppressed today 11:00 by hand" in page.words
    assert "Nobody here has it" in page.words
    assert "ada@x.example" not in page.text
    assert is_suppressed(world, cast.us, LENA)
    assert is_suppressed(world, cast.us, "ada@x.example")
    page = page.press("Suppress them", emails="bob@x.example")
    assert (page.path, page.said) == (SUPPRESSIONS, "Nothing is sent to 1 address any more.")
    assert page.press("Suppress them", emails=LENA).said == "1 address was suppressed before."


def test_what_is_no_list_of_addresses_is_told_beside_it_and_kept(owner: Browser, world: World, cast: Cast) -> None:
    page = see(owner, SUPPRESSIONS)
    for wrong, complaint in (
        (" ", "Write at least one address."),
        ("nobody", "What stands here is no address."),
        ("a\nb\nc\nd\ne\nf\ng", "What stands here is no address."),
        ("\n".join(f"a{n}@x.example" for n in range(1001)), "Write at most 1,000 addresses at once."),
    ):
        again = page.press("Suppress them", emails=wrong)
        assert (again.status, again.complaints) == (422, {"emails": complaint})
        assert again.fields["emails"] == wrong
    assert count(world, cast.us) == 0


def test_a_long_list_is_shown_in_pages(owner: Browser) -> None:
    post(owner, SUPPRESSIONS, emails="\n".join(f"a{n}@x.example" for n in range(30)))
    first = see(owner, SUPPRESSIONS)
    assert first.words.count("Nobody here has it") == 25
    found = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert found
    second = see(owner, found[1])
    assert second.words.count("Nobody here has it") == 5
    assert "First page" in second.words
    assert "Next page" not in second.words
    assert "There are no more." in see(owner, f"{SUPPRESSIONS}?after=zz").words


def test_an_address_is_lifted_and_undo_suppresses_it_again(
    owner: Browser, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    new_lead(LENA)
    post(owner, SUPPRESSIONS, emails=LENA)
    page = see(owner, f"{SUPPRESSIONS}?after=0").press(f"Lift {LENA}")
    assert (page.path, page.said) == (SUPPRESSIONS, f"{LENA} may be written to again.")
    assert not is_suppressed(world, cast.us, LENA)
    page = page.press("Suppress it again")
    assert page.said == "Nothing is sent to that address any more."
    assert is_suppressed(world, cast.us, LENA)
    assert page.press("Lift it", email="LENA@customer.example").said == "LENA@customer.example may be written to again."
    for email, told in ((LENA, f"{LENA} was not suppressed."), ("nobody", "An email address must have an @-sign.")):
        again = see(owner, SUPPRESSIONS).press("Lift it", email=email)
        assert (again.path, again.refused) == (SUPPRESSIONS, told)


def test_lifting_leads_to_no_other_site(owner: Browser) -> None:
    own = f"{SUPPRESSIONS}?after=0"
    for back, leads_to in (
        (own, own),
        ("https://evil.example", SUPPRESSIONS),
        ("//evil.example", SUPPRESSIONS),
        ("/\\evil.example", SUPPRESSIONS),
        ("/中", SUPPRESSIONS),
        ("", SUPPRESSIONS),
    ):
        answer = post(owner, f"{SUPPRESSIONS}/lift", email=LENA, back=back)
        assert answer.headers["location"] == leads_to


def test_sellers_add_to_the_list_and_neither_see_it_nor_lift_what_is_on_it(
    owner: Browser, seller: Browser, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    new_lead(LENA)
    page = see(seller, SUPPRESSIONS).press("Suppress them", emails=LENA)
    assert page.said == "Nothing is sent to 1 address any more."
    assert LENA not in page.text
    assert page.buttons == {"Suppress them"}
    assert post(seller, f"{SUPPRESSIONS}/lift", email=LENA).status_code == 403
    assert is_suppressed(world, cast.us, LENA)
    account = replace(cast.us.account, agents_see=AgentsSee.OWN)
    world.database.transact(lambda tx: accounts.save_account(tx, account))
    assert seller("GET", SUPPRESSIONS).status_code == 403
    assert post(seller, SUPPRESSIONS, emails="ada@x.example").status_code == 403
    assert count(world, cast.us) == 1


def test_another_account_s_list_is_its_own(owner: Browser, world: World, cast: Cast) -> None:
    rival = cast.rival.account.id
    hashed = address_hash(world.hash_key, rival, LENA)
    world.database.transact(lambda tx: unsubscribes.suppress(tx, rival, hashed, Suppression.COMPLAINED, "a complaint"))
    assert "None yet" in see(owner, SUPPRESSIONS).words
    assert said(post(owner, f"{SUPPRESSIONS}/lift", email=LENA)).wrong
    assert is_suppressed(world, cast.rival, LENA)
    assert not is_suppressed(world, cast.us, LENA)


def test_nobody_puts_back_what_another_account_lifted_or_what_was_not_lifted(
    owner: Browser, sign_in: Callable[[User], Browser], world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    new_lead(LENA)
    post(owner, SUPPRESSIONS, emails=LENA)
    lifted = said(post(owner, f"{SUPPRESSIONS}/lift", email=LENA)).undo
    assert lifted is not None
    rival = sign_in(cast.rival.owner)
    assert said(post(rival, f"{SUPPRESSIONS}/restore", **lifted.fields)).wrong
    assert said(post(owner, f"{SUPPRESSIONS}/restore", note="999")).wrong
    assert not is_suppressed(world, cast.us, LENA)
    assert count(world, cast.rival) == 0
    assert not said(post(owner, f"{SUPPRESSIONS}/restore", **lifted.fields)).wrong
    assert is_suppressed(world, cast.us, LENA)
