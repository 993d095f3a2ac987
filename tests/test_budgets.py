from __future__ import annotations

from pathlib import Path

import pytest

from script import budgets

STORE = "src/drumbeat/store/things.py"


def breaches(root: Path, path: str, text: str) -> list[str]:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return budgets.check(root)


@pytest.mark.parametrize(
    ("path", "text", "breach"),
    [
        ("src/long.py", "x = 1\n" * 401, "src/long.py:1: 401 lines"),
        ("src/a.py", "\ndef f():\n" + "    x = 1\n" * 50, "src/a.py:2: f has 51 lines"),
        ("tests/a.py", "def f():\n    import os\n", "tests/a.py:2: f imports"),
        ("src/drumbeat/mail/a.py", "def send():\n    pass\n", "a.py:1: send has no docstring"),
        (
            "src/drumbeat/domain/a.py",
            "class A:\n    'An A.'\n    def b(self): pass\n",
            "a.py:3: b has no docstring",
        ),
        ("src/helpers.py", "", "src/helpers.py:1: 'helpers' says 'helpers'"),
        ("src/a.py", "class MailManager: pass\n", "src/a.py:1: 'MailManager' says 'manager'"),
        ("src/a.py", "class HTTPService: pass\n", "src/a.py:1: 'HTTPService' says 'service'"),
        ("src/a.py", "def f(base_path): pass\n", "src/a.py:1: 'base_path' says 'base'"),
        ("bench/a.py", "for data in (): pass\n", "bench/a.py:1: 'data' says 'data'"),
        ("src/a.py", "self.info = 1\n", "src/a.py:1: 'info' says 'info'"),
        ("src/a.py", "# one\n# the flow of it\n", "src/a.py:2: the text says 'flow'"),
        ("docs/a.md", "Your Campaigns.\n", "docs/a.md:1: the text says 'Campaign'"),
        ("src/a.py", "drip_rate = 1\n", "src/a.py:1: the text says 'drip'"),
        ("README.md", "Every subscriber\n", "README.md:1: the text says 'subscriber'"),
        (STORE, "S = Statement('SELECT id FROM due {skip locked}')\n", "things.py:1: a statement that locks"),
        (STORE, "S = Statement('SELECT id FROM due FOR UPDATE')\n", "things.py:1: a statement that locks"),
        (STORE, "W = 'id {lock}'\nS = Statement(f'SELECT {W}')\n", "things.py:2: a statement that locks"),
        (STORE, "Index('uq_a', t.c.name, unique=True)\n", "things.py:1: a unique Index names no account_id"),
        (STORE, "UniqueConstraint('name')\n", "things.py:1: a unique UniqueConstraint names no account_id"),
        (
            STORE,
            "t = tenant_table('t', Column('a', Text, unique=True))\n",
            "things.py:1: a unique Column of t",
        ),
    ],
)
def test_a_breach_is_told_with_its_place(tmp_path: Path, path: str, text: str, breach: str) -> None:
    told = breaches(tmp_path, path, text)
    assert len(told) == 1, told
    assert breach in told[0]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/a.py", "x = 1\n" * 400),
        ("src/drumbeat/store/schema.py", "x = 1\n" * 401),
        ("src/a.py", "def f():\n" + "    x = 1\n" * 49),
        ("src/drumbeat/mail/a.py", "def _send():\n    pass\n"),
        ("src/drumbeat/http/a.py", "def send():\n    pass\n"),
        ("src/a.py", "metadata = database = processed = 1\n"),
        ("src/a.py", "def handle_DATA(): pass\n"),
        ("src/a.py", "overflow = workflow = 'unsubscribe, dripping'\n"),
        ("requirements/a.lock", "flow==1.0\n"),
        (STORE, "S = Statement('SELECT id FROM due WHERE account_id = :a {skip locked}')\n"),
        (STORE, "S = Statement('SELECT id FROM due')\n"),
        (STORE, "W = 'account_id'\nS = Statement(f'SELECT {W} FROM t {{lock}}')\n"),
        (STORE, "Index('uq_a', t.c.account_id, t.c.name, unique=True)\n"),
        (STORE, "Index('ix_a', t.c.name)\n"),
        (STORE, "logins = Table('logins', Column('address_key', Text, unique=True))\n"),
        ("src/drumbeat/http/a.py", "S = Statement('SELECT 1 FOR UPDATE')\n"),
    ],
)
def test_what_keeps_to_the_budgets_is_not_told(tmp_path: Path, path: str, text: str) -> None:
    assert breaches(tmp_path, path, text) == []


def test_a_breach_makes_the_check_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert budgets.main(tmp_path) == 0
    breaches(tmp_path, "src/misc.py", "")
    assert budgets.main(tmp_path) == 1
    assert "src/misc.py:1: 'misc' says 'misc'" in capsys.readouterr().out


def test_breaches_come_in_the_order_of_their_places(tmp_path: Path) -> None:
    breaches(tmp_path, "src/b.py", "\n" * 10 + "data = 1\n" + "info = 1\n")
    told = breaches(tmp_path, "src/a.py", "\ndata = 1\n")
    assert [breach.rsplit(":", 1)[0] for breach in told] == ["src/a.py:2", "src/b.py:11", "src/b.py:12"]
