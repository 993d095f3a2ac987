"""/settings/account: what holds for everybody who works in the account; admins change it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Response, post
from litestar.params import RawBody

from drumbeat.domain.account import LONGEST_KEPT, Account, AgentsSee, Role, UnknownMeans
from drumbeat.domain.errors import Invalid, InvalidMany
from drumbeat.domain.locale import offered_locales
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Visit, opened, posted, visiting
from drumbeat.http.web.settings.zones import offered_zones
from drumbeat.operations.accounts import change_account
from drumbeat.operations.pacing import allowance_of
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx

_PAGE = "/settings/account"
_UNKNOWN = (
    (UnknownMeans.ASK.value, "Ask somebody what became of it"),
    (UnknownMeans.SENT.value, "Count it as sent"),
)
_SEEN = (
    (AgentsSee.ALL.value, "Everything in the account"),
    (AgentsSee.OWN.value, "Their own people, tasks and enrollments alone"),
)


@readable(_PAGE, opt=opened())
def show_account(request: AnyRequest) -> Response[bytes]:
    """The account's settings: a form for admins, to read for agents."""
    with visiting(request) as visit:
        return _page(visit, _filled(visit.account))


def _filled(account: Account) -> Form:
    return Form.of(
        name=account.name,
        time_zone=account.time_zone,
        locale=account.locale,
        postal_address=account.postal_address,
        sequences_enabled=account.sequences_enabled,
        unknown_means=account.unknown_means.value,
        agents_see=account.agents_see.value,
        monthly_allowance=account.monthly_allowance,
        keep_days=account.keep_days,
    )


def _page(visit: Visit, form: Form, status: int = 200) -> Response[bytes]:
    return visit.page(
        "settings/account.html",
        status,
        form=form,
        allowance=allowance_of(visit.snapshot, visit.account),
        unknown_words=_UNKNOWN,
        seen_words=_SEEN,
        longest_kept=LONGEST_KEPT,
        zones=offered_zones(),
        locales=offered_locales(),
    )


@post(_PAGE, status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def update_account(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Changes them; what waited for sequences to be on, for the address or for the limit goes on."""
    sent = posted(request, body, Role.ADMIN)
    try:
        changes = _changes(sent.form)

        def work(tx: Tx) -> Account:
            standing = accounts.lock_account(tx, sent.account_id)
            return change_account(tx, replace(standing, **sent.form.touched(changes)), sent.by)

        sent.transact(work)
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _page(visit, sent.form.complain(error), 422)
    return sent.to(_PAGE, "The account's settings are kept.")


def _changes(form: Form) -> dict[str, Any]:
    return {
        "name": form.text("name"),
        "time_zone": form.text("time_zone"),
        "locale": form.text("locale"),
        "postal_address": form.optional("postal_address"),
        "sequences_enabled": form.is_on("sequences_enabled"),
        "unknown_means": form.chosen("unknown_means", UnknownMeans),
        "agents_see": form.chosen("agents_see", AgentsSee),
        "monthly_allowance": form.number("monthly_allowance"),
        "keep_days": form.number("keep_days", 1, LONGEST_KEPT),
    }


handlers = [show_account, update_account]
