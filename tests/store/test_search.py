"""People found by the beginnings of their words, the words that are kept of them, and the files they came in."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from drumbeat.domain.account import Role
from drumbeat.domain.person import Person, PersonKind, search_words, words_in
from drumbeat.store import accounts, imports, people
from drumbeat.store.search import Hits, search
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from tests.store.tenants import Tenant, person

LEAD, CONTACT = PersonKind.LEAD, PersonKind.CONTACT
_KEPT = Statement("SELECT kind, word, person_id FROM person_words WHERE account_id = :account_id ORDER BY word, kind")


def found(tx: Tx, tenant: Tenant, text: str, kind: PersonKind = CONTACT, seen_by: int | None = None) -> list[int]:
    """Who is found, all on one page."""
    hits = search(tx, tenant.account_id, kind, text, seen_by=seen_by, limit=1000)
    assert (len(hits.places), hits.gave_up_at) == (len(hits.people), None)
    return [each.id for each in hits.people]


def paged(tx: Tx, tenant: Tenant, text: str, limit: int, seen_by: int | None = None) -> list[int]:
    """Who is found, page after page."""
    ids: list[int] = []
    after = ("", 0)
    while True:
        hits = search(tx, tenant.account_id, CONTACT, text, seen_by=seen_by, after=after, limit=limit)
        ids += [each.id for each in hits.people]
        if len(hits.people) < limit:
            return ids
        after = hits.places[-1]


def kept(tx: Tx, tenant: Tenant, kind: PersonKind = CONTACT) -> dict[str, list[int]]:
    """The words kept of people of a kind, and whose they are."""
    words: dict[str, list[int]] = {}
    for row in tx.all(_KEPT, account_id=tenant.account_id):
        if row.kind == kind:
            words.setdefault(row.word, []).append(row.person_id)
    return words


def named(tenant: Tenant, tx: Tx, id: int, name: str | None, **fields: object) -> Person:
    """Somebody of this name, and without an address unless one is given."""
    return person(tenant, tx.now, id, **{"first_name": name, "email": None, "address_hash": None} | fields)


class TestWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Ada Lovelace", {"ada", "lovelace"}),
            ("  ADA   ada ", {"ada"}),
            ("Zoë Ångström", {"zoe", "angstrom"}),
            ("Zoe\u0308", {"zoe"}),
            ("Straße", {"strasse"}),
            ("ＡＢＣ ﬁne", {"abc", "fine"}),
            ("İstanbul", {"istanbul"}),
            ("Ada.Lovelace+tea@X.Example", {"ada.lovelace+tea@x.example"}),
            ("Smith, Jones & Co; (Tea/Coffee) <\"x\">", {"smith", "jones", "&", "co", "tea", "coffee", "x"}),
            ("O'Neill-Smith", {"o'neill-smith"}),
            ("Мария 李", {"мария", "李"}),
            ("a\0b", {"a", "b"}),
            ("x" * 61, {"x" * 60}),
            (" ,;/\t\n\u00a0", set()),
            ("", set()),
        ],
    )  # fmt: skip
    def test_words_are_compared_without_case_accents_and_what_stands_between_them(
        self, text: str, words: set[str]
    ) -> None:
        assert words_in(text) == words

    @given(text=st.text(max_size=80), typed=st.integers(0, 80))
    def test_whatever_was_typed_so_far_begins_the_words(self, text: str, typed: int) -> None:
        words = words_in(text)
        assert all(any(word.startswith(start) for word in words) for start in words_in(text[:typed]))
        assert words_in(None, text, "", text.swapcase() if text.isascii() else text) == words


class TestSearching:
    def test_everybody_is_found_for_whom_each_word_begins_one_of_theirs(
        self, tx: Tx, us: Tenant, rival: Tenant
    ) -> None:
        people.add(
            tx,
            [
                named(us, tx, 1, "Ada", last_name="Lovelace", organization_name="Analytical Engines", email="ada@x.io"),
                named(us, tx, 2, "Zoë", last_name="Adams"),
                named(us, tx, 3, "Ad", last_name="Ada", owner_id=2),
                named(us, tx, 4, None, organization_name="100% (Tea_House)"),
                named(us, tx, 1, "Ada", kind=LEAD),
                named(rival, tx, 5, "Ada"),
            ],
        )
        assert found(tx, us, "ada") == [1, 3, 2], "in the order of the words that are found, then as they came"
        assert found(tx, us, "ada", LEAD) == [1]
        assert found(tx, us, "lov ada") == found(tx, us, "A a ADA l") == found(tx, us, "ada@x.i") == [1]
        assert found(tx, us, "analytical") == found(tx, us, "ada lovelace engines") == [1]
        assert found(tx, us, "zoe") == found(tx, us, "ZOË ad") == [2]
        assert found(tx, us, "tea_") == found(tx, us, "100%") == [4]
        assert found(tx, us, "_") == found(tx, us, "%") == found(tx, us, "ovelace") == found(tx, us, "adaa") == []
        assert found(tx, us, "") == found(tx, us, " ,") == []
        assert found(tx, us, "ad", seen_by=2) == [3]
        people.add(tx, [named(us, tx, 6, "x" * 100)])
        assert found(tx, us, "x" * 60) == found(tx, us, "x" * 200) == [6], "a long word is compared by its beginning"
        assert found(tx, us, "x" * 59 + "y") == []

    def test_it_says_so_where_too_many_begin_alike_to_look_at_all(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [named(us, tx, id, "Ann", last_name="Bell") for id in range(1, 2001)])
        people.add(tx, [named(us, tx, 2001, "Ann", last_name="Zedder")])
        assert search(tx, us.account_id, CONTACT, "ann ze", limit=50) == Hits([], gave_up_at=("ann", 1000))
        page = search(tx, us.account_id, CONTACT, "ann be", limit=50)
        assert ([each.id for each in page.people], page.places[-1], page.gave_up_at) == (
            *(list(range(1, 51)), ("ann", 50), None),
        )
        assert found(tx, us, "zedd ann") == [2001]

    def test_it_goes_on_from_where_it_gave_up_whoever_the_words_there_outlived(self, tx: Tx, us: Tenant) -> None:
        crowd = [named(us, tx, id, "Ann", last_name="Bell") for id in range(1, 2001)]
        people.add(tx, [*crowd, named(us, tx, 2001, "Ann", last_name="Zedder")])
        tx.run(Statement("DELETE FROM people WHERE account_id = :account_id AND id = 1000"), account_id=us.account_id)
        seen, after = [], ("", 0)
        for _ in range(3):
            hits = search(tx, us.account_id, CONTACT, "ann ze", limit=50, after=after)
            seen.append(([each.id for each in hits.people], hits.gave_up_at))
            after = hits.gave_up_at or after
        assert seen == [([], ("ann", 1000)), ([], ("ann", 2000)), ([2001], None)]

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        names=st.lists(
            st.tuples(*[st.none() | st.text("abAä -,", max_size=6)] * 3, st.integers(1, 2)), min_size=1, max_size=9
        ),
        text=st.text("abAÄ ,", max_size=6),
        limit=st.integers(1, 4),
        seen_by=st.none() | st.integers(1, 2),
    )
    def test_those_and_no_others_are_found_each_once_and_in_order(
        self,
        tx: Tx,
        us: Tenant,
        rival: Tenant,
        names: list[tuple[str | None, str | None, str | None, int]],
        text: str,
        limit: int,
        seen_by: int | None,
    ) -> None:
        for tenant in (us, rival):
            for each in people.list_all(tx, tenant.account_id, CONTACT, 0, 100):
                people.delete(tx, each)
        assert kept(tx, us) == {}
        everybody = [
            named(us, tx, id, first, last_name=last, organization_name=company, owner_id=owner)
            for id, (first, last, company, owner) in enumerate(names, 1)
        ]
        people.add(tx, everybody)
        people.add(tx, [structs.replace(each, account_id=rival.account_id, first_name=text) for each in everybody])
        sought = words_in(text)
        fit = {
            each.id: search_words(each)
            for each in everybody
            if sought and seen_by in (None, each.owner_id)
            and all(any(word.startswith(start) for word in search_words(each)) for start in sought)
        }  # fmt: skip
        ids = paged(tx, us, text, limit, seen_by)
        orders = [
            sorted(fit, key=lambda id: (min(word for word in fit[id] if word.startswith(start)), id))
            for start in sought
            if len(start) == max(map(len, sought))
        ]
        assert ids in (orders or [[]])
        assert ids == found(tx, us, text, seen_by=seen_by)


class TestKeeping:
    def test_the_words_of_names_company_and_address_are_kept_until_somebody_is_deleted(
        self, tx: Tx, us: Tenant, rival: Tenant
    ) -> None:
        ada = person(us, tx.now, 1, last_name="Ada Byron", organization_name="Engines", title="Dr", phone="+44")
        lead = named(us, tx, 1, "Lena", kind=LEAD)
        people.add(tx, [ada, lead, named(us, tx, 2, "Ada"), named(rival, tx, 1, "Ada")])
        assert kept(tx, us) == {"ada": [1, 2], "byron": [1], "engines": [1], "p1@example.com": [1]}
        assert kept(tx, us, LEAD) == {"lena": [1]}
        people.delete(tx, ada)
        assert (kept(tx, us), kept(tx, us, LEAD), kept(tx, rival)) == ({"ada": [2]}, {"lena": [1]}, {"ada": [1]})
        people.delete(tx, lead)
        assert kept(tx, us, LEAD) == {}

    def test_whoever_changes_is_found_by_what_they_are_called_now(self, tx: Tx, us: Tenant) -> None:
        before, other = named(us, tx, 1, "Ada", last_name="Byron"), named(us, tx, 2, "Byron")
        people.add(tx, [before, other, structs.replace(before, kind=LEAD)])
        after = structs.replace(before, last_name="Lovelace", email="ada@x.example", title="Countess")
        people.save(tx, before, after)
        assert kept(tx, us) == {"ada": [1], "ada@x.example": [1], "byron": [2], "lovelace": [1]}
        people.save(tx, after, structs.replace(after, title=None))
        assert found(tx, us, "lovelace ada") == [1]
        assert found(tx, us, "byron") == [2]
        assert found(tx, us, "byron", LEAD) == [1]

    def test_whoever_is_filled_in_is_found_by_that_too(self, tx: Tx, us: Tenant) -> None:
        people.add(tx, [named(us, tx, 1, "Ada"), named(us, tx, 2, ""), named(us, tx, 2, "Lena", kind=LEAD)])
        people.fill(tx, us.account_id, [(1, "Bea", "Byron", None), (2, "Cleo", None, "+1"), (9, "X", "X", "X")])
        assert kept(tx, us) == {"ada": [1], "byron": [1], "cleo": [2]}
        assert kept(tx, us, LEAD) == {"lena": [2]}


class TestBringing:
    def test_people_of_a_file_are_noted_once_and_listed_in_order(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        who = (us.account_id, us.owner_id, None, CONTACT)
        first, second = (imports.add(tx, *who, name, ["email"], ["email"]).id for name in ("a.csv", "b.csv"))
        imports.bring(tx, us.account_id, first, [7, 3, 7])
        imports.bring(tx, us.account_id, first, [3, 5, 1])
        imports.bring(tx, us.account_id, first, [])
        imports.bring(tx, us.account_id, second, [3])
        assert imports.people_of(tx, us.account_id, first, 0, 10) == [1, 3, 5, 7]
        assert imports.people_of(tx, us.account_id, first, 0, 3) == [1, 3, 5]
        assert imports.people_of(tx, us.account_id, first, 5, 3) == [7]
        assert imports.people_of(tx, us.account_id, second, 0, 10) == [3]
        assert imports.people_of(tx, rival.account_id, first, 0, 10) == []

    def test_the_latest_of_one_user_s_own_are_listed_however_many_others_there_are(
        self, tx: Tx, us: Tenant, rival: Tenant
    ) -> None:
        owner_id, id = us.owner_id, us.account_id
        sam = accounts.add_user(tx, id, name="Sam", email="sam@tea.example", role=Role.AGENT).id
        for tenant, creator_id in ((us, owner_id), (us, sam), (us, sam), (rival, rival.owner_id)):
            imports.add(tx, tenant.account_id, creator_id, None, CONTACT, f"{creator_id}.csv", ["email"], ["email"])
        assert [job.creator_id for job in imports.list_latest(tx, id, 2)] == [sam, sam]
        assert [job.file_name for job in imports.list_latest(tx, id, 2, seen_by=owner_id)] == [f"{owner_id}.csv"]
        assert imports.list_latest(tx, id, 2, seen_by=sam + 1) == []
