"""The pages people see, made from templates that escape everything; no script, one small style sheet."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

_HERE = Path(__file__).parent
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Pages:
    """Renders templates; reads them and the style sheet once."""

    def __init__(self) -> None:
        self.style = (_HERE / "static" / "drumbeat.css").read_bytes()
        self.style_name = f"drumbeat.{sha256(self.style).hexdigest()[:12]}.css"
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
