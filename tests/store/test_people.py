from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.store import people, person_pages, unsubscribes
from drumbeat.store.pages import Place
from drumbeat.store.person_pages import Sought
from drumbeat.store.transaction import BrokenRule, Tx
from tests.store.tenants import Tenant, person

LEAD, CONTACT = PersonKind.LEAD, PersonKind.CONTACT
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


class TestKeeping:
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(first=st.none() | words, title=st.none() | words, custom=st.dictionaries(words, words | st.integers()))
    def test_a_person_comes_back_as_they_were_stored(
        self, tx: Tx, us: Tenant, first: str | None, title: str | None, custom: dict[str, object]
    ) -> None:
        stored = person(
            us,
            tx.now,
            7,
            first_name=first,
            title=title,
            time_zone="UTC",
            custom={k: v for k, v in custom.items() if not isinstance(v, int) or abs(v) < 2**63},
            mobile=title,
            status=first,
            source_id=2,
            is_organization=True,
            organization_id=3,
            details={"tags": ["a", "b"], "address": {"city": title}},
        )
        people.delete(tx, stored)
        people.add(tx, [stored])
        assert people.get(tx, us.account_id, CONTACT, 7) == stored

    def test_leads_and_contacts_have_ids_of_their_own(self, tx: Tx, us: Tenant) -> None:
        contact, lead = person(us, tx.now), person(us, tx.now, kind=LEAD, first_name="Lena")
        people.add(tx, [contact, lead])
        assert people.find_many(tx, us.account_id, [(LEAD, 1), (CONTACT, 1), (LEAD, 2)]) == {
            (CONTACT, 1): contact,
            (LEAD, 1): lead,
        }

    def test_an_id_is_given_once_per_kind(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [person(us, tx.now)])
        with pytest.raises(BrokenRule):
            people.add(tx, [person(us, tx.now)])

    def test_a_change_keeps_who_made_it_and_when(self, tx: Tx, us: Tenant) -> None:
        before = person(us, tx.now)
        people.add(tx, [before])
        later = tx.now + timedelta(hours=1)
        changed = person(us, tx.now, first_name="Bea", email=None, address_hash=None, updated_at=later)
        people.save(tx, before, structs.replace(changed, creator_id=99, created_at=later))
        assert people.get(tx, us.account_id, CONTACT, 1) == changed

    def test_somebody_is_found_by_what_they_have_now_and_no_longer_once_gone(self, tx: Tx, us: Tenant) -> None:
        def found(field: str, value: str) -> list[int]:
            sought = Sought(CONTACT, values={field: value})
            return [person.id for person in person_pages.list_page(tx, us.account_id, sought, Place(9))]

        ada = person(us, tx.now, custom={"tea": "green"}, details={"address": {"city": "London"}})
        people.add(tx, [ada])
        assert found("custom.tea", "green") == found("address.city", "London") == [1]
        before, ada = ada, structs.replace(ada, custom={"tea": "black"})
        people.save(tx, before, ada)
        assert (found("custom.tea", "green"), found("custom.tea", "black")) == ([], [1])
        people.delete(tx, ada)
        people.add(tx, [structs.replace(ada, custom={})])
        assert found("custom.tea", "black") == []

    def test_one_that_is_not_there_is_not_found(self, tx: Tx, us: Tenant) -> None:
        assert people.find(tx, us.account_id, LEAD, 1) is None
        with pytest.raises(NotFound, match="no lead 1"):
            people.get(tx, us.account_id, LEAD, 1)

    def test_they_are_listed_a_page_at_a_time(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [person(us, tx.now, id) for id in (3, 1, 2)] + [person(us, tx.now, kind=LEAD)])
        assert [p.id for p in people.list_all(tx, us.account_id, CONTACT, 0, 2)] == [1, 2]
        assert [p.id for p in people.list_all(tx, us.account_id, CONTACT, 2, 2)] == [3]


