"""/settings: what can be set, and where."""

from __future__ import annotations

from dataclasses import dataclass

from litestar import Response

from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.web.frame import Visit, opened, visiting
from drumbeat.store import accounts, inboxes, mailboxes


@dataclass(frozen=True, slots=True)
class Card:
    """A part of the settings: where it is, what it is for, and what needs a look there now."""

    name: str
    href: str
    sentence: str
    note: str = ""


@readable("/settings", opt=opened())
def show_settings(request: AnyRequest) -> Response[bytes]:
    """A card for each part that whoever looks may open."""
    with visiting(request) as visit:
        return visit.page("settings/overview.html", cards=_cards(visit))


def _cards(visit: Visit) -> list[Card]:
    is_admin = visit.member.is_admin
    cards = [
        Card("You", "/settings/profile", "Your name, clock and locale, your password, and where you are signed in."),
        Card(
            "Mailboxes",
            "/settings/mailboxes",
            "Letters leave through them, and replies come back to them.",
            _note_on_mailboxes(visit),
        ),
        Card(
            "Account",
            "/settings/account",
            "Its name, postal address, clock and locale, and what holds for every letter.",
            "" if visit.account.sequences_enabled else "Sequences are switched off.",
        ),
        Card("Users", "/settings/users", "Who works here, and what each of them may do.", _note_on_users(visit)),
        Card("Calendars", "/settings/calendars", "Holidays on which sequences in working days rest."),
    ]
    if visit.seen_by is None:
        cards.append(Card("Suppressed addresses", "/settings/suppressions", "Addresses that nothing is sent to."))
    if is_admin:
        cards.append(Card("Tokens and keys", "/settings/keys", "What other programs come in with."))
        cards.append(Card("Files", "/settings/files", "The account as a YAML file, out and in."))
    return cards


def _note_on_mailboxes(visit: Visit) -> str:
    found = mailboxes.list_all(visit.snapshot, visit.account_id)
    hearing = inboxes.list_all(visit.snapshot, visit.account_id)
    if not found:
        return "None yet: no letter can leave."
    off = sum(not each.is_active for each in found)
    held = sum(each.is_active and each.hold_reason is not None for each in found)
    deaf = sum(hearing[each.id].trouble is not None for each in found if each.id in hearing)
    told = ((held, "held"), (off, "switched off"), (deaf, "cannot be read"))
    return ", ".join(f"{count} {words}" for count, words in told if count)


def _note_on_users(visit: Visit) -> str:
    inactive = sum(not user.is_active for user in accounts.list_users(visit.snapshot, visit.account_id))
    return visit.manner.plural(inactive, "inactive user") if inactive else ""


handlers = [show_settings]
