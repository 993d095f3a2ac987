"""/settings/account: what holds for everybody who works in the account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drumbeat.domain.account import Account, AgentsSee, UnknownMeans
from drumbeat.store import accounts
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import post, see

ACCOUNT = "/settings/account"
OTHER: dict[str, Any] = {
    "name": "Northwind <b>Lamps",
    "time_zone": "Europe/Rome",
    "locale": "it-IT",
    "postal_address": "1 Pier\r\nSpringfield",
    "sequences_enabled": [],
    "unknown_means": "sent",
    "agents_see": "own",
    "monthly_allowance": "500",
    "keep_days": "30",
}


def stored(world: World, cast: Cast) -> Account:
    with world.database.read() as snapshot:
        return accounts.get_account(snapshot, cast.us.account.id)


def test_an_admin_sees_the_account_as_it_stands_and_changes_all_of_it(owner: Browser, world: World, cast: Cast) -> None:
    page = see(owner, ACCOUNT)
    assert "Any number of letters may leave." in page.words
    assert (page.fields["name"], page.fields["time_zone"]) == ("Northwind Lamps", "Europe/Berlin")
    assert (page.fields["sequences_enabled"], page.fields["unknown_means"]) == ("on", "ask")
    page = page.press("Keep the changes", **OTHER)
    assert (page.path, page.said) == (ACCOUNT, "The account's settings are kept.")
    assert "0 letters of 500 sent; 500 may still leave." in page.words
    assert "<b>" not in page.text
    assert page.fields["postal_address"] == "1 Pier\nSpringfield"
    account = stored(world, cast)
    assert account == replace(
        account,
        name="Northwind <b>Lamps",
        time_zone="Europe/Rome",
        locale="it-IT",
        postal_address="1 Pier\nSpringfield",
        sequences_enabled=False,
        unknown_means=UnknownMeans.SENT,
        agents_see=AgentsSee.OWN,
        monthly_allowance=500,
        keep_days=30,
    )
    page = page.press("Keep the changes", monthly_allowance="0", keep_days="", postal_address="")
    assert "0 letters of 0 sent; 0 may still leave." in page.words
    account = stored(world, cast)
    assert (account.monthly_allowance, account.keep_days, account.postal_address) == (0, None, None)


def test_what_cannot_be_is_told_beside_its_field_and_nothing_changes(owner: Browser, world: World, cast: Cast) -> None:
    before, page = stored(world, cast), see(owner, ACCOUNT)
    for name, wrong in (
        ("name", ""),
        ("time_zone", "Moon/Base"),
        ("locale", "tlh"),
        ("locale", ""),
        ("postal_address", "\n".join("abcdefghijk")),
        ("unknown_means", "perhaps"),
        ("agents_see", ""),
        ("monthly_allowance", "-1"),
        ("monthly_allowance", "many"),
        ("keep_days", "0"),
        ("keep_days", "36501"),
    ):
        again = page.press("Keep the changes", **OTHER | {name: wrong})
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        kept = OTHER | {"postal_address": "1 Pier\nSpringfield", name: wrong}
        texts = ("name", "time_zone", "locale", "postal_address", "monthly_allowance", "keep_days")
        assert {each: again.fields[each] for each in texts} == {each: kept[each] for each in texts}
        assert "sequences_enabled" not in again.fields, "the box is shown as it was sent: not ticked"
    assert stored(world, cast) == before


def test_sellers_read_what_holds_and_change_none_of_it(seller: Browser, world: World, cast: Cast) -> None:
    before, page = stored(world, cast), see(seller, ACCOUNT)
    assert "Locale en-GB Postal address 1 Harbour Street, Springfield Sequences On" in page.words
    assert "Letters a month at most Any number What letters said is kept For ever" in page.words
    assert "An admin can change it." in page.words
    assert page.buttons == set()
    assert post(seller, ACCOUNT, **OTHER).status_code == 403
    assert stored(world, cast) == before


def test_the_app_is_written_as_the_account_s_locale_unless_a_user_has_another(owner: Browser, seller: Browser) -> None:
    see(owner, ACCOUNT).press("Keep the changes", monthly_allowance="12000", locale="de-de")
    assert "0 letters of 12.000 sent; 12.000 may still leave." in see(seller, ACCOUNT).words
    see(seller, "/settings/profile").press("Keep the changes", locale="en-US")
    assert "0 letters of 12,000 sent; 12,000 may still leave." in see(seller, ACCOUNT).words
    assert "12.000" in see(owner, ACCOUNT).words
    made = see(seller, "/sequences/new").press("Go on to its steps", name="Frühling")
    settings = see(seller, f"{made.path.removesuffix('/steps')}/settings")
    assert settings.fields["locale"] == "de-DE", "its letters' way out is in the account's language"


def test_an_old_tab_takes_nothing_back_that_somebody_else_changed_since(
    owner: Browser, world: World, cast: Cast
) -> None:
    old = see(owner, ACCOUNT)
    see(owner, ACCOUNT).press("Keep the changes", sequences_enabled=[], time_zone="Europe/Rome", keep_days="30")
    refused = old.press("Keep the changes", name="", postal_address="1 Pier")
    assert refused.status == 422
    refused.press("Keep the changes", name="Lamps")
    account = stored(world, cast)
    assert (account.name, account.postal_address) == ("Lamps", "1 Pier")
    assert (account.sequences_enabled, account.time_zone, account.keep_days) == (False, "Europe/Rome", 30)
