"""What a cluster refuses that keeps each account's rows on one node; it stands in for one where there is none."""

from __future__ import annotations

import re

from drumbeat.store.schema import metadata

TENANT = {name for name, table in metadata.tables.items() if "account_id" in table.c}
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
READS = re.compile(r"\b(?:FROM|JOIN) (\w+)")
_ADDS = re.compile(r"\bINSERT INTO (\w+) \((\w+)")
_CHANGES = re.compile(r"\b(?:UPDATE|DELETE FROM) (\w+)")  # also DO UPDATE SET, where SET is no table
_LOCKS = re.compile(r"\{(?:skip locked|lock|share)\b")
_NAMES_ACCOUNT = re.compile(r"\b(?:account_id|accounts WHERE id) = :account_id\b")
# What one connection would have to remember: a pooler gives the next transaction another one.
_SESSION = re.compile(
    r"^\s*(?:SET (?!LOCAL\b)|PREPARE\b|CREATE TEMP)|\bset_config\(|\bpg_(?:try_)?advisory_lock|\bWITH HOLD\b"
)


def refusal(text: str) -> str | None:
    """Why a statement could not run there; None if it could."""
    names_account = _NAMES_ACCOUNT.search(text)
    if any(columns != "account_id" for table, columns in _ADDS.findall(text) if table in TENANT):
        return "adds rows without their account"
    if TENANT & set(_CHANGES.findall(text)) and not names_account:
        return "changes rows without naming their account"
    if _LOCKS.search(text) and (TENANT | {"accounts"}) & set(READS.findall(text)) and not names_account:
        return "locks rows without naming their account"
    return "leaves something behind in its connection" if _SESSION.search(text) else None


# As far as Citus documents them, the rules of its functions, for a PostgreSQL that has none.
STAND_IN = """
    CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, partkey text);
    CREATE FUNCTION foreign_keys_may_stay(moved regclass) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM pg_constraint c WHERE c.contype = 'f' AND moved IN (c.conrelid, c.confrelid)
            AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid IN (c.conrelid, c.confrelid))
        ) THEN RAISE EXCEPTION '% refers to a local table, or one to it', moved; END IF;
        IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = moved AND NOT t.tgisinternal)
        THEN RAISE EXCEPTION '% has a trigger', moved; END IF;
    END $$;
    CREATE FUNCTION create_reference_table(name text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM foreign_keys_may_stay(name::regclass);
        INSERT INTO pg_dist_partition VALUES (name::regclass, NULL);
    END $$;
    CREATE FUNCTION create_distributed_table(name text, key text, colocate_with text) RETURNS void
    LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM foreign_keys_may_stay(name::regclass);
        IF EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = name::regclass AND i.indisunique AND NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = key
                AND a.attnum = ANY (i.indkey::int2[]))
        ) THEN RAISE EXCEPTION 'a unique index of % lacks %', name, key; END IF;
        IF colocate_with <> 'none' AND colocate_with::regclass NOT IN (SELECT logicalrelid FROM pg_dist_partition)
        THEN RAISE EXCEPTION '% is not distributed', colocate_with; END IF;
        INSERT INTO pg_dist_partition VALUES (name::regclass, key);
    END $$;
    -- Asked at the end: a reference between two spread tables holds their keys at the same place.
    CREATE FUNCTION broken_references() RETURNS SETOF name LANGUAGE sql AS $$
        SELECT c.conname FROM pg_constraint c
        JOIN pg_dist_partition f ON f.logicalrelid = c.conrelid
        LEFT JOIN pg_dist_partition t ON t.logicalrelid = c.confrelid
        WHERE c.contype = 'f' AND NOT coalesce(t.logicalrelid IS NOT NULL AND (t.partkey IS NULL OR (
            SELECT array_position(c.conkey, a.attnum) FROM pg_attribute a
            WHERE a.attrelid = c.conrelid AND a.attname = f.partkey
        ) = (
            SELECT array_position(c.confkey, a.attnum) FROM pg_attribute a
            WHERE a.attrelid = c.confrelid AND a.attname = t.partkey
        )), false)
    $$;
"""
