"""A/B: which variant a person gets. A stable hash decides, so a repeated call decides the same."""

from __future__ import annotations

from enum import StrEnum

from drumbeat.domain.mac import mac


class Variant(StrEnum):
    """A is the addressed sequence, B the other one."""

    A = "A"
    B = "B"


def choose_variant(key: bytes, account_id: int, experiment: int, address_hash: str, share: int) -> Variant:
    """The variant of one address key in the experiment (sequence A's id); `share` is B's percentage, 1 to 99."""
    drawn = int.from_bytes(mac(key, "variant", account_id, experiment, address_hash)[:8], "big")
    return Variant.B if drawn * 100 < share << 64 else Variant.A
