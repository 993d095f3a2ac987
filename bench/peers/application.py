"""What one writes around a task queue to send a sequence: tables of one's own, a letter, and who got it already."""

from __future__ import annotations

import os
import smtplib
import threading
from email.message import EmailMessage
from email.utils import formatdate

import psycopg
from jinja2 import Environment

from bench.dispatch import HTML, TEXT

DATABASE_URL = os.environ["PEER_DATABASE_URL"]
STEPS = 2  # the first letter is due at once, the second
DAYS = 2  # days later
CONNECTIONS = int(os.environ["PEER_AT_ONCE"])  # letters at a time

_TABLES = """
    CREATE TABLE contacts (id int PRIMARY KEY, email text, first_name text, last_name text, organization_name text);
    CREATE TABLE enrollments (id int PRIMARY KEY, contact_id int REFERENCES contacts, state text DEFAULT 'active');
    CREATE TABLE letters (
        enrollment_id int REFERENCES enrollments, step int, sent_at timestamptz DEFAULT now(),
        PRIMARY KEY (enrollment_id, step)
    );
"""
_DUE = """
    SELECT email, first_name, last_name, organization_name FROM enrollments e JOIN contacts c ON c.id = e.contact_id
    WHERE e.id = %s AND e.state = 'active'
    AND NOT EXISTS (SELECT FROM letters l WHERE l.enrollment_id = e.id AND l.step = %s)
"""
_SENT = "INSERT INTO letters (enrollment_id, step) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_SENDER = {"name": "Olive Owner", "email": "olive@tea.example"}
_FOOT = {"name": "Tea House", "address": "1 Tea Lane, London"}

_templates = Environment(autoescape=True)
_html = _templates.from_string(HTML.replace("| default:", "or"))
_text = Environment(autoescape=False).from_string(TEXT.replace("| default:", "or"))
_own = threading.local()


def prepare() -> None:
    """Make the tables."""
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute(_TABLES)


def add(first: int, count: int) -> range:
    """Contacts and their enrollments; their ids."""
    ids = range(first, first + count)
    with psycopg.connect(DATABASE_URL) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY contacts (id, email, first_name, last_name) FROM STDIN") as copy:
            for n in ids:
                copy.write_row((n, f"person{n}@example.com", f"First{n}", f"Last{n}"))
        with cursor.copy("COPY enrollments (id, contact_id) FROM STDIN") as copy:
            for n in ids:
                copy.write_row((n, n))
    return ids


def send(enrollment_id: int, step: int) -> bool:
    """Send a letter that nobody stopped and that is not known to be sent; whether the next step is to be planned."""
    found = _connection().execute(_DUE, (enrollment_id, step)).fetchone()
    if found is None:
        return False
    email, first_name, last_name, organization_name = found
    person = {"first_name": first_name, "last_name": last_name, "organization_name": organization_name}
    _hand_over(_write(enrollment_id, step, email, person))
    _connection().execute(_SENT, (enrollment_id, step))
    return step < STEPS


def _write(enrollment_id: int, step: int, email: str, person: dict[str, str | None]) -> EmailMessage:
    values = {"person": person, "sender": _SENDER, "account": _FOOT}
    leave = f"https://tea.example/leave/{enrollment_id}"
    letter = EmailMessage()
    letter["From"] = f"{_SENDER['name']} <{_SENDER['email']}>"
    letter["To"] = email
    letter["Subject"] = f"{person['first_name']}, a question"
    letter["Date"] = formatdate()
    letter["Message-ID"] = f"<{enrollment_id}.{step}@tea.example>"
    letter["List-Unsubscribe"] = f"<{leave}>"
    letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter.set_content(f"{_text.render(values)}\n--\n{_FOOT['address']}\n{leave}\n")
    letter.add_alternative(f"{_html.render(values)}<p>{_FOOT['address']} {leave}</p>", subtype="html")
    return letter


def _hand_over(letter: EmailMessage) -> None:
    if not hasattr(_own, "line"):
        _own.line = smtplib.SMTP("127.0.0.1", int(os.environ["PEER_SINK_PORT"]), local_hostname="tea.example")
    _own.line.send_message(letter)


def _connection() -> psycopg.Connection[tuple[str, str | None, str | None, str | None]]:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(DATABASE_URL, autocommit=True)
    connection: psycopg.Connection[tuple[str, str | None, str | None, str | None]] = _own.connection
    return connection
