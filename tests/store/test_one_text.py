"""One SQL text means the same on both databases, and values survive both."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from drumbeat.store import accounts
from drumbeat.store.database import Database
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Insertion, Statement


class TestInstants:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_an_instant_survives_being_stored(self, instant: datetime) -> None:
        assert from_stamp(to_stamp(instant)) == instant

    def test_an_instant_is_stored_as_microseconds_since_1970(self) -> None:
        assert to_stamp(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005

    def test_no_instant_is_stored_as_nothing(self) -> None:
        assert stamp_or_none(None) is None
        assert instant_or_none(None) is None
        assert instant_or_none(stamp_or_none(from_stamp(7))) == from_stamp(7)


class TestOneTextForBothDatabases:
    def test_a_parameter_is_spelled_as_each_driver_wants_it(self) -> None:
        statement = Statement("SELECT :first, :second_one")
        assert statement.sqlite == "SELECT :first, :second_one"
        assert statement.postgresql == "SELECT %(first)s, %(second_one)s"

    def test_a_cast_is_no_parameter(self) -> None:
        assert Statement("SELECT x::bigint, :y::text").postgresql == "SELECT x::bigint, %(y)s::text"

    def test_a_percent_sign_stays_one(self, database: Database) -> None:
        assert Statement("SELECT 7 % 4").postgresql == "SELECT 7 %% 4"
        with database.read() as snapshot:
            row = snapshot.first(Statement("SELECT 7 % 4, 'a%' LIKE '%', :x"), x="100 %")
        assert row is not None
        assert (row[0], bool(row[1]), row[2]) == (3, True, "100 %")

    def test_only_postgresql_locks_rows(self) -> None:
        locking = Statement("SELECT 1 FROM a {lock OF a}, b {lock}, c {skip locked}, d {skip locked OF d}")
        assert locking.sqlite == "SELECT 1 FROM a , b , c , d "
        assert locking.postgresql == (
            "SELECT 1 FROM a FOR UPDATE OF a, b FOR UPDATE, c FOR UPDATE SKIP LOCKED, d FOR UPDATE OF d SKIP LOCKED"
        )

    def test_a_subselect_is_compared_as_an_array_on_postgresql(self) -> None:
        statement = Statement("DELETE FROM t WHERE id {in: SELECT id FROM {sought: id int} AS s :in} AND x = :x")
        assert "id IN (SELECT id FROM (SELECT value ->> 0 AS id FROM json_each(:sought)) AS s)" in statement.sqlite
        assert "id = ANY(ARRAY(SELECT id FROM" in statement.postgresql
        assert statement.postgresql.endswith("AND x = %(x)s")
        assert statement.batches == {"sought"}

    def test_the_keys_of_a_batch_are_an_array_too_on_postgresql(self) -> None:
        statement = Statement("SELECT t.x FROM {sought: id int, x text} AS s JOIN t ON t.a = :a AND {key: t.id = s.id}")
        assert statement.sqlite.endswith("JOIN t ON t.a = :a AND t.id = s.id")
        assert (
            "t.id = s.id AND t.id = ANY(ARRAY(SELECT id FROM (SELECT (value ->> 0)::int AS id" in statement.postgresql
        )
        assert statement.postgresql.count("%(sought)s") == 2
        assert statement.batches == {"sought"}

    def test_a_batch_travels_as_one_value_with_every_type_intact(self, database: Database) -> None:
        statement = Statement("""
            SELECT named.id, named.at, named.said, named.yes, named.nil
            FROM {named: id int, at bigint, said text, yes boolean, nil text} AS named ORDER BY named.id
        """)
        said = "quotes \" and ' and {braces} and \\ and a line\nfeed, Ünïcode 🫖, :colon, 100 %"
        with database.read() as snapshot:
            rows = snapshot.all(statement, named=[(2, 2**53 + 1, said, True, None), (1, -5, "", False, None)])
        assert [(r[0], r[1], r[2], bool(r[3]), r[4]) for r in rows] == [
            (1, -5, "", False, None),
            (2, 2**53 + 1, said, True, None),
        ]

    def test_an_empty_batch_is_no_rows(self, database: Database) -> None:
        with database.read() as snapshot:
            assert snapshot.all(Statement("SELECT id FROM {sought: id int} AS sought"), sought=[]) == []

    def test_a_subselect_of_a_batch_finds_what_it_names(self, database: Database) -> None:
        with database.write() as tx:
            for name in ("A", "B", "C"):
                accounts.add_account(tx, name, "UTC", None)
        among = Statement("SELECT id FROM accounts WHERE id {in: SELECT id FROM {ids: id int} AS ids :in} ORDER BY id")
        with database.read() as snapshot:
            assert [row[0] for row in snapshot.all(among, ids=[[3], [1], [9]])] == [1, 3]


class TestInsertion:
    counters = Insertion("id_counters", "account_id int, noun text,\n next bigint")

    def test_its_columns_are_those_that_were_named(self) -> None:
        assert self.counters.sqlite == "INSERT INTO id_counters (account_id, noun, next) VALUES (?, ?, ?)"
        assert self.counters.postgresql.batches == {"rows"}

    def test_rows_come_back_as_they_were_added(self, database: Database) -> None:
        rows = [(1, "späte 'Ernte' %", 2**62), (1, "", -1)]
        with database.write() as tx:
            accounts.add_account(tx, "A", "UTC", None)
            tx.insert(self.counters, rows)
            found = tx.all(Statement("SELECT account_id, noun, next FROM id_counters ORDER BY next DESC"))
        assert [tuple(row) for row in found] == rows

    def test_no_rows_are_no_statement(self, database: Database) -> None:
        with database.write() as tx:
            tx.insert(self.counters, [])
            assert tx.first(Statement("SELECT count(*) FROM id_counters")) == (0,)
