"""Carrying the installation's own letters, such as invitations, to its own mail server."""

from __future__ import annotations

import structlog

from drumbeat.domain.delivery import Kind, Scope, Verdict, read_outcome
from drumbeat.domain.errors import DrumbeatError
from drumbeat.mail.notice import SystemSender, carry_notice
from drumbeat.operations.notices import claim_notice, forget_notice, written
from drumbeat.store import notices
from drumbeat.store.notices import Notice
from drumbeat.wiring import World

_log = structlog.get_logger()


def carry_next(world: World, sender: SystemSender) -> bool:
    """Carry the notice that waits longest; False if none is due. One that is refused for good is forgotten."""
    with world.database.read() as snapshot:
        notice, now = notices.find_due(snapshot), snapshot.now
    if notice is None:
        return False
    if not world.database.transact(lambda tx: claim_notice(tx, notice)):
        return True
    try:
        outcome = carry_notice(sender, notice.recipient, written(world.vault, notice, sender, now))
    except DrumbeatError as error:  # another master key sealed it, or the address fits in no header
        _give_up(world, notice, str(error))
        return True
    _settle(world, notice, read_outcome(outcome))
    return True


def _settle(world: World, notice: Notice, verdict: Verdict) -> None:
    if verdict.kind is Kind.REFUSED and verdict.scope is not Scope.MAILBOX:
        _give_up(world, notice, verdict.detail)
    elif verdict.kind in (Kind.ACCEPTED, Kind.IN_DOUBT):  # in doubt: they can ask for another one
        world.database.transact(lambda tx: forget_notice(tx, notice))
    else:
        _log.warning("a letter to a user has to wait", account_id=notice.account_id, why=verdict.detail)


def _give_up(world: World, notice: Notice, why: str) -> None:
    _log.error("a letter to a user cannot be sent", account_id=notice.account_id, notice_id=notice.id, why=why)
    world.database.transact(lambda tx: forget_notice(tx, notice))
