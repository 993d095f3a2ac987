"""How long the web app's pages take to make among a thousand and among a million enrollments, and what they weigh."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from bench._machine import Place, place, row
from drumbeat.domain.template import TemplateText
from drumbeat.http.app import make_app
from drumbeat.operations.accounts import new_secret
from drumbeat.operations.sign_in import open_session
from drumbeat.operations.templates import Draft, add_template
from drumbeat.store import accounts
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.house import House, letter, open_house

TIMES = 40
SEQUENCES = 30
PAGES = (
    *("/today", "/tasks", "/tasks?after=500000&whose=all", "/sequences", "/sequences/1", "/sequences/1?after=500000"),
    *("/sequences/1/steps", "/sequences/1/publish", "/sequences/1/settings", "/people", "/people?kind=contact&owner=1"),
    *("/people?kind=contact&after=500000", "/people?kind=contact&q=ada", "/people?kind=contact&q=ada+person777"),
    *("/people?kind=contact&q=person77777@customer.example", "/people?kind=contact&q=zz", "/people/contact/1777"),
    *("/enroll?kind=contact&enroll=1", "/enrollments", "/enrollments?after=500000"),
    *("/enrollments?reason=missing_merge_tags", "/enrollments?reason=auth", "/enrollments/1777"),
    *("/enrollments?sequence=1", "/enrollments?sequence=1&reason=auth", "/doubts", "/tasks/1777"),
    *("/people?kind=contact&q=bob&enroll=1", "/templates/1?whom=contact:1777"),
    *("/templates", "/templates/1", "/reports", "/reports?days=365", "/reports/1?days=365", "/settings"),
    *("/settings/mailboxes", "/settings/mailboxes/1", "/settings/users", "/settings/keys", "/settings/suppressions"),
    *("/settings/account", "/settings/calendars", "/people/import"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    row("database", "page", "p50 ms", "p95 ms", "among 1,000", "growth", "kB")
    row(*["---"] * 7)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            few = _measured(where, 1_000)
        with place(kind) as where:
            many = _measured(where, arguments.many)
        for path in PAGES:
            p50, p95, size = many[path]
            row(kind, path, round(p50, 1), round(p95, 1), round(few[path][1], 1), p50 / few[path][0], size / 1000)
        worst = max(PAGES, key=lambda path: many[path][1])
        row(kind, f"**slowest: {worst}**", round(many[worst][0], 1), round(many[worst][1], 1), "", "", "")


def _measured(where: Place, count: int) -> dict[str, tuple[float, float, int]]:
    database = where.open()
    house = open_house(database, 1, where.folder)
    _fill(house, count)
    where.settle()
    app = make_app(house.world)
    with TestClient(app, base_url="http://drumbeat.test") as client:
        headers = {"Cookie": f"__Host-drumbeat={_session(house)}"}
        found = {path: _timed(client, path, headers) for path in PAGES}
    database.close()
    return found


def _session(house: House) -> str:
    def work(tx: Tx) -> str:
        login_id = accounts.add_login(tx, "olive@tea.example", "olive@tea.example", "no hash")
        accounts.set_login(tx, house.account_id, house.owner_id, login_id)
        return open_session(tx, login_id, new_secret(), house.account_id).text

    return house.world.database.transact(work)


def _timed(client: TestClient[Litestar], path: str, headers: dict[str, str]) -> tuple[float, float, int]:
    took, answer = [], None
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = client.get(path, headers=headers, follow_redirects=False)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
    assert answer is not None
    return statistics.median(took), statistics.quantiles(took, n=20)[-1], len(answer.content)


def _fill(house: House, count: int) -> None:
    """People, enrollments due over a month, a tenth of them blocked and a fifth finished, tasks, replies, counts."""
    first = house.sequence(letter("0 hours"), letter("48 hours"), letter("48 hours"))
    for number in range(SEQUENCES - 1):
        house.sequence(letter("0 hours"), letter("48 hours"), name=f"Sequence {number}")
    for number in range(50):
        draft = Draft(f"Template {number}", TemplateText("Tea?", None, "Tea is ready. " * 100))
        house.world.database.transact(lambda tx, d=draft: add_template(tx, house.account_id, d, house.owner_id))
    template = house.enroll(first, house.person("Ada"))
    with house.world.database.write() as tx:
        known: dict[str, Any] = {
            "count": count,
            "a": house.account_id,
            "now": to_stamp(tx.now),
            "lane": house.mailbox_id,
            "owner": house.owner_id,
            "id": template.id,
            "sequences": SEQUENCES,
            "today": to_stamp(tx.now) // 86_400_000_000,
        }
        recursive = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
        series = "WITH n(i) AS (SELECT generate_series(1, :count))"
        numbers = recursive if house.world.database.is_sqlite else series
        for text in _ROWS:
            statement = Statement(text.replace("{numbers}", numbers))
            named = {name: value for name, value in known.items() if f":{name}" in statement.text}
            tx.run(statement, **named)


_ROWS = (
    """{numbers} INSERT INTO people (account_id, kind, id, first_name, last_name, email, address_hash, owner_id,
        creator_id, created_at, updated_at)
    SELECT :a, 'contact', 1000 + i, CASE WHEN i % 100 = 0 THEN 'Ada' ELSE 'Bob' END, 'Person' || i,
        'person' || i || '@customer.example', 'h' || i, :owner, :owner, :now, :now FROM n""",
    """{numbers} INSERT INTO person_words (account_id, kind, word, person_id)
    SELECT :a, 'contact', CASE WHEN i % 100 = 0 THEN 'ada' ELSE 'bob' END, 1000 + i FROM n""",
    """{numbers} INSERT INTO person_words (account_id, kind, word, person_id)
    SELECT :a, 'contact', 'person' || i, 1000 + i FROM n""",
    """{numbers} INSERT INTO person_words (account_id, kind, word, person_id)
    SELECT :a, 'contact', 'person' || i || '@customer.example', 1000 + i FROM n""",
    """{numbers} INSERT INTO enrollments (account_id, id, actor_id, resource_type, resource_id, address_hash,
        sequence_id, runs_sequence_id, version, zone, state, position, status, anchor_at, ready_at, failure_reason,
        failure_detail, finished_at, finished_reason, revision, created_at, updated_at)
    SELECT e.account_id, 1000 + i, e.actor_id, e.resource_type, 1000 + i, 'h' || i, 1 + i % :sequences,
        1 + i % :sequences, 1, e.zone,
        CASE i % 10 WHEN 0 THEN 'blocked' WHEN 1 THEN 'finished' WHEN 2 THEN 'finished' ELSE 'active' END, 0,
        CASE i % 10 WHEN 0 THEN 'blocked' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'cancelled' ELSE 'scheduled' END,
        e.anchor_at, e.ready_at, CASE WHEN i % 10 = 0 THEN CASE WHEN i % 20 = 0 THEN 'auth' ELSE 'missing_merge_tags'
        END END, CASE WHEN i % 10 = 0 THEN 'The mail server refuses the login.' END,
        CASE WHEN i % 10 IN (1, 2) THEN :now END, CASE WHEN i % 10 IN (1, 2) THEN 'replied_to_email' END,
        e.revision, e.created_at, e.updated_at
    FROM n CROSS JOIN enrollments e WHERE e.account_id = :a AND e.id = :id""",
    """{numbers} INSERT INTO due (account_id, enrollment_id, lane_id, due_at, came_due_at)
    SELECT :a, 1000 + i, :lane, CASE WHEN i % 10 > 2 THEN :now + CAST(i AS bigint) * 2000000 END,
        CASE WHEN i % 4 = 0 THEN :now END FROM n WHERE i % 10 NOT IN (1, 2)""",
    """{numbers} INSERT INTO tasks (account_id, id, owner_id, creator_id, content, due_at, created_at, updated_at)
    SELECT :a, 1000 + i, :owner, :owner, 'Call', :now - 1000000, :now, :now FROM n""",
    """{numbers} INSERT INTO events (account_id, enrollment_id, revision, number, fact, cause, at)
    SELECT :a, 1000 + i, 0, 0, 'enrolled', '{}', :now FROM n""",
    """{numbers} INSERT INTO received_messages (account_id, id, mailbox_id, digest, kind, matched_by, enrollment_id,
        subject, words, why, received_at)
    SELECT :a, i, :lane, 'd' || i, CASE WHEN i % 5 = 0 THEN 'reply' ELSE 'auto_reply' END, 'message_id', 1000 + i,
        'Re: Tea', 'Yes please', 'It answers our letter.', :now FROM n""",
    """{numbers} INSERT INTO suppressions (account_id, address_hash, cause, evidence, created_at)
    SELECT :a, 's' || i, 'unsubscribed', 'one-click', :now FROM n""",
    """{numbers} INSERT INTO step_counts (account_id, sequence_id, variant, day, position, fact, total)
    SELECT :a, 1 + i % :sequences, '', :today - i / :sequences, 0, 'letter_sent', 10 FROM n
    WHERE i < 365 * :sequences""",
    """{numbers} INSERT INTO sequence_counts (account_id, sequence_id, variant, fact, total)
    SELECT :a, i, '', 'enrolled', 1000 FROM n WHERE i <= :sequences""",
)


if __name__ == "__main__":
    main()