class TestAddresses:
    def test_an_address_means_the_first_contact_that_was_named(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [person(us, tx.now, id, address_hash="h") for id in (1, 2)])
        people.name_contacts(tx, us.account_id, [("h", 1)])
        people.name_contacts(tx, us.account_id, [("h", 2)])
        assert [row[1] for row in people.contacts_by_address(tx, us.account_id, ["h"])] == [1]

    def test_a_contact_made_for_an_address_that_somebody_else_named_meanwhile_is_refused(
        self, tx: Tx, us: Tenant
    ) -> None:
        people.name_new_contacts(tx, us.account_id, [("h", 1), ("i", 2)])
        with pytest.raises(BrokenRule):
            people.name_new_contacts(tx, us.account_id, [("h", 3)])

    def test_a_deleted_contact_s_address_is_free_again(self, tx: Tx, us: Tenant) -> None:
        first, second = person(us, tx.now, 1, address_hash="h"), person(us, tx.now, 2, address_hash="h")
        people.add(tx, [first, second])
        people.name_contacts(tx, us.account_id, [("h", 1)])
        people.delete(tx, first)
        people.name_contacts(tx, us.account_id, [("h", 2)])
        assert [row[1] for row in people.contacts_by_address(tx, us.account_id, ["h"])] == [2]

    def test_deleting_another_with_the_address_leaves_its_meaning(self, tx: Tx, us: Tenant) -> None:
        first, second = person(us, tx.now, 1, address_hash="h"), person(us, tx.now, 2, address_hash="h")
        lead = person(us, tx.now, 1, kind=LEAD, address_hash="h")
        people.add(tx, [first, second, lead])
        people.name_contacts(tx, us.account_id, [("h", 1)])
        people.delete(tx, second)
        people.delete(tx, lead)
        assert [row[1] for row in people.contacts_by_address(tx, us.account_id, ["h"])] == [1]

    def test_unknown_addresses_are_told_with_their_suppression(self, tx: Tx, us: Tenant) -> None:
        unsubscribes.suppress(tx, us.account_id, "gone", Suppression.COMPLAINED, "report")
        rows = {row[0]: tuple(row[1:]) for row in people.contacts_by_address(tx, us.account_id, ["gone", "new"])}
        assert rows["gone"][5] == "complained"
        assert rows["new"][5] is None
        assert rows["new"][0] is None

    def test_the_oldest_person_of_a_kind_is_found(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [person(us, tx.now, id, address_hash="h") for id in (2, 1)])
        found = people.find_by_address(tx, us.account_id, CONTACT, "h")
        assert found is not None
        assert found.id == 1
        assert people.find_by_address(tx, us.account_id, LEAD, "h") is None

    def test_only_what_is_empty_is_filled(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [person(us, tx.now, 1, first_name="", phone="+1"), person(us, tx.now, 2, kind=LEAD)])
        people.fill(tx, us.account_id, [(1, "Bea", None, "+2"), (2, "X", "X", "X")])
        filled = people.get(tx, us.account_id, CONTACT, 1)
        assert (filled.first_name, filled.last_name, filled.phone) == ("Bea", None, "+1")
        assert people.get(tx, us.account_id, LEAD, 2).last_name is None


class TestIsolation:
    def test_another_account_with_the_same_ids_sees_nothing(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        people.add(tx, [person(us, tx.now)])
        people.name_contacts(tx, us.account_id, [("hash-1", 1)])
        unsubscribes.suppress(tx, us.account_id, "hash-1", Suppression.UNSUBSCRIBED, "")
        assert people.find(tx, rival.account_id, CONTACT, 1) is None
        assert people.find_many(tx, rival.account_id, [(CONTACT, 1)]) == {}
        assert people.list_all(tx, rival.account_id, CONTACT, 0, 10) == []
        assert people.find_by_address(tx, rival.account_id, CONTACT, "hash-1") is None
        assert [tuple(row[1:]) for row in people.contacts_by_address(tx, rival.account_id, ["hash-1"])] in (
            [],
            [(None, None, None, None, None, None, None)],
        )

    def test_another_account_with_the_same_ids_changes_nothing(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        ours, theirs = person(us, tx.now, first_name=None), person(rival, tx.now, first_name="Rob")
        people.add(tx, [ours])
        people.name_contacts(tx, us.account_id, [("hash-1", 1)])
        people.save(tx, theirs, theirs)
        people.fill(tx, rival.account_id, [(1, "Rob", "Rob", "+1")])
        people.forget_address(tx, rival.account_id, "hash-1", 1)
        people.delete(tx, theirs)
        assert people.get(tx, us.account_id, CONTACT, 1) == ours
        assert [row[1] for row in people.contacts_by_address(tx, us.account_id, ["hash-1"])] == [1]
