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
    """`--initial` writes the first revision anew; any other text becomes the name of the next one."""
    if len(arguments) != 1 or (arguments[0].startswith("-") and arguments[0] != "--initial"):
        print('usage: script/revise "Add what it adds"   or   script/revise --initial', file=sys.stderr)
        return 2
    if arguments == ["--initial"]:
        if len(list(VERSIONS.glob("*.py"))) > 1:
            print("There are later revisions: the first one is history.", file=sys.stderr)
            return 1
        return _write("Initial schema", "0001", "initial")
    last = ScriptDirectory.from_config(migrate.config()).get_current_head() or "0000"
    slug = re.sub(r"\W+", "_", arguments[0].lower()).strip("_")[:40]
    return _write(arguments[0].rstrip("."), f"{int(last) + 1:04}", slug)


def _write(message: str, number: str, slug: str) -> int:
    path = VERSIONS / f"{number}_{slug}.py"
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.db"
        if number != "0001":
            migrate.upgrade(url)
        database = Database(url)
        with database.writer.begin() as connection:
            settings = migrate.config(connection=connection, render_as_batch=number != "0001")
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
