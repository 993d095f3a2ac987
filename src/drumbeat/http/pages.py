"""The pages people see, made from templates that escape everything; one small style sheet, next to no script."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response

_HERE = Path(__file__).parent
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_SCRIPT_POLICY = CONTENT_POLICY + "; script-src 'self'"


class Pages:
    """Renders templates; reads them and what they refer to once. `static` is that, with its type, by name."""

    def __init__(self) -> None:
        self.style_name, style = _static("drumbeat.css")
        self._script_name, script = _static("password.js")
        self.static = {self.style_name: (MediaType.CSS, style), self._script_name: ("text/javascript", script)}
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, status: int = 200, **values: Any) -> Response[bytes]:
        """A page made from a template; nobody may keep it."""
        text = self._templates.get_template(template).render(style=self.style_name, **values)
        headers = {"content-security-policy": CONTENT_POLICY, "cache-control": "no-store"}
        return Response(text.encode(), status_code=status, media_type="text/html", headers=headers)

    def scripted(self, template: str, status: int = 200, **values: Any) -> Response[bytes]:
        """A page with the one script there is."""
        made = self.page(template, status, script=self._script_name, **values)
        made.headers["content-security-policy"] = _SCRIPT_POLICY
        return made


def _static(name: str) -> tuple[str, bytes]:
    """A file under a name that changes with its content, so that it may be kept for ever."""
    content = (_HERE / "static" / name).read_bytes()
    stem, _, kind = name.rpartition(".")
    return f"{stem}.{sha256(content).hexdigest()[:12]}.{kind}", content
