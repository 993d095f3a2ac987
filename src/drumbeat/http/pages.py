"""The pages people see, made from templates that escape everything; what they refer to is served from here alone."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response

from drumbeat.http import wording

_HERE = Path(__file__).parent
_NOTHING = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
CONTENT_POLICY = f"{_NOTHING}; frame-src 'self'; img-src 'self'"
SCRIPT_POLICY = f"{CONTENT_POLICY}; script-src 'self'; connect-src 'self'"
CAGE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""Of a document that holds a letter's HTML: no script, no form, nothing from the network."""
_KINDS = {".css": MediaType.CSS, ".js": "text/javascript", ".svg": "image/svg+xml"}


class Pages:
    """Renders templates; reads them and what they refer to once. `static` is that, with its type, by the name it is
    served under, which changes with its content, so that it may be kept for ever."""

    def __init__(self) -> None:
        self.static: dict[str, tuple[str, bytes]] = {}
        served = {path.name: self._serve(path) for path in (_HERE / "static").iterdir() if path.suffix in _KINDS}
        self._templates = Environment(
            loader=FileSystemLoader([_HERE / "templates", _HERE / "web" / "pages"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= wording.FILTERS
        self._templates.globals |= {"static": served, **wording.TABLES}

    def page(self, name: str, status: int = 200, /, *, policy: str = CONTENT_POLICY, **values: Any) -> Response[bytes]:
        """A page made from a template; nobody may keep it."""
        text = self._templates.get_template(name).render(**values)
        headers = {"content-security-policy": policy, "cache-control": "no-store"}
        return Response(text.encode(), status_code=status, media_type="text/html", headers=headers)

    def scripted(self, name: str, status: int = 200, /, **values: Any) -> Response[bytes]:
        """A page with scripts of our own."""
        return self.page(name, status, policy=SCRIPT_POLICY, **values)

    def _serve(self, path: Path) -> str:
        content = path.read_bytes()
        name = f"{path.stem}.{sha256(content).hexdigest()[:12]}{path.suffix}"
        self.static[name] = (_KINDS[path.suffix], content)
        return f"/static/{name}"
