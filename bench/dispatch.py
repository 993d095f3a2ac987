"""Letters a second from claim to settled, against clients without a database at the same sink; CPU by part.

The bare client sends one letter that is ready, over and over; the writing client writes each of them as a worker does.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext

import psutil

from bench._bare_client import Write, send_all
from bench._machine import Place, fast_sink, place, row
from bench._parts import parts
from drumbeat.domain.calendar import parse_delay
from drumbeat.domain.sequence import ActionType, Step
from drumbeat.domain.template import TemplateText
from drumbeat.operations.execute import ContactInput, execute
from drumbeat.operations.letters import read_frozen
from drumbeat.store import deliveries, enrollment_pages
from drumbeat.store.promises import SENT_JOURNAL
from drumbeat.testing.house import House, letter, open_house
from drumbeat.worker import Worker

HTML = """<html><body>
<p>Dear {{ person.first_name | default: "friend" }},</p>
<p>{{ sender.name }} here, from {{ account.name }}. You asked how {{ person.organization_name | default: "your team" }}
could follow up without losing anybody. Here is what others in your place did first: they wrote down the three
questions every new customer asks, answered each in one short letter, and let the letters leave by themselves.</p>
<p>Would {{ person.first_name | default: "you" }} have ten minutes this week? Answer to {{ sender.email }} and I will
send two times that suit {{ person.last_name | default: "you" }}.</p>
<p>With kind regards<br>{{ sender.name }}</p>
</body></html>"""
TEXT = """Dear {{ person.first_name | default: "friend" }},

{{ sender.name }} here, from {{ account.name }}. You asked how {{ person.organization_name | default: "your team" }}
could follow up without losing anybody. Here is what others in your place did first: they wrote down the three
questions every new customer asks, answered each in one short letter, and let the letters leave by themselves.

Would {{ person.first_name | default: "you" }} have ten minutes this week? Answer to {{ sender.email }} and I will
send two times that suit {{ person.last_name | default: "you" }}.

With kind regards
{{ sender.name }}
"""

CONDITION = "{% if person.first_name %}By the way: it is free.{% endif %}"
WARM = 500  # letters before the measured ones: caches and statistics as after a day of work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=6000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--kind", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--liquid", action="store_true", help="letters with a condition, which Liquid itself renders")
    parser.add_argument("--parts", action="store_true", help="where our CPU goes (measuring it costs some more)")
    parser.add_argument("--without-journal", action="store_true", help="what the journal of sent letters costs")
    arguments = parser.parse_args()
    cpu = "CPU s/1,000 ours", "database", "sink"
    row("database", "letters/s", *cpu, "RSS MB", "writing client/s", "ratio", "bare client/s", "ratio")
    row(*["---"] * 10)
    for kind in arguments.kind or ["sqlite", "postgresql"]:
        with place(kind) as where:
            measure(where, arguments)


def measure(where: Place, chosen: argparse.Namespace) -> None:
    letters = chosen.letters
    with fast_sink() as sink:
        database = where.open()
        house = open_house(database, sink.port, where.folder, connections=chosen.connections)
        house.world.settings.unsafe = frozenset([SENT_JOURNAL] if chosen.without_journal else [])
        worker = Worker(house.world)
        more = CONDITION if chosen.liquid else ""
        fill(house, WARM, first=letters, name="Warm", more=more)
        run(worker)
        fill(house, letters, more=more)
        where.settle()
        before = sink.cpu(), where.cpu(), time.process_time(), time.perf_counter()
        with parts(letters) if chosen.parts else nullcontext():
            run(worker)
        wall, ours = time.perf_counter() - before[3], time.process_time() - before[2]
        server, sinks = where.cpu() - before[1], sink.cpu() - before[0]
        worker.close()
        ids = sink.end()
        assert set(ids.values()) == {1}, "a letter arrived twice"
        assert len(ids) == letters + WARM, f"{len(ids)} letters arrived, not {letters + WARM}"
        writing, bare = _without_database(house, letters, chosen.connections)
        per = 1000 / letters
        rss = psutil.Process().memory_info().rss / 2**20
        rate = letters / wall
        row(where.kind, rate, ours * per, server * per, sinks * per, rss, writing, rate / writing, bare, rate / bare)
        database.close()


def fill(house: House, count: int, *, first: int = 0, name: str = "Measured", more: str = "") -> None:
    """Enroll `count` contacts in a sequence whose first letter, with `more` at its end, is due at once."""
    step = Step(
        ActionType.AUTOMATED_EMAIL,
        parse_delay("0 hours"),
        email_template_id=1,
        template=TemplateText("{{ person.first_name | default: 'Hello' }}, a question", HTML + more, TEXT + more),
    )
    sequence = house.sequence(step, letter("2 weekdays", is_reply=True), name=name)
    for start in range(first, first + count, 500):
        contacts = [
            ContactInput(f"person{n}@example.com", f"First{n}", f"Last{n}")
            for n in range(start, min(start + 500, first + count))
        ]
        house.world.database.transact(
            lambda tx, c=contacts: execute(tx, house.world.hash_key, house.account_id, house.owner_id, sequence.id, c)
        )


def run(worker: Worker) -> None:
    while worker.step():
        pass


def _without_database(house: House, letters: int, connections: int) -> tuple[float, float]:
    """Letters a second by a client that writes each of them, and by one whose letter is ready."""
    write = _writer(house)
    ready = write(0)
    with fast_sink() as sink:
        writing = letters / send_all(sink.port, write, letters, connections)
        return writing, letters / send_all(sink.port, lambda _: ready, letters, connections)


def _writer(house: House) -> Write:
    """Writes letters that were sent, the last ones in turns."""
    with house.world.database.read() as snapshot:
        found = enrollment_pages.list_page(snapshot, house.account_id, limit=WARM)
        sent = deliveries.list_of_enrollments(snapshot, house.account_id, [each.id for each in found], limit=WARM)
    all_frozen, step, writer = [read_frozen(each.frozen) for each in sent], found[0].plan.steps[0], house.world.writer

    def write(number: int) -> tuple[str, str, bytes]:
        frozen = all_frozen[number % len(all_frozen)]
        return frozen.sender_email, frozen.recipient_email, writer.write(house.account_id, step, frozen)

    return write


if __name__ == "__main__":
    main()
