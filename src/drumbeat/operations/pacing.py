"""A mailbox's own pace and the account's allowance: turns when letters are claimed, counts when they leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from drumbeat.domain.account import Account
from drumbeat.domain.limits import Allowance, Diary, month_of
from drumbeat.store import accounts, due, lanes, mailboxes, quarantine, turns
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Snapshot, Tx

MISSED_AFTER = timedelta(minutes=2)


def open_diary(tx: Tx, mailbox: StoredMailbox, account: Account) -> Diary | None:
    """The turns of a mailbox, locked until the end of the transaction; None if nothing limits it."""
    if not mailbox.is_paced:
        return None
    turns.lock(tx, mailbox.account_id, mailbox.id)
    return read_diary(tx, mailbox, account)


def read_diary(snapshot: Snapshot, mailbox: StoredMailbox, account: Account) -> Diary:
    """The turns of a mailbox with limits as they stand, to look at: what is changed in it is not stored."""
    pace = mailbox.pace(account.time_zone)
    since = pace.day_of(snapshot.now - timedelta(hours=1))
    return Diary(pace, turns.hours_since(snapshot, mailbox.account_id, mailbox.id, since))


def close_diary(tx: Tx, account_id: int, mailbox_id: int, diary: Diary | None) -> None:
    """Store what changed in it."""
    if diary is not None and diary.changed:
        turns.save(tx, account_id, mailbox_id, {hour: diary.hours[hour] for hour in sorted(diary.changed)})


def give_anew_if_missed(tx: Tx, mailbox: StoredMailbox) -> bool:
    """After an outage give the turns anew, oldest first, so that nobody catches up in a burst; False if none passed."""
    # Turns of a time that a restore lost are not missed: whether they were taken is not known.
    since, until = quarantine.lost_until(tx), tx.now - MISSED_AFTER
    is_missed = due.missed_turn(tx, mailbox.account_id, mailbox.id, since, until)
    if is_missed:
        give_anew(tx, mailbox.account_id, mailbox.id)
    return is_missed


def give_anew(tx: Tx, account_id: int, mailbox_id: int) -> None:
    """Let everybody who waits for a turn at a mailbox be due since they were: the next claim gives turns again."""
    turns.lock(tx, account_id, mailbox_id)
    turns.forget_given(tx, account_id, mailbox_id)
    due.forget_turns(tx, account_id, mailbox_id)
    lanes.wake(tx, account_id, [(mailbox_id, tx.now)])


def allowance_of(snapshot: Snapshot, account: Account) -> Allowance | None:
    """What the account may send this month; None for any number."""
    if account.monthly_allowance is None:
        return None
    month, renews_at = month_of(snapshot.now, account.time_zone)
    return Allowance(account.monthly_allowance, turns.sent_in(snapshot, account.id, month), renews_at)


@dataclass(slots=True)
class Counter:
    """The counts that letters are held against when they pass the point of no return, and that refusals lower.

    Without limits it counts nothing, and costs one look at the mailbox and the account.
    """

    account: Account
    mailbox: StoredMailbox
    diary: Diary | None
    allowance: Allowance | None

    @property
    def is_needed(self) -> bool:
        """Whether anything is limited."""
        return self.diary is not None or self.allowance is not None

    def room(self, now: datetime) -> int | None:
        """How many letters may leave now; None: any number."""
        left = [
            room
            for room in (
                None if self.diary is None else self.diary.room(now),
                None if self.allowance is None else self.allowance.left,
            )
            if room is not None
        ]
        return min(left) if left else None

    def give_back(self, turn_at: datetime | None) -> None:
        """A letter that had this turn does not leave in it."""
        if self.diary is not None and turn_at is not None:
            self.diary.give_back(turn_at)

    def count(self, tx: Tx, letters: int) -> None:
        """So many letters leave now."""
        if self.diary is not None:
            self.diary.count_sent(tx.now, letters)
        if self.allowance is not None:
            turns.count_in(tx, self.account.id, month_of(tx.now, self.account.time_zone)[0], letters)

    def uncount(self, tx: Tx, at: datetime) -> None:
        """A letter that left then was refused after all."""
        if self.diary is not None:
            self.diary.count_sent(at, -1)
        if self.allowance is not None:
            turns.uncount_in(tx, self.account.id, month_of(at, self.account.time_zone)[0])

    def close(self, tx: Tx) -> None:
        """Store what was counted."""
        close_diary(tx, self.account.id, self.mailbox.id, self.diary)


def open_counter(tx: Tx, account_id: int, mailbox_id: int) -> Counter:
    """The counts of a mailbox and its account, locked until the end of the transaction if there are any."""
    account, mailbox = accounts.get_account(tx, account_id), mailboxes.get(tx, account_id, mailbox_id)
    diary, allowance = open_diary(tx, mailbox, account), None
    if account.monthly_allowance is not None:
        month, renews_at = month_of(tx.now, account.time_zone)
        allowance = Allowance(account.monthly_allowance, turns.count_in(tx, account_id, month, 0), renews_at)
    return Counter(account, mailbox, diary, allowance)
