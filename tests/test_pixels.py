"""The kit's pictures: bytes that tell the numbers behind them, victims that read them, attacks paid by the pixel."""

from __future__ import annotations

import numpy as np
import pytest

import sparring
from sparring.access import Ball, ChargedAccess, ObservationAccess
from sparring.attack_game import Side
from sparring.budgets import LP_RADIUS
from sparring.registry import default_registry
from sparring.testing.drifting import CHOICES
from sparring.testing.pixels import SHAPE, WHITE, Gazer, PixelWorld, TorchGazer, drift_pixels, read
from sparring.testing.subject import Subject
from sparring.testing.threats import ThreatBench

SEEDS = tuple(range(20))


def duel(budget=24.0):
    ball = Ball("inf", low=np.zeros(SHAPE), high=np.full(SHAPE, WHITE))
    return drift_pixels().attack_game(
        [ChargedAccess(ObservationAccess(ball=ball), LP_RADIUS.budget(budget), "kit")], None
    )


def test_pictures_are_bytes_that_tell_the_numbers():
    world = PixelWorld(drift_pixels(), len(SEEDS))
    seen = world.reset(SEEDS)
    assert (seen.dtype, seen.shape) == (np.uint8, (len(SEEDS), *SHAPE))
    assert 0 < len(np.unique(seen)) > 10, "shades of grey, not black and white alone"
    inside = np.abs(world._at) < 2  # what the bars can show
    np.testing.assert_allclose(read(seen / WHITE)[inside], world._at[inside], atol=0.01)
    np.testing.assert_array_equal(seen[:, 1], 255 - seen[:, 0])


def test_networks_read_what_tables_read():
    torch = pytest.importorskip("torch")
    seen = PixelWorld(drift_pixels(), len(SEEDS)).reset(SEEDS)
    plain, network = Gazer(3), TorchGazer(3)
    values = network.outputs(torch.tensor(seen), None).numpy()
    np.testing.assert_allclose(values, network.action_values(seen, None), atol=1e-12)
    np.testing.assert_array_equal(plain.act(seen, None, None)[0], values.argmax(axis=1))
    behind = network.inner().outputs(torch.tensor(network.normalised(seen)), None).numpy()
    np.testing.assert_allclose(behind, values, atol=1e-12)


def test_documents_of_gazers_come_back():
    gazer = Gazer(3, 0.5, 0.25)
    again = duel().restore(gazer.to_document(), Side.VICTIM)
    assert (type(again), again.to_document()) == (Gazer, gazer.to_document())


def test_gradients_on_pixels_hurt_more_than_noise_and_stay_bytes_wide():
    pytest.importorskip("torch")
    # It takes the choice that moves the numbers against where they are.
    found = sparring.evaluate(duel(), TorchGazer(3, weights=-CHOICES), ["random", "pgd"], episodes=60)
    noise, gradients = (attack.value for attack in found.attacks)
    assert gradients < noise - 0.2
    assert found.nominal.value > gradients + 0.2


def test_threats_are_searched_on_pictures():
    registry = default_registry()
    plugin = registry.load(registry.find("threat-model", "observation"))
    labels = [case.label for case in ThreatBench(Subject(plugin, registry)).sampled_cases]
    assert any(label.startswith("kit:drift-pixels") for label in labels)
