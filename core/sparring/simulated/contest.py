"""Plays whole episodes of a victim under attack, in batches whose size changes nothing, and keeps every return."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.journal import Played
from sparring.policy import Policy
from sparring.simulated._protocols import follows
from sparring.simulated.attackers import AttackView, proposals_of
from sparring.simulated.chance import EpisodeStreams
from sparring.simulated.channels import Channel, ObservationChannel
from sparring.simulated.episodes import Episodes, episodes_of
from sparring.simulated.meter import Meter
from sparring.simulated.normalising import Normalising
from sparring.simulated.seats import Seat, parts_of, pick
from sparring.simulated.spaces import Space
from sparring.simulated.world import Step, World

__all__ = ["Table", "contest", "inner_of", "seen_by"]

Array = NDArray[Any]
Keep = Callable[[int, Played], None]
VICTIM, ATTACKER = "policy", "attacker"
"""Names of the two sides' streams; the victim's is that of `play`, so that both meet the same chance."""


def normalised(channels: Sequence[Channel]) -> bool:
    """Whether the attack works on what the victim's network sees."""
    return any(isinstance(channel, ObservationChannel) and channel.normalised for channel in channels)


def seen_by(victim: Policy, observations: Array, channels: Sequence[Channel]) -> Array:
    """What the victim would see without attack, in the space in which the attack works."""
    if normalised(channels) and follows(victim, Normalising):
        normalising: Any = victim
        return np.asarray(normalising.normalised(observations))
    return observations


def inner_of(victim: Policy, channels: Sequence[Channel]) -> Policy:
    """The victim as it acts on what `seen_by` gives."""
    return victim.inner() if normalised(channels) and isinstance(victim, Normalising) else victim


