"""A call repeated with its Idempotency-Key has its effect once, and gets the same answer each time."""

from __future__ import annotations

from collections.abc import Callable

from drumbeat.domain.errors import KeyAtWork, KeyReused
from drumbeat.store import kept_answers
from drumbeat.store.kept_answers import KeyedCall
from drumbeat.store.transaction import StillHeld, Tx

WAIT_FOR = 5.0  # seconds for a call with the same key that is at work


def once(tx: Tx, call: KeyedCall | None, work: Callable[[], bytes], *, wait_for: float = WAIT_FOR) -> bytes:
    """The answer of `work`, done in this transaction; or of the call with this key that was answered before.

    Refusals are not kept: `work` raises, and the key is free again. None is a call without a key.
    """
    if call is None:
        return work()
    try:
        is_first = kept_answers.claim(tx, call, wait_for=wait_for)
    except StillHeld:
        raise KeyAtWork("Repeat the call in a moment to get its answer.") from None
    if is_first:
        answer = work()
        kept_answers.keep(tx, call, answer)
        return answer
    request_hash, answer = kept_answers.get(tx, call)
    if request_hash != call.request_hash:
        raise KeyReused("Use a new key for each request, and the same key only to repeat one as it was.")
    return answer
