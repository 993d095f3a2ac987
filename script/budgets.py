"""House budgets: small files and functions, plain names, documented layers, and SQL that names the account.

Prints each breach as `path:line: what`, and ends with 1 if there is any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

FILE_LINES, FUNCTION_LINES, MEDIAN_LINES = 400, 50, 100
# Tests and benchmarks may tell one long story.
ANY_LENGTH = re.compile(r"store/schema\.py$|store/migrations/|^tests/|^bench/")
DOCUMENTED = re.compile(r"^src/drumbeat/(domain|store|operations|mail)/(?!migrations)")
CODE = ("src", "tests", "bench", "script")
PROSE = (*CODE, "docs", ".ci", ".github")
UNREAD = re.compile(r"\.min\.|static/app\.css$|\.lock$|^script/budgets\.py$|^tests/test_budgets\.py$")

NAMES = frozenset(("manager", "helper", "util", "common", "base", "misc", "service", "process", "data", "info"))
NAMES |= {"handle"} | {f"{name}s" for name in ("manager", "helper", "util", "service", "handle")}
ALLOWED_NAMES = {
    **dict.fromkeys(
        ("handle_EHLO", "handle_HELO", "handle_MAIL", "handle_RCPT", "handle_DATA", "handle_RSET"),
        "aiosmtpd calls it by this name",
    ),
    "handle_exception": "aiosmtpd calls it by this name",
    "handle_starttag": "html.parser calls it by this name",
    "handle_endtag": "html.parser calls it by this name",
    "handle_data": "html.parser calls it by this name",
    **dict.fromkeys(
        (
            "src/drumbeat/domain/plaintext.py:data",
            "src/drumbeat/domain/letter_check.py:data",
            "tests/http/web/settings.py:data",
        ),
        "html.parser's own parameter of handle_data",
    ),
    "DATA": "the SMTP command",
    **dict.fromkeys(
        ("SequenceData", "EnrollmentData", "FinishData", "more_info", "MoreInfo"),
        "named by the key of the public answers",
    ),
    **dict.fromkeys(
        (
            "src/drumbeat/http/app_api/shapes.py:data",
            "src/drumbeat/http/execute_v1.py:data",
            "src/drumbeat/http/sequences_v1.py:data",
            "src/drumbeat/http/sell_v2/envelope.py:data",
            "src/drumbeat/http/sell_v2/shapes.py:data",
            "tests/http/test_enrollments.py:data",
        ),
        "the key of the public answers",
    ),
    "src/drumbeat/settings.py:data": "the folder DRUMBEAT_DATA names",
    "src/drumbeat/operations/yaml_text.py:data": "PyYAML's own parameter",
    **dict.fromkeys(("base_url",), "DRUMBEAT_BASE_URL, and the key of first-run.json"),
    **dict.fromkeys(
        (
            "src/drumbeat/http/docs.py:base",
            "src/drumbeat/http/sell_v2/envelope.py:base",
        ),
        "the base URL",
    ),
    "tests/kill/test_kill.py:process": "one of the operating system's",
    "bench/_serving.py:process": "one of the operating system's",
    "bench/_machine.py:process": "one of the operating system's",
}
WORDS = re.compile(r"(?<![a-z])(campaign|cadence|prospect|drip|journey|flow|subscriber)s?(?![a-z])", re.IGNORECASE)
ALLOWED_TEXTS = {
    "default_flow_style": "PyYAML's own parameter",
    "prospect_status": "the key of the public answers",
}
ACCOUNTLESS_TABLES = frozenset(("accounts", "logins", "installation", "sign_in_attempts"))
LOCKS = re.compile(r"\{lock|\{skip locked|FOR UPDATE|FOR SHARE|FOR NO KEY UPDATE|CREATE UNIQUE", re.IGNORECASE)

Breaches = Iterator[tuple[int, str]]


class Source(NamedTuple):
    """A Python file: its path from the root with forward slashes, its lines, its tree."""

    path: str
    lines: int
    tree: ast.Module


def check(root: Path) -> list[str]:
    """Every breach under `root`, as `path:line: what`."""
    found = []
    for source in sources(root):
        for rule in RULES:
            found += [f"{source.path}:{line}: {what}" for line, what in rule(source)]
    for path, text in texts(root):
        found += [f"{path}:{line}: {what}" for line, what in banned_words(path, text)]
    return sorted(found, key=lambda breach: (breach.split(":")[0], int(breach.split(":")[1])))


def sources(root: Path) -> Iterator[Source]:
    """Every Python file of the code."""
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            yield Source(path.relative_to(root).as_posix(), len(text.splitlines()), ast.parse(text))


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Every readable file of the code, the documents and the root."""
    inside = [path for folder in PROSE for path in sorted((root / folder).rglob("*"))]
    for path in [*sorted(root.glob("*.*")), *inside]:
        name = path.relative_to(root).as_posix()
        if path.is_file() and "__pycache__" not in name and not UNREAD.search(name):
            try:
                yield name, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def file_length(source: Source) -> Breaches:
    """No file over the limit."""
    if source.lines > FILE_LINES and not ANY_LENGTH.search(source.path):
        yield 1, f"{source.lines} lines; a file has at most {FILE_LINES}"