class Table:
    """One victim and one attacker (or mixture, or nobody) in a batch of episodes of a world."""

    def __init__(
        self, world: World, victim: Policy, attacker: Policy | None, channels: Sequence[Channel], action: Space
    ) -> None:
        """Without an attacker, or where every budget is 0, the victim acts as if nobody else were there."""
        idle = attacker is None or all(channel.part.budget.zero for channel in channels)
        self.world, self.action = world, action
        self.whole, self.inner = victim, inner_of(victim, channels)
        self.victim = Seat(victim if idle else self.inner, VICTIM)
        self.attacker = None if attacker is None or idle else Seat(attacker, ATTACKER)
        self.meter = Meter(() if idle else channels)
        self._normalised = victim.normalised if normalised(channels) and isinstance(victim, Normalising) else None

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin one episode for each seed."""
        self.world.reset(seeds)
        for part in self._parts():
            part.begin(seeds)

    def renew(self, where: NDArray[np.bool_], seeds: Sequence[int]) -> None:
        """Begin new episodes in the marked places."""
        self.world.restart(where, seeds)
        for part in self._parts():
            part.renew(where, seeds)

    @property
    def renewable(self) -> bool:
        """Whether single episodes can be begun anew."""
        return self.victim.renewable and (self.attacker is None or self.attacker.renewable)

    def view(self) -> AttackView:
        """What an attacker is shown now."""
        return self._view(self.world.observations, self._seen(), self.victim.memories[0])

    def step(self, active: NDArray[np.bool_] | None = None) -> Step:
        """Move the episodes that are active, [batch] (None: all), and have not finished."""
        if self.attacker is None:
            return self.world.step(self._act(self.world.observations), active)
        observations, seen, memory = self.world.observations, self._seen(), self.victim.memories[0]
        # Attackers are handed copies: what is charged starts from what is true, whatever they do to theirs.
        lent = self._view(observations.copy(), seen.copy(), None if memory is None else copy.deepcopy(memory))
        proposals = self.attacker.ask(lambda policy, memory, chance: proposals_of(policy, lent, memory, chance))
        actions = self._act(self.meter.shown(seen, proposals))
        return self.meter.step(self.world, actions, proposals, active)

    def _seen(self) -> Array:
        """What the victim would see without attack, in the space in which the attack works."""
        return self.world.observations if self._normalised is None else self._normalised(self.world.observations)

    def _view(self, observations: Array, seen: Array, memory: Any) -> AttackView:
        return AttackView(observations, seen, self.inner, memory, self.meter.channels, self.action)

    def _act(self, shown: Array) -> Array:
        def question(policy: Any, memory: Any, chance: EpisodeStreams) -> tuple[Array, Any]:
            actions, after = policy.act(shown, memory, chance)
            return np.asarray(actions), after

        actions = self.victim.ask(question)
        if not np.isfinite(actions).all():
            seed = self.victim.seeds[int(np.argwhere(~np.isfinite(actions))[0][0])]
            raise RequestError(f"victim: gives an action that is not a number, in the episode with seed {seed}")
        return actions

    def _parts(self) -> Iterator[Any]:
        yield self.victim
        if self.attacker is not None:
            yield self.attacker
        yield self.meter


def contest(
    world: World,
    victim: Policy,
    attacker: Policy | None,
    channels: Sequence[Channel],
    action: Space,
    seeds: Sequence[int],
    known: Mapping[int, Played] | None = None,
    keep: Keep | None = None,
) -> Episodes:
    """Play one episode for each seed, at most `world.size` at once.

    Places in which an episode ends are taken by the next one, so that no place waits for the longest; where a policy
    with memory cannot begin single episodes anew, all of a batch begin together. Rows are in the order of the seeds.

    Args:
        world: nobody else steps it meanwhile.
        victim: a policy or a mixture, whose part is drawn by the seed.
        attacker: a policy, a mixture, or None for no attack.
        channels: what the attacker may touch.
        action: the space of the victim's actions.
        seeds: one for each episode.
        known: episodes that have been played before, by seed; they are not played again.
        keep: told of each episode when it ends.
    """
    whole = [int(seed) for seed in seeds]
    rows = {} if known is None else dict(known)
    for place, part in enumerate(parts_of(victim)[0]):
        own = [seed for seed in dict.fromkeys(whole) if pick(victim, seed, VICTIM) == place]
        missing = [seed for seed in own if seed not in rows]
        if missing:
            table = Table(world, part, attacker, channels, action)
            # As many rows as without the known ones: networks round batches of another size differently.
            rows |= _played(table, missing, min(world.size, len(own)), keep)
    return episodes_of(whole, rows)


def _played(table: Table, seeds: Sequence[int], size: int, keep: Keep | None) -> dict[int, Played]:
    """Play episodes in `size` places, of which some stay idle where there are fewer episodes."""
    count, rows = len(seeds), dict[int, Played]()
    returns, steps = np.zeros(size), 0  # so far, of the episode in each place; of all together
    began = np.zeros(size, dtype=np.int64)
    at, running, coming = _begun(table, seeds, 0, size)  # which episode is in each place, and which begins next
    while len(rows) < count:
        step, steps = table.step(running), steps + 1
        returns += step.rewards  # 0 where nothing moves
        ended = running & step.finished
        if not ended.any():
            continue
        for place in np.flatnonzero(ended).tolist():
            seed = seeds[int(at[place])]
            rows[seed] = Played(float(returns[place]), steps - int(began[place]), bool(step.truncated[place]))
            if keep is not None:
                keep(seed, rows[seed])
        returns[ended], began[ended] = 0.0, steps
        running = running & ~ended
        waiting = count - coming
        if waiting and table.renewable:
            places = np.flatnonzero(ended)[:waiting]
            where = np.zeros(size, dtype=np.bool_)
            where[places] = True
            at[places] = np.arange(coming, coming + len(places))
            table.renew(where, seeds[coming : coming + len(places)])
            running, coming = running | where, coming + len(places)
        elif waiting and not running.any():
            at, running, coming = _begun(table, seeds, coming, size)
            began[:] = steps
    return rows


def _begun(
    table: Table, seeds: Sequence[int], coming: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], int]:
    """Begin the next episodes; the places that are left over show a copy of the first of them and never move."""
    batch = list(seeds[coming : coming + size])
    table.begin([*batch, *batch[:1] * (size - len(batch))])
    return np.arange(coming, coming + size), np.arange(size) < len(batch), coming + len(batch)
