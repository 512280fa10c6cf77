"""Small networks, one for each operation that has a rule: name, shape of the input, module."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["NETWORKS", "Network", "Program"]


class Program(nn.Module):
    """A forward pass written as a function of the module and the input; tensors become buffers."""

    def __init__(self, steps: Callable[[Any, Tensor], Tensor], **parts: Any) -> None:
        super().__init__()
        self.steps = steps
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(self, x)


@dataclass(frozen=True)
class Network:
    name: str
    shape: tuple[int, ...]
    make: Callable[[], nn.Module]
    shift: float = 0.0
    """Added to the centres, for operations with a domain."""

    def module(self, dtype: torch.dtype) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            return self.make().to(dtype).eval()

    def __str__(self) -> str:
        return self.name


def _after_linear(name: str, layer: Callable[[], nn.Module], shift: float = 0.0) -> Network:
    return Network(name, (4,), lambda: nn.Sequential(nn.Linear(4, 5), layer(), nn.Linear(5, 3)), shift)


def _steps(name: str, steps: Callable[[Any, Tensor], Tensor], shape: tuple[int, ...] = (4,), shift: float = 0.0,
           **parts: Callable[[], Any]) -> Network:  # fmt: skip
    return Network(name, shape, lambda: Program(steps, **{part: make() for part, make in parts.items()}), shift)


def _normed(layer: Any) -> Any:
    """Running statistics and an affine part that are not the trivial ones."""
    layer.running_mean.normal_()
    layer.running_var.uniform_(0.2, 2.0)
    return _weighted(layer)


def _weighted(layer: Any) -> Any:
    for part in layer.parameters():
        nn.init.normal_(part)
    return layer


def _linear(entries: int, outputs: int) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(entries, outputs)


def _dueling(m: Any, x: Tensor) -> Tensor:
    inner = F.relu(m.first(x))
    advantage = m.advantage(inner)
    return m.value(inner) + advantage - advantage.mean(1, keepdim=True)


def _residual(m: Any, x: Tensor) -> Tensor:
    y = x + m.second(torch.relu(m.first(x)))
    return y + m.fourth(torch.tanh(m.third(y)))


def _loop(m: Any, x: Tensor) -> Tensor:
    for layer in m.layers:
        x = torch.relu(layer(x)) + x
    return x


def _in_place(m: Any, x: Tensor) -> Tensor:
    y = m.second(x)
    y += F.relu(m.first(x), inplace=True)
    y *= 0.5
    return y.tanh_()


def _lstm(m: Any, x: Tensor) -> Tensor:
    h, c = m.cell(x[:, :3], (x[:, 3:7], x[:, 7:]))
    return torch.cat([h, c], 1)


def _lstm_blank(m: Any, x: Tensor) -> Tensor:
    h, _ = m.cell(x)
    return m.head(h)


def _gru(m: Any, x: Tensor) -> Tensor:
    return m.cell(x[:, :3], x[:, 3:])


def _gru_blank(m: Any, x: Tensor) -> Tensor:
    return m.cell(x)


def _two_steps(m: Any, x: Tensor) -> Tensor:
    """A recurrent policy over two observations, with a state that begins at zero."""
    h = torch.zeros(x.shape[0], 4, dtype=x.dtype, device=x.device)
    for step in range(2):
        h = m.cell(x[:, 3 * step : 3 * step + 3], h)
    return h


def _shapes(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(m.first(x)).view(x.size(0), 2, 3)
    y = y.transpose(1, 2).reshape(x.shape[0], -1)
    y = y.unsqueeze(1).squeeze(1).unflatten(1, (3, 2)).permute(0, 2, 1).flip(1)
    return torch.flatten(y, 1)


def _indexing(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(m.first(x)).reshape(-1, 3, 4)
    parts = [y[:, 0], y[:, 1:, ::2].flatten(1), y[:, [2, 0, 2], 1:3].flatten(1), y[..., -1], y[:, None, 2].flatten(1)]
    return torch.cat([*parts, y.select(2, 1), y.narrow(1, 1, 2).flatten(1), y.index_select(2, m.places).flatten(1)], 1)


def _numbers(m: Any, x: Tensor) -> Tensor:
    """Values without a dimension beside the batch."""
    total, mean = torch.tanh(m.first(x)).sum(1), x.mean(dim=1)
    mixed = torch.sigmoid(total) * mean + 0.5 * total - mean * mean
    return torch.stack([mixed, 1.0 - total, mean + total], dim=1)


def _splits(m: Any, x: Tensor) -> Tensor:
    y = torch.tanh(m.first(x))
    first, second = y.chunk(2, dim=1)
    third, fourth = torch.split(y, [2, 4], dim=1)
    fifth = y.reshape(-1, 2, 3).unbind(1)
    return torch.cat([first * second, torch.relu(third), fourth - 1, fifth[0] + fifth[1]], dim=1)


def _constants(m: Any, x: Tensor) -> Tensor:
    y = (x - m.mean) / torch.sqrt(m.var + 1e-5)
    y = 2.0 * y + torch.exp(m.log_scale) * x - torch.tensor([0.5, 1.0, -0.25, 0.0])
    y = torch.add(y, x, alpha=0.5) - torch.sub(1.0, x, alpha=2)
    y = y + x[:, 1:2] * m.mean - (x[:, :1] + m.mean)
    return torch.rsub(y, 3.0) / 7 + 1.5 - (-y) * m.plain + 0.25 * (y @ m.matrix)


def _broadcast(m: Any, x: Tensor) -> Tensor:
    y = torch.relu(m.first(x)).reshape(-1, 2, 3)
    return (y * y.sum(2, keepdim=True) + y.mean(1, keepdim=True) * m.column).flatten(1)


def _beside_constants(m: Any, x: Tensor) -> Tensor:
    ones, zeros = torch.ones(x.shape[0], 1, dtype=x.dtype), x.new_zeros(x.size(0), 1)
    return m.second(torch.cat([torch.relu(m.first(x)), ones, zeros, x, torch.zeros_like(x)], 1))


def _maxima(m: Any, x: Tensor) -> Tensor:
    y = m.first(x)
    values, _ = y.max(dim=1)
    rest = torch.stack([values, y.amax(1), torch.min(y, 1).values, y.amin(dim=1)], 1)
    return torch.cat([rest, torch.maximum(y, m.second(x)), y.max(m.second(x))], 1)


def _clamps(m: Any, x: Tensor) -> Tensor:
    y = m.first(x)
    parts = [y.clamp(-0.25, 0.5), torch.clamp(y, min=0.125), y.clamp_max(0.25), F.relu6(6 * y), F.hardtanh(3 * y)]
    return torch.cat([*parts, torch.minimum(y, m.limit), torch.max(y, m.limit), y.abs()], 1)


def _quotients(m: Any, x: Tensor) -> Tensor:
    y = torch.sigmoid(m.first(x)) + 0.5
    return x / y - 1.0 / y + torch.reciprocal(y + 1) + y.rsqrt() * torch.sqrt(y) + torch.log(y) + y.pow(-1) + y**0.5


def _squares(m: Any, x: Tensor) -> Tensor:
    y = m.first(x)
    return y * y + x.pow(2) - torch.square(y - x) + (x**2) * torch.exp(-y.abs())


def _unit(m: Any, x: Tensor) -> Tensor:
    """A vector brought to length one."""
    y = torch.tanh(m.first(x)) + 2
    return y / (y * y).sum(-1, keepdim=True).sqrt()


def _logits(m: Any, x: Tensor) -> Tensor:
    y = m.first(x).reshape(-1, 2, 3)
    return torch.cat([F.softmax(y, dim=1).flatten(1), y.log_softmax(-1).flatten(1), y.logsumexp(1)], 1)


def _normalised_images(m: Any, x: Tensor) -> Tensor:
    return F.layer_norm(torch.relu(m.conv(x)), (4, 4), None, None).flatten(1)


def _spreads(m: Any, x: Tensor) -> Tensor:
    """Standard deviations and variances, of which some may vanish."""
    y = m.first(x)
    parts, z = [(y - y.mean(1, keepdim=True)) / (y.std(1, keepdim=True) + 0.1)], y.reshape(-1, 2, 3)
    parts += [z.var(1), z.var((1, 2), keepdim=True).flatten(1), torch.std(z, -1, correction=0)]
    variance, mean = torch.var_mean(z, 2, keepdim=True)
    return torch.cat([*parts, ((z - mean) * torch.rsqrt(variance + 0.1)).flatten(1)], 1)


def _norms(m: Any, x: Tensor) -> Tensor:
    y = m.first(x).reshape(-1, 2, 3)
    parts = [y.norm(dim=2), torch.norm(y, 1, 1), torch.linalg.vector_norm(y, math.inf, (1, 2), keepdim=True).flatten(1)]
    return torch.cat([*parts, (y / (torch.linalg.norm(y, dim=1, keepdim=True) + 0.1)).flatten(1)], 1)


def _unit_vectors(m: Any, x: Tensor) -> Tensor:
    y = m.first(x).reshape(-1, 2, 3)
    return torch.cat([F.normalize(y, dim=2), F.normalize(y, 1.0), F.normalize(y, math.inf, -1, 0.2)], 1).flatten(1)


def _groups(m: Any, x: Tensor) -> Tensor:
    y = m.group(m.conv(x))
    running = F.instance_norm(y, m.mean, m.var, use_input_stats=False)
    return torch.cat([F.group_norm(y, 1, eps=0.1), m.instance(y), running], 1).flatten(1)


def _image(name: str, *layers: Callable[[], nn.Module], size: int = 6, channels: int = 2) -> Network:
    return Network(name, (channels, size, size), lambda: nn.Sequential(*(make() for make in layers), nn.Flatten()))


def _conv() -> nn.Module:
    return nn.Conv2d(2, 3, 3, padding=1)


NETWORKS: list[Network] = [
    _after_linear("relu", nn.ReLU),
    _after_linear("relu-in-place", lambda: nn.ReLU(inplace=True)),
    _after_linear("leaky-relu", lambda: nn.LeakyReLU(0.2)),
    _after_linear("leaky-relu-negative", lambda: nn.LeakyReLU(-0.3)),
    _after_linear("elu", lambda: nn.ELU(0.7)),
    _after_linear("softplus", lambda: nn.Softplus(beta=2.0)),
    _after_linear("gelu", nn.GELU),
    _after_linear("gelu-tanh", lambda: nn.GELU(approximate="tanh")),
    _after_linear("silu", nn.SiLU),
    _after_linear("tanh", nn.Tanh),
    _after_linear("sigmoid", nn.Sigmoid),
    _after_linear("relu6", nn.ReLU6),
    _after_linear("hardtanh", lambda: nn.Hardtanh(-0.25, 0.375)),
    _after_linear("softmax", lambda: nn.Softmax(dim=-1)),
    _after_linear("log-softmax", lambda: nn.LogSoftmax(dim=1)),
    _after_linear("idle", lambda: nn.Sequential(nn.Identity(), nn.Dropout(0.3))),
    _after_linear("batch-norm", lambda: _normed(nn.BatchNorm1d(5))),
    _after_linear("layer-norm", lambda: _weighted(nn.LayerNorm(5))),
    _after_linear("layer-norm-plain", lambda: nn.LayerNorm(5, elementwise_affine=False)),
    _after_linear("rms-norm", lambda: _weighted(nn.RMSNorm(5))),
    _after_linear("rms-norm-plain", lambda: nn.RMSNorm(5, eps=1e-3, elementwise_affine=False)),
    Network("softmax-end", (4,), lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))),
    Network("softmax-two", (4,), lambda: nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))),
    Network("softmax-one", (4,), lambda: nn.Sequential(nn.Linear(4, 1), nn.Softmax(dim=1))),
    Network("input-itself", (3,), nn.Identity),
    _steps("softmax-large", lambda m, x: F.softmax(60 * m.first(x), -1), first=_linear(4, 5)),
    _steps("log-softmax-large", lambda m, x: F.log_softmax(200 * m.first(x), -1), first=_linear(4, 5)),
    _steps("logits", _logits, first=_linear(4, 6)),
    _steps("constant-end", lambda m, x: m.first(x).softmax(1)[:, :2], first=_linear(4, 3)),
    _image("conv", _conv, nn.ReLU),
    _image("conv-stride", lambda: nn.Conv2d(2, 4, 3, stride=2, groups=2), nn.ReLU),
    _image("conv-same", lambda: nn.Conv2d(2, 2, (3, 1), padding="same", dilation=2), nn.ReLU),
    _image("batch-norm-2d", _conv, lambda: _normed(nn.BatchNorm2d(3)), nn.ReLU),
    _image("average-pool", _conv, nn.ReLU, lambda: nn.AvgPool2d(2)),
    _image("average-pool-overlapping", _conv, nn.ReLU, lambda: nn.AvgPool2d(3, stride=2, padding=1)),
    _image("average-pool-ceil", _conv, nn.ReLU, lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)),
    _image("average-pool-divisor", _conv, lambda: nn.AvgPool2d((4, 2), (3, 1), ceil_mode=True, divisor_override=3)),
    Network("average-pool-1d", (2, 6), lambda: nn.Sequential(
        nn.Conv1d(2, 3, 2), nn.AvgPool1d(3, 2, 1, True, False), nn.Flatten())),
    _steps("groups", _groups, (1, 3, 3), conv=lambda: nn.Conv2d(1, 4, 2), group=lambda: _weighted(nn.GroupNorm(2, 4)),
           instance=lambda: _weighted(nn.InstanceNorm2d(4, affine=True)), mean=lambda: torch.randn(4),
           var=lambda: torch.rand(4) + 0.2),
    _image("average-pool-adaptive", _conv, nn.ReLU, lambda: nn.AdaptiveAvgPool2d(1)),
    _image("average-pool-adaptive-3", _conv, nn.ReLU, lambda: nn.AdaptiveAvgPool2d((3, None))),
    _image("max-pool", _conv, lambda: nn.MaxPool2d(2)),
    _image("max-pool-after-relu", _conv, nn.ReLU, lambda: nn.MaxPool2d(3, stride=2)),
    _image("max-pool-padding", _conv, lambda: nn.MaxPool2d(3, stride=2, padding=1)),
    _image("max-pool-ceil", _conv, lambda: nn.MaxPool2d(2, stride=3, padding=1, ceil_mode=True)),
    _image("max-pool-ceil-even", _conv, lambda: nn.MaxPool2d(4, stride=3, ceil_mode=True)),
    _image("max-pool-dilation", _conv, lambda: nn.MaxPool2d(2, stride=1, dilation=2)),
    Network("conv-1d", (2, 7), lambda: nn.Sequential(
        nn.Conv1d(2, 3, 2, dilation=2), nn.ReLU(), nn.MaxPool1d(2), nn.AvgPool1d(2), nn.Flatten())),
    _steps("layer-norm-2d", _normalised_images, (1, 4, 4), conv=lambda: nn.Conv2d(1, 2, 3, padding=1)),
    _steps("functional-pools", lambda m, x: torch.cat([
        F.max_pool2d(x, 2).flatten(1), F.avg_pool2d(x, 2).flatten(1), F.adaptive_avg_pool2d(x, 2).flatten(1)], 1),
        (1, 4, 4)),
    _steps("residual", _residual, first=_linear(4, 6), second=_linear(6, 4), third=_linear(4, 6), fourth=_linear(6, 4)),
    _steps("loop", _loop, layers=lambda: nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])),
    _steps("dueling", _dueling, first=_linear(4, 6), value=_linear(6, 1), advantage=_linear(6, 3)),
    _steps("in-place", _in_place, first=_linear(4, 4), second=_linear(4, 4)),
    _steps("lstm", _lstm, (11,), cell=lambda: nn.LSTMCell(3, 4)),
    _steps("lstm-blank", _lstm_blank, (3,), cell=lambda: nn.LSTMCell(3, 4), head=_linear(4, 2)),
    _steps("gru", _gru, (7,), cell=lambda: nn.GRUCell(3, 4)),
    _steps("gru-blank", _gru_blank, (3,), cell=lambda: nn.GRUCell(3, 4, bias=False)),
    _steps("gru-two-steps", _two_steps, (6,), cell=lambda: nn.GRUCell(3, 4)),
    _steps("shapes", _shapes, first=_linear(4, 6)),
    _steps("indexing", _indexing, first=_linear(4, 12), places=lambda: torch.tensor([3, 0])),
    _steps("numbers", _numbers, first=_linear(4, 5)),
    _steps("splits", _splits, first=_linear(4, 6)),
    _steps("constants", _constants, mean=lambda: torch.randn(4), var=lambda: torch.rand(4) + 0.1,
           log_scale=lambda: nn.Parameter(torch.randn(4)), plain=lambda: torch.randn(1, 4),
           matrix=lambda: nn.Parameter(torch.randn(4, 4))),
    _steps("broadcast", _broadcast, first=_linear(4, 6), column=lambda: torch.randn(2, 1)),
    _steps("beside-constants", _beside_constants, first=_linear(4, 3), second=_linear(13, 2)),
    _steps("maxima", _maxima, first=_linear(4, 5), second=_linear(4, 5)),
    _steps("clamps", _clamps, first=_linear(4, 3), limit=lambda: torch.tensor([0.125, -0.25, 0.375])),
    _steps("quotients", _quotients, first=_linear(4, 4)),
    _steps("squares", _squares, first=_linear(4, 4)),
    _steps("unit-vector", _unit, first=_linear(4, 3)),
    _steps("spreads", _spreads, first=_linear(4, 6)),
    _steps("norms", _norms, first=_linear(4, 6)),
    _steps("unit-vectors", _unit_vectors, first=_linear(4, 6)),
    _steps("gates", lambda m, x: m.first(x) * torch.sigmoid(m.second(x)), first=_linear(4, 3), second=_linear(4, 3)),
    _steps("swish-by-hand", lambda m, x: operator.mul(m.first(x), torch.sigmoid(m.first(x))), first=_linear(4, 3)),
    _steps("exponential", lambda m, x: torch.exp(m.first(x)) + torch.log(x[:, :3].abs() + 1), first=_linear(4, 3)),
    _steps("casts", lambda m, x: m.first(x.contiguous().to(x.dtype).clone()), first=_linear(4, 3)),
    _steps("matrices", lambda m, x: torch.addmm(m.bias, torch.relu(x.matmul(m.weight)), m.weight.T),
           bias=lambda: torch.randn(4), weight=lambda: torch.randn(4, 5)),
]  # fmt: skip
"""Every operation with a rule occurs in one of them."""
