"""`drumbeat mailbox grant`, `identity`, `sign` and `hook`: who a mailbox is at its provider and to receivers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drumbeat.cli.mailboxes import MailboxId
from drumbeat.cli.terminal import (
    AccountOption,
    ActingOption,
    acting_user,
    opened,
    options_named,
    pick_account,
    say,
    shown,
    transacted,
)
from drumbeat.domain.errors import NotFound
from drumbeat.mail.dkim import new_key
from drumbeat.mail.identity import Verdict
from drumbeat.mail.oauth import PROVIDERS, Grant
from drumbeat.mail.provider_proofs import HOOK_USER
from drumbeat.mail.session import Provider
from drumbeat.operations.grants import grant_mailbox
from drumbeat.operations.holds import examine_sender
from drumbeat.operations.hooks import hook_path, remove_hook, set_hook
from drumbeat.operations.signing import USUAL_SELECTOR, Published, sign_with, stop_signing
from drumbeat.settings import text_in
from drumbeat.store import mailboxes
from drumbeat.store.transaction import Tx


def register(app: typer.Typer) -> None:
    """Add the commands to those of mailboxes."""
    app.command("grant")(grant)
    app.command("identity")(look_up)
    app.command("sign")(sign)
    app.command("hook")(hook)


def grant(
    mailbox_id: MailboxId,
    provider: Annotated[str, typer.Option("--provider", help="google, microsoft, or other with --token-url.")],
    username: Annotated[str, typer.Option("--username", help="Whose mailbox it is at the provider.")],
    client_id: Annotated[str, typer.Option("--client-id", help="Of your application at the provider.")],
    refresh_token_file: Annotated[Path, typer.Option("--refresh-token-file", exists=True, dir_okay=False)],
    client_secret_file: Annotated[
        Path | None, typer.Option("--client-secret-file", exists=True, dir_okay=False)
    ] = None,
    token_url: Annotated[str | None, typer.Option("--token-url", help="Where tokens are renewed.")] = None,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Let a mailbox log in by OAuth 2 (XOAUTH2) instead of a password, to send and to read."""
    usual_url, scope = PROVIDERS.get(provider, ("", ""))
    if provider != "other" and not usual_url:
        raise typer.BadParameter("It is google, microsoft or other.", param_hint="--provider")
    secret = "" if client_secret_file is None else text_in(client_secret_file, "--client-secret-file")
    refresh_token = text_in(refresh_token_file, "--refresh-token-file").strip()
    given = Grant(token_url or usual_url, client_id, secret, refresh_token, scope)
    with opened() as world:

        def work(tx: Tx) -> None:
            account_id = pick_account(tx, account)
            by = acting_user(tx, account_id, acting)
            grant_mailbox(tx, world.vault, account_id, mailbox_id, username, given, actor_id=by.id)

        with options_named("token_url", "client_id", "username", refresh_token="--refresh-token-file"):  # noqa: S106
            world.database.transact(work)
    say(f"Mailbox {mailbox_id} logs in as {shown(username)}. See whether it works: drumbeat mailbox test {mailbox_id}")


def look_up(
    mailbox_id: MailboxId,
    selector: Annotated[str | None, typer.Option("--selector", help="Where its DKIM key is, if you know.")] = None,
    account: AccountOption = None,
) -> None:
    """Look up what receivers do about a sender (SPF, DKIM, DMARC, MX, PTR, TLS), and say what to publish."""
    with opened() as world:
        with world.database.read() as snapshot:
            mailbox = mailboxes.get(snapshot, pick_account(snapshot, account), mailbox_id)
        if mailbox.is_removed:
            raise NotFound(f"There is no mailbox {mailbox_id}.")
        found = examine_sender(mailbox, world.resolver, selector=selector)
    for each in found:
        say(f"{each.verdict:<8} {each.subject}: {shown(each.sentence)}" + (f" Fix: {each.fix}" if each.fix else ""))
    if any(each.verdict is Verdict.WRONG for each in found):
        raise typer.Exit(1)


def sign(
    mailbox_id: MailboxId,
    selector: Annotated[str, typer.Option("--selector", help="Where the key is published.")] = USUAL_SELECTOR,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", exists=True, dir_okay=False, help="PEM; default: a new key.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Sign no more, and forget the key.")] = False,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Sign a mailbox's letters (DKIM) with a key of your own, and say what to publish; most providers sign already."""
    if off:
        did = transacted(
            account, acting, lambda tx, account_id, by: stop_signing(tx, account_id, mailbox_id, actor_id=by.id)
        )
        say(f"Mailbox {mailbox_id} signs no more." if did else f"Mailbox {mailbox_id} does not sign.")
        return
    pem = new_key() if key_file is None else text_in(key_file, "--key-file")
    with opened() as world:

        def work(tx: Tx) -> Published:
            account_id = pick_account(tx, account)
            by = acting_user(tx, account_id, acting)
            return sign_with(tx, world.vault, account_id, mailbox_id, selector, pem, actor_id=by.id)

        with options_named("selector", key="--key-file"):
            published = world.database.transact(work)
    say(f"Mailbox {mailbox_id} signs its letters. Publish this TXT record:")
    say(f"{published.name} {published.text}")


def hook(
    mailbox_id: MailboxId,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", exists=True, dir_okay=False, help="What the provider signs with."),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Be told no more.")] = False,
    account: AccountOption = None,
    acting: ActingOption = None,
) -> None:
    """Let a mailbox's provider tell what became of letters, and say where it is to post that."""
    if off:
        did = transacted(
            account, acting, lambda tx, account_id, by: remove_hook(tx, account_id, mailbox_id, actor_id=by.id)
        )
        say(f"Mailbox {mailbox_id} is told no more." if did else f"Mailbox {mailbox_id} is not told anything.")
        return
    with opened() as world:
        with world.database.read() as snapshot:
            account_id = pick_account(snapshot, account)
            provider = mailboxes.get(snapshot, account_id, mailbox_id).provider
        secret = _hook_secret(provider, secret_file)

        def work(tx: Tx) -> str | None:
            by = acting_user(tx, account_id, acting)
            return set_hook(tx, world.vault, account_id, mailbox_id, secret, actor_id=by.id)

        with options_named(secret="--secret-file"):  # noqa: S106
            made = world.database.transact(work)
        url = f"{world.settings.base_url}{hook_path(account_id, mailbox_id)}"
    say(f"Let {provider} post its events, and the mail it receives, to {url}")
    if provider == Provider.MAILGUN:
        say(f"Routes forward received mail to {url}/mime")
    if made is not None:
        say(f"With the user {HOOK_USER} and this password, which is shown once: {made}")


def _hook_secret(provider: str | None, file: Path | None) -> str | None:
    """Postmark has no secret of its own: one is made for it."""
    if file is not None:
        return text_in(file, "--secret-file").strip()
    if provider is None or provider == Provider.POSTMARK:
        return None
    return str(typer.prompt("Signing secret", hide_input=True, err=True))
