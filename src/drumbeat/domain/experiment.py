"""Whether the difference between two variants is real, at any moment one looks.

People get variant B by chance, each with the same share. If both variants were equally good, whoever replied would
have got B with just that share: every reply is a toss of a coin that is known. How much better the replies are
explained by another coin, whatever it be (a mixture over all of them), is an e-value: by Ville's inequality it reaches
20 in one of twenty such tests at most, however often one looks and whenever one stops. The same tells whether people
are enrolled in the share that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, lgamma, log
from typing import Final

from drumbeat.domain.variant import Variant

CONVINCED: Final = 20.0
"""The e-value that decides: at most one in twenty of tests without a difference ever reaches it."""
_ALARMED: Final = 1000.0  # a wrong share is a defect, not a finding: be surer
_WEIGHT: Final = 40.0  # of the mixture around the known coin, in tosses: made for ratios of 1.2 to 2
_MOST: Final = 100_000  # replies: nobody waits for more
_STEPS: Final = 60


@dataclass(frozen=True, slots=True)
class Arm:
    """What became of a variant: how many were enrolled, and how many of them replied."""

    enrolled: int
    replied: int

    @property
    def rate(self) -> float:
        """The share that replied."""
        return self.replied / self.enrolled if self.enrolled else 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test says now: the evidence (e-value), which variant is better (None: not decided), how many times as many
    replies B gets as A, at least and at most, and about how many people more are needed (None: not to be told).

    `is_skewed` says that people are not enrolled in the share asked for: then nothing else holds.
    """

    evidence: float
    better: Variant | None
    least: float
    most: float
    needed: int | None
    is_skewed: bool


def examine(a: Arm, b: Arm, share: int) -> Finding:
    """The finding for two variants; `share` is B's percentage, 1 to 99."""
    coin = share / 100
    tosses, heads = a.replied + b.replied, b.replied
    evidence = _evidence(heads, tosses, coin)
    least, most = _range(heads, tosses)
    decided = evidence >= CONVINCED
    return Finding(
        evidence=evidence,
        better=(Variant.B if heads > coin * tosses else Variant.A) if decided else None,
        least=_ratio(least, coin),
        most=_ratio(most, coin),
        needed=None if decided else _needed(a, b, coin),
        is_skewed=_evidence(b.enrolled, a.enrolled + b.enrolled, coin) >= _ALARMED,
    )


def _evidence(heads: int, tosses: int, coin: float) -> float:
    """How many times better a mixture of coins explains the tosses than the known one does."""
    logarithm = _log_evidence(heads, tosses, coin, centre=coin)
    return exp(logarithm) if logarithm < 700 else inf


def _log_evidence(heads: int, tosses: int, coin: float, *, centre: float) -> float:
    up, down = _WEIGHT * centre, _WEIGHT * (1 - centre)
    mixture = _log_beta(up + heads, down + tosses - heads) - _log_beta(up, down)
    return mixture - heads * log(coin) - (tosses - heads) * log(1 - coin)


def _log_beta(x: float, y: float) -> float:
    return lgamma(x) + lgamma(y) - lgamma(x + y)


def _range(heads: int, tosses: int) -> tuple[float, float]:
    """The coins that the tosses do not speak against, at any time, from the least to the most."""
    if not tosses:
        return 0.0, 1.0
    middle = heads / tosses
    return _edge(heads, tosses, 0.0, middle), 1 - _edge(tosses - heads, tosses, 0.0, 1 - middle)


def _edge(heads: int, tosses: int, low: float, high: float) -> float:
    for _ in range(_STEPS):
        tried = (low + high) / 2
        if tried <= 0 or _log_evidence(heads, tosses, tried, centre=0.5) >= log(CONVINCED):
            low = tried
        else:
            high = tried
    return low


def _ratio(coin: float, known: float) -> float:
    """How many times as many of B's people reply as of A's, if replies are tosses of this coin."""
    return inf if coin >= 1 else coin * (1 - known) / ((1 - coin) * known)


def _needed(a: Arm, b: Arm, coin: float) -> int | None:
    """About how many people more decide it, if it goes on as it went."""
    enrolled, tosses = a.enrolled + b.enrolled, a.replied + b.replied
    seen = b.replied / tosses if tosses else coin
    gain = _gain(seen, coin)
    if tosses < 5 or gain < 1e-5:
        return None
    wanted = tosses
    while wanted < _MOST and _log_evidence(round(seen * wanted), wanted, coin, centre=coin) < log(CONVINCED):
        wanted = wanted + max(1, wanted // 20)
    return max(round((wanted - tosses) * enrolled / tosses), 1) if wanted < _MOST else None


def _gain(seen: float, coin: float) -> float:
    """What a toss of the coin seen adds to the logarithm of the evidence, on average."""
    up = seen * log(seen / coin) if seen > 0 else 0.0
    down = (1 - seen) * log((1 - seen) / (1 - coin)) if seen < 1 else 0.0
    return up + down
