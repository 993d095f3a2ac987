"""The list of addresses that nothing is sent to: added to by hand or from a file, looked at, exported, lifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drumbeat.domain.errors import IncorrectValue, NotFound
from drumbeat.domain.person import address_hash, normalize_email
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import events, unsubscribes
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.transaction import Snapshot, Tx

MOST_AT_ONCE = 1000
_LIFTED = "suppression_lifted"
_PAGE = 1000
_HEADERS = ("email", "e-mail", "email address", "e-mail address", "address", "mail")
_COLUMNS = ["email", "address_hash", "cause", "since", "evidence"]


@dataclass(frozen=True, slots=True)
class Suppressing:
    """What became of addresses that were to be suppressed: how many are now, were before, and are no addresses."""

    added: int
    already: int
    finished: int
    invalid: tuple[str, ...]


def suppress_many(
    tx: Tx, hash_key: bytes, account_id: int, emails: Sequence[str], *, evidence: str, actor_id: int
) -> Suppressing:
    """Never write to these addresses again, and finish what runs for them; what is no address is left out."""
    hashes: dict[str, str] = {}
    invalid = []
    for text in emails:
        try:
            hashes.setdefault(address_hash(hash_key, account_id, normalize_email(text)), text)
        except IncorrectValue:
            invalid.append(text)
    before = unsubscribes.suppressed_among(tx, account_id, sorted(hashes))
    finished = sum(
        suppress(tx, account_id, hashed, Suppression.SUPPRESSED, evidence=evidence, actor_id=actor_id)
        for hashed in sorted(hashes)
    )
    return Suppressing(len(hashes) - len(before), len(before), finished, tuple(invalid))


def lift_suppression(tx: Tx, hash_key: bytes, account_id: int, email: str, *, actor_id: int) -> int | None:
    """Let an address be written to again, as its owner wishes; None if it was not suppressed.

    What was known of it stays in the journal, in the note whose id this returns.
    """
    hashed = address_hash(hash_key, account_id, normalize_email(email))
    before = unsubscribes.find_suppressed(tx, account_id, hashed)
    if before is None or not unsubscribes.lift(tx, account_id, hashed):
        return None
    return events.journal(
        tx,
        account_id,
        _LIFTED,
        subject="address",
        subject_id=hashed,
        actor_id=actor_id,
        cause=before.cause,
        evidence=before.evidence,
        since=to_stamp(before.created_at),
    )


def restore_suppression(tx: Tx, account_id: int, note_id: int, *, actor_id: int) -> None:
    """Take back that a suppression was lifted, by the id of its note: it stands again as it was, and since when.

    What runs for the address meanwhile finishes.
    """
    found = events.find_note(tx, account_id, note_id, _LIFTED)
    if found is None:
        raise NotFound(f"There is no lifted suppression {note_id}.")
    hashed, told = found
    cause, since = Suppression(told["cause"]), from_stamp(told["since"])
    suppress(tx, account_id, hashed, cause, evidence=told["evidence"], actor_id=actor_id, since=since)


def addresses_in(rows: Iterator[list[str]]) -> Iterator[str]:
    """The addresses of a table: of the column headed as e-mail, else of the first one."""
    first = next(rows, [])
    headed = [index for index, cell in enumerate(first) if cell.strip().lower() in _HEADERS]
    column = headed[0] if headed else 0
    if not headed and first and "@" in first[0]:
        yield first[0]
    for row in rows:
        if len(row) > column and row[column].strip():
            yield row[column].strip()


def suppression_table(snapshot: Snapshot, account_id: int) -> Iterator[list[str]]:
    """Every suppressed address key, the headers first; the address is blank where nobody has it any more."""
    yield list(_COLUMNS)
    after = ""
    while found := unsubscribes.list_suppressed(snapshot, account_id, after, _PAGE):
        for each in found:
            since = each.created_at.isoformat(timespec="seconds")
            yield [each.email or "", each.address_hash, each.cause.value, since, each.evidence]
        after = found[-1].address_hash