def function_length(source: Source) -> Breaches:
    """No function over the limit."""
    for node in _functions(source.tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES and not ANY_LENGTH.search(source.path):
            yield node.lineno, f"{node.name} has {lines} lines; a function has at most {FUNCTION_LINES}"


def function_imports(source: Source) -> Breaches:
    """No import inside a function."""
    for function in _functions(source.tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node.lineno, f"{function.name} imports; imports stand at the top"


def docstrings(source: Source) -> Breaches:
    """A sentence on every public name of the layers that others call."""
    if DOCUMENTED.search(source.path):
        yield from _undocumented(source.tree)


def _undocumented(node: ast.Module | ast.ClassDef) -> Breaches:
    for child in node.body:
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if child.name.startswith("_"):
            continue
        if not ast.get_docstring(child):
            yield child.lineno, f"{child.name} has no docstring"
        if isinstance(child, ast.ClassDef):
            yield from _undocumented(child)


def names(source: Source) -> Breaches:
    """No name that says nothing."""
    for line, name in _names(source):
        is_sentence = name.startswith("test_")
        if is_sentence or name in ALLOWED_NAMES or f"{source.path}:{name}" in ALLOWED_NAMES:
            continue
        for word in sorted(NAMES.intersection(_parts(name))):
            yield line, f"{name!r} says {word!r}; say what it is or does"


def _names(source: Source) -> Iterator[tuple[int, str]]:
    for part in Path(source.path).with_suffix("").parts:
        yield 1, part
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def _parts(name: str) -> list[str]:
    """The lower-case words of a snake_case or CamelCase name."""
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3_\2\4", name)
    return apart.lower().split("_")


def banned_words(path: str, text: str) -> Breaches:
    """No word of the trade that Drumbeat does not use, in the text or in the file's name."""
    for word in WORDS.findall(path):
        yield 1, f"the path says {word!r}"
    for allowed in ALLOWED_TEXTS:
        text = text.replace(allowed, "")
    for number, line in enumerate(text.splitlines(), 1):
        for word in WORDS.findall(line):
            yield number, f"the text says {word!r}"


def accounts(source: Source) -> Breaches:
    """Whatever locks or is unique in the store names the account."""
    if not source.path.startswith("src/drumbeat/store/"):
        return
    constants = dict(_constants(source.tree))
    for node in ast.walk(source.tree):
        called = node.func if isinstance(node, ast.Call) else None
        what = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
        if not isinstance(node, ast.Call) or what is None:
            continue
        if what == "Statement":
            text = " ".join(_texts(node, constants))
            if LOCKS.search(text) and "account_id" not in text:
                yield node.lineno, "a statement that locks names no account_id"
        elif _makes_unique(what, node) and "account_id" not in set(_texts(node, {})):
            yield node.lineno, f"a unique {what} names no account_id"
        elif what in ("Table", "create_table", "tenant_table"):
            yield from _unique_columns(node)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The module's own pieces of text, which statements are put together from."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, " ".join(_texts(node.value, {}))


def _texts(node: ast.AST, constants: dict[str, str]) -> Iterator[str]:
    """Every text, attribute and known constant within."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name) and part.id in constants:
            yield constants[part.id]


def _makes_unique(what: str, call: ast.Call) -> bool:
    if what == "UniqueConstraint":
        return not ACCOUNTLESS_TABLES & {text.split("_")[1] for text in _texts(call, {}) if text.startswith("uq_")}
    return what in ("Index", "create_index", "create_unique_constraint") and _is_true(call, "unique")


def _unique_columns(table: ast.Call) -> Breaches:
    name = next(_texts(table.args[0], {}), "") if table.args else ""
    for node in ast.walk(table):
        column = isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Column"
        if isinstance(node, ast.Call) and column and _is_true(node, "unique") and name not in ACCOUNTLESS_TABLES:
            yield node.lineno, f"a unique Column of {name} names no account_id"


def _is_true(call: ast.Call, keyword: str) -> bool:
    return any(k.arg == keyword and isinstance(k.value, ast.Constant) and k.value.value is True for k in call.keywords)


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


RULES: tuple[Callable[[Source], Breaches], ...] = (
    file_length,
    function_length,
    function_imports,
    docstrings,
    names,
    accounts,
)


def main(root: Path) -> int:
    """Print every breach, and the median file."""
    breaches = check(root)
    print(*breaches, sep="\n", end="\n" if breaches else "")
    lengths = [source.lines for source in sources(root) if source.path.startswith("src/") and source.lines > 1]
    print(
        f"{len(breaches)} breaches; the median of {len(lengths)} files is {median(lengths or [0]):.0f} lines "
        f"(goal: {MEDIAN_LINES})"
    )
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
