"""Runs of layers and numbers for the tests of bounds with gradients."""

from __future__ import annotations

import torch
from torch import nn


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(curve, ended=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = [nn.Linear(4, 5), curve(), nn.Linear(5, 6, bias=False), curve(), nn.Linear(6, 3)]
        return nn.Sequential(*layers, *([curve()] if ended else [])).double()
