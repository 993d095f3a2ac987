"""/settings/files: the account's sequences, templates and calendars as YAML, out and in; looked at before."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue, MissingField, Refused
from drumbeat.http.app_api.files import without_attachments
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.operations.files import apply, plan, read_files

_PAGE = "/settings/files"
_NAME = "what was sent"


@readable(_PAGE, opt=opened(Role.ADMIN))
def show_files(request: AnyRequest) -> Response[bytes]:
    """Where to get the account as a file, and a place to put one in."""
    with visiting(request, Role.ADMIN) as visit:
        return _page(visit, Form.of(content=None, file=None))


def _page(
    visit: Visit, form: Form, status: int = 200, changes: list[tuple[str, list[str]]] | None = None
) -> Response[bytes]:
    return visit.page("settings/files.html", status, form=form, changes=changes)


@post(_PAGE, status_code=200, sync_to_thread=True, opt=opened(Role.ADMIN))
def take_files(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """First what would change; then, when that was looked at, the same for good, all or nothing."""
    sent = posted(request, body, Role.ADMIN)
    try:
        content = _content(sent)
        sent.form.values = {**sent.form.values, "content": [content]}
        desired = read_files([(_NAME, content)], without_attachments)
        hash_key = sent.world.hash_key
        if sent.form.is_on("go"):
            done = sent.transact(lambda tx: apply(tx, sent.account_id, sent.by, desired, hash_key))
            made = f"{sent.manner.plural(len(done), 'change was', 'changes were')} made."
            return sent.to(_PAGE, made if done else "Everything was so already.")
        with sent.again() as visit:
            found = plan(visit.snapshot, sent.account_id, desired, hash_key)
            return _page(visit, sent.form, changes=[(each.text, list(each.warnings)) for each in found])
    except Refused as error:
        form = sent.form.complain(IncorrectValue(f"{error.message} {error.detail}", field="content"))
        with sent.again() as visit:
            return _page(visit, form, 422)


def _content(sent: Sent) -> str:
    chosen = sent.form.files.get("file")
    if chosen and chosen[0].content:
        try:
            return chosen[0].content.decode()
        except UnicodeDecodeError:
            raise IncorrectValue("The file is no text in UTF-8.", field="content") from None
    if not sent.form.text("content"):
        raise MissingField("Choose a file, or write what it would hold.", field="content")
    return sent.form.raw("content")


handlers = [show_files, take_files]
