"""Writes a migration: what a database at the last revision lacks of `store/schema.py`."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from drumbeat.store import migrate
from drumbeat.store.database import Database

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "src" / "drumbeat" / "store" / "migrations" / "versions"


def main(arguments: list[str]) -> int:
    """The text becomes the name of the next revision."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print('usage: script/revise "Add what it adds"', file=sys.stderr)
        return 2
    last = ScriptDirectory.from_config(migrate.config()).get_current_head() or "0000"
    slug = re.sub(r"\W+", "_", arguments[0].lower()).strip("_")[:40]
    return _write(arguments[0].rstrip("."), f"{int(last) + 1:04}", slug)


def _write(message: str, number: str, slug: str) -> int:
    path = VERSIONS / f"{number}_{slug}.py"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.db"
        migrate.upgrade(url)
        database = Database(url)
        with database.writer.begin() as connection:
            settings = migrate.config(connection=connection)
            settings.set_main_option("file_template", "%%(rev)s_" + slug)
            command.revision(settings, message, autogenerate=True, rev_id=number)
        database.close()
    _tidy(path)
    print(f"{path.relative_to(ROOT)}: read it before you trust it")
    return 0


def _tidy(path: Path) -> None:
    """Drop Alembic's remarks, and the brackets SQLite's dialect puts round a default."""
    text = re.sub(r"\n +# ###.*", "", path.read_text())
    path.write_text(re.sub(r"sa\.text\((['\"])\((.*?)\)\1\)", r"sa.text(\1\2\1)", text))
    for arguments in (["format"], ["check", "--fix"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, "--quiet", str(path)], check=True, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
