"""Small random networks of every operation that bound propagation knows, and random regions for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sparring import Region

ACTIVATIONS = (
    nn.ReLU, lambda: nn.LeakyReLU(0.1), lambda: nn.LeakyReLU(-0.3), lambda: nn.LeakyReLU(1.7), nn.ELU,
    lambda: nn.ELU(1.7), nn.Softplus, lambda: nn.Softplus(3.0), nn.GELU, lambda: nn.GELU("tanh"), nn.SiLU, nn.Tanh,
    nn.Sigmoid, nn.ReLU6, nn.Hardtanh,
)  # fmt: skip
SCALES = (0.3, 1.0, 3.0)


class Residual(nn.Module):
    """`x + f(x)`."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch."""
        return x + self.inside(x)


class Gated(nn.Module):
    """`f(x) * sigmoid(g(x))`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply two branches."""
        return self.value(x) * torch.sigmoid(self.gate(x))


class Dueling(nn.Module):
    """A value and advantages, as in dueling Q-networks."""

    def __init__(self, width: int, actions: int) -> None:
        super().__init__()
        self.value, self.advantage = nn.Linear(width, 1), nn.Linear(width, actions)

    def forward(self, x: Tensor) -> Tensor:
        """Q-values."""
        advantage = self.advantage(x)
        return self.value(x) + advantage - advantage.mean(1, keepdim=True)


class Divided(nn.Module):
    """What is written as a formula: over a root mean square, a norm, a standard deviation, a sum of exponentials."""

    FORMS = (
        lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-5),
        lambda x: x / (x.norm(dim=1, keepdim=True) + 1e-3),
        lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-3).sqrt(),
        lambda x: x.exp() / x.exp().sum(1, keepdim=True),
        nn.functional.normalize,
        lambda x: nn.functional.normalize(x, 1.0),
    )

    def __init__(self, form: int) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor) -> Tensor:
        """One of the forms."""
        return self.FORMS[self.form](x)


def _pick(rng: np.random.Generator, choices: tuple) -> object:
    return choices[rng.integers(len(choices))]


def _block(rng: np.random.Generator, width: int) -> nn.Module:
    """A part that keeps the width."""
    kind = rng.integers(8)
    activation = _pick(rng, ACTIVATIONS)()
    if kind < 3:
        return nn.Sequential(nn.Linear(width, width), activation)
    if kind == 3:
        return Residual(nn.Sequential(nn.Linear(width, width), activation, nn.Linear(width, width)))
    if kind == 4:
        return Gated(width)
    if kind == 7:
        return Divided(int(rng.integers(len(Divided.FORMS))))
    if kind == 5:
        return nn.Sequential(_pick(rng, (nn.LayerNorm, nn.RMSNorm))(width), activation)
    return nn.Sequential(_batch_norm(rng, nn.BatchNorm1d(width)), activation)


