"""Two agents on the same episodes: by how much one is better, and how probably."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sparring.document import AttackRecord, Evaluation, NominalRecord
from sparring.episode_rows import NO_ATTACK
from sparring.errors import RequestError
from sparring.statistics import LEVELS, REPEATS, resamples
from sparring.streams import stream

__all__ = ["STRONGEST", "Comparison", "compared"]

Floats = NDArray[np.float64]
Kept = NominalRecord | AttackRecord
"""Both kinds of record keep episodes."""
STRONGEST = "strongest"
"""Each agent under the attack that was chosen as its strongest."""


@dataclass(frozen=True)
class Comparison:
    """A second agent beside a first one, under one attack."""

    first: str
    second: str
    budget: float | None
    attack: str
    """An oracle that attacked both, `no attack`, or `strongest`."""
    episodes: int
    """Seeds that both have played."""
    left_out: int
    """Seeds that only one of them has played."""
    difference: float
    """Mean return of the second less that of the first."""
    ci95: tuple[float, float]
    """Student's interval of the paired differences."""
    improvement: float
    """Probability that an episode of the second returns more than one of the first, ties counting half."""
    improvement_ci95: tuple[float, float]
    """Bootstrap interval; both returns of a seed are drawn together."""


def compared(first: Evaluation, second: Evaluation) -> list[Comparison]:
    """Compare two evaluations without attack, under each oracle that both have, and under the strongest of each.

    The probability of improvement is that of Agarwal et al. 2021 (section 4.3): over all pairs of episodes, not only
    those of the same seed. Empty where values are exact.

    Raises:
        RequestError: fewer than two seeds were played by both.
    """
    theirs = {record.oracle: record for record in second.attacks}
    pairs: list[tuple[str, Kept, Kept]] = [(NO_ATTACK, first.nominal, second.nominal)]
    pairs += [(each.oracle, each, theirs[each.oracle]) for each in first.attacks if each.oracle in theirs]
    if first.attacks and second.attacks:
        pairs.append((STRONGEST, _strongest(first), _strongest(second)))
    budget = None if first.budget is None else first.budget.value
    names = first.victim.spec, second.victim.spec
    return [
        _comparison(names, budget, attack, one, other, first.provenance.seed)
        for attack, one, other in pairs
        if one.returns is not None and other.returns is not None
    ]


def _strongest(item: Evaluation) -> Kept:
    """The record of the attack that the interval rests on, which was chosen on other episodes."""
    method = item.exploitability.method
    named = [each for each in item.attacks if method == each.oracle or method.startswith(f"{each.oracle}, ")]
    return named[0] if named else item.nominal


def _comparison(
    names: tuple[str, str], budget: float | None, attack: str, first: Kept, second: Kept, seed: int
) -> Comparison:
    one, other, left_out = _paired(first, second, names)
    excess = other - one
    error = float(np.std(excess, ddof=1)) / math.sqrt(len(excess)) * float(stdtrit(len(excess) - 1, 0.975))
    mean = float(excess.mean())
    rng, size = stream(seed, "bootstrap"), [len(excess)]
    drawn = (resamples(size, rng, 1)[0][0] for _ in range(REPEATS))
    low, high = np.percentile([_improvement(one[at], other[at]) for at in drawn], LEVELS)
    return Comparison(
        *names,
        budget=budget,
        attack=attack,
        episodes=len(excess),
        left_out=left_out,
        difference=mean,
        ci95=(mean - error, mean + error),
        improvement=_improvement(one, other),
        improvement_ci95=(float(low), float(high)),
    )


def _paired(first: Kept, second: Kept, names: tuple[str, str]) -> tuple[Floats, Floats, int]:
    """Returns of the seeds that both have played, in the same order, and how many seeds are left out."""
    one, other = _by_seed(first), _by_seed(second)
    shared = [seed for seed in one if seed in other]
    if len(shared) < 2:
        raise RequestError(
            f"compare: {names[0]} and {names[1]} share {len(shared)} seeds of episodes; evaluate both with the same "
            "--seed and --episodes"
        )
    left_out = len(one) + len(other) - 2 * len(shared)
    return np.array([one[seed] for seed in shared]), np.array([other[seed] for seed in shared]), left_out


def _by_seed(record: Kept) -> dict[int, float]:
    """Returns by seed; by place where a form keeps no seeds, as the seed of the evaluation fixes their order."""
    assert record.returns is not None
    seeds: Sequence[int] = range(len(record.returns)) if record.seeds is None else record.seeds
    return dict(zip(seeds, record.returns, strict=True))


def _improvement(first: Floats, second: Floats) -> float:
    """Share of all pairs in which the second is greater, ties counting half."""
    ordered = np.sort(first)
    below = np.searchsorted(ordered, second, "left") + np.searchsorted(ordered, second, "right")
    return float(below.mean()) / (2 * len(ordered))