def _batch_norm(rng: np.random.Generator, layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        layer.running_mean.copy_(torch.as_tensor(rng.normal(size=layer.num_features)))
        layer.running_var.copy_(torch.as_tensor(rng.gamma(2.0, size=layer.num_features) + 0.05))
        layer.weight.copy_(torch.as_tensor(rng.normal(size=layer.num_features)))
    return layer


def _image_network(rng: np.random.Generator, outputs: int) -> tuple[nn.Module, tuple[int, ...]]:
    channels, size = int(rng.integers(1, 3)), int(rng.integers(5, 8))
    pool = _pick(rng, (
        lambda: nn.MaxPool2d(2), lambda: nn.AvgPool2d(2), lambda: nn.AvgPool2d(3, 2, 1, True, False), nn.Identity,
        lambda: nn.GroupNorm(1, 3), lambda: nn.GroupNorm(3, 3),
    ))()  # fmt: skip
    stride = int(rng.integers(1, 3))
    body = nn.Sequential(
        nn.Conv2d(channels, 3, 3, stride, padding=int(rng.integers(2))), _pick(rng, ACTIVATIONS)(), pool, nn.Flatten()
    )
    width = body(torch.zeros(1, channels, size, size)).shape[1]
    return nn.Sequential(body, nn.Linear(width, outputs)), (channels, size, size)


def compiled(rng: np.random.Generator) -> tuple[nn.Module, tuple[int, ...], int]:
    """As `network`, of operations alone that bounds run as one compiled program."""
    curves, outputs = (nn.ReLU, nn.Tanh, nn.Sigmoid), int(rng.integers(1, 5))
    parts: list[nn.Module] = []
    if rng.random() < 0.3:
        shape = (int(rng.integers(1, 3)), *(int(size) for size in rng.integers(4, 9, 2)))
        entry, space = shape[0], shape[1:]
        while min(space) > 3 and len(parts) < 4:
            kernel, stride, padding = (int(rng.integers(first, last)) for first, last in ((1, 4), (1, 4), (0, 2)))
            channels = int(rng.integers(1, 7))
            parts += [nn.Conv2d(entry, channels, kernel, stride, padding), _pick(rng, curves)()]
            entry, space = channels, tuple(nn.Sequential(*parts)(torch.zeros(1, *shape)).shape[2:])
        parts.append(nn.Flatten())
        width = nn.Sequential(*parts)(torch.zeros(1, *shape)).shape[1]
    else:
        shape = (int(rng.integers(1, 20)),)
        width = shape[0]
    for _ in range(rng.integers(0, 4)):
        # Rows leave units out that a ReLU stops where layers are wide enough.
        other, curve = int(rng.integers(1, 40 if rng.random() < 0.7 else 160)), _pick(rng, curves)()
        parts += [nn.Linear(width, other), curve]
        width = other
        if rng.random() < 0.2:
            parts += [Residual(nn.Sequential(nn.Linear(width, width), _pick(rng, curves)(), nn.Linear(width, width)))]
    head = Dueling(width, outputs) if rng.random() < 0.3 else nn.Linear(width, outputs)
    return _scaled(rng, nn.Sequential(*parts, head)).eval(), shape, outputs


def network(rng: np.random.Generator) -> tuple[nn.Module, tuple[int, ...], int]:
    """A module in evaluation mode with seeded weights, the shape of its input, and how many outputs it has."""
    outputs = int(rng.integers(1, 5))
    if rng.random() < 0.2:
        module, shape = _image_network(rng, outputs)
    else:
        entry, width = int(rng.integers(1, 7)), int(rng.integers(2, 13))
        parts = [nn.Linear(entry, width), _pick(rng, ACTIVATIONS)()]
        parts += [_block(rng, width) for _ in range(rng.integers(0, 4))]
        head = Dueling(width, outputs) if rng.random() < 0.2 else nn.Linear(width, outputs)
        tail = [_pick(rng, (nn.Identity, nn.Tanh, lambda: nn.Softmax(1)))()]
        module, shape = nn.Sequential(*parts, head, *tail), (entry,)
    return _scaled(rng, module).eval(), shape, outputs


def _scaled(rng: np.random.Generator, module: nn.Module) -> nn.Module:
    """Seeded weights of some size."""
    scale = _pick(rng, SCALES)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv2d):
                fan = part.weight[0].numel()
                part.weight.copy_(torch.as_tensor(rng.normal(size=tuple(part.weight.shape)) * scale / fan**0.5))
                part.bias.copy_(torch.as_tensor(rng.normal(size=tuple(part.bias.shape)) * scale))
    return module


def region(rng: np.random.Generator, shape: tuple[int, ...], dtype: torch.dtype, batch: int) -> Region:
    """A ball, a box, a clipped one, or a point."""
    center = torch.as_tensor(rng.normal(size=(batch, *shape)) * _pick(rng, (0.1, 1.0, 5.0)), dtype=dtype)
    radius = float(_pick(rng, (0.0, 1e-7, 1e-3, 0.02, 0.1, 0.5, 2.0)))
    kind = rng.integers(5)
    if kind == 0:
        return Region(center, radius, "2")
    if kind == 1:
        return Region(center, radius, "1")
    if kind == 2:
        return Region(center, radius, low=-0.8, high=0.9)
    if kind == 3:
        return Region(center, torch.as_tensor(rng.random(shape) * radius, dtype=dtype))
    return Region(center, radius)


def points(rng: np.random.Generator, where: Region, count: int) -> Tensor:
    """Points of a region, its corners and centre among them, [count, batch, *shape]."""
    low, high = where.corners
    shape = (count, *low.shape)
    share = torch.as_tensor(rng.random(shape), dtype=low.dtype)
    share[: count // 2] = share[: count // 2].round()
    found = torch.minimum(torch.maximum(torch.lerp(low, high, share), low), high)
    if where.norm != "inf":
        found = _onto_ball(where, found)
    return found


def _onto_ball(where: Region, found: Tensor) -> Tensor:
    """Shrink offsets until they lie in the ball for certain."""
    center = where.ball_center
    order = 2 if where.norm == "2" else 1
    offset = (found - center).double()
    size = torch.linalg.vector_norm(offset.flatten(2), order, 2)
    share = (where.ball_radius.double() / size.clamp(min=1e-300)).clamp(max=1.0) * (1 - 1e-6)
    moved = center.double() + offset * share.reshape(*share.shape, *[1] * (center.dim() - 1))
    low, high = where.corners
    moved = torch.minimum(torch.maximum(moved.to(center.dtype), low), high)
    # What rounding moved out of the ball again is replaced by the centre.
    size = torch.linalg.vector_norm((moved.double() - center.double()).flatten(2), order, 2)
    outside = size > where.ball_radius.double()
    return torch.where(outside.reshape(*outside.shape, *[1] * (center.dim() - 1)), center.expand_as(moved), moved)
