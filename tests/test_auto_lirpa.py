"""The adapter to auto_LiRPA: it gives what is stored, leaves everything as it was, and never bounds old weights."""

from __future__ import annotations

import gc
import importlib.util
import logging
import sys
import threading
import types
import warnings

import pytest

pytest.importorskip("torch", reason="bounds need torch")
pytest.importorskip("safetensors", reason="the references are safetensors")

import torch
from torch import nn

import sparring
from golden_cases import network as stored_network
from golden_cases import references, tensors
from sparring import Region
from sparring.errors import RefusedError, RequestError
from sparring.sameness import fingerprint
from sparring_plugins.bounds import _lirpa_library
from sparring_plugins.bounds.auto_lirpa import AutoLirpa

needs_the_peer = pytest.mark.skipif(
    importlib.util.find_spec("auto_LiRPA") is None,
    reason="auto_LiRPA is not installed, and SPARRING_AUTO_LIRPA names no folder with it",
)
METHODS = {
    "ibp": "IBP",
    "crown": "CROWN",
    "crown_ibp": "CROWN-IBP",
    "forward": "forward",
    "forward_crown": "forward+backward",
    "alpha_crown": "CROWN-Optimized",
}
CENTER = torch.tensor([[0.1, -0.2, 0.3], [0.7, 0.0, -0.6]])
REGION = Region(CENTER, 0.1)


def network(*layers):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        chosen = layers or (nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
        return nn.Sequential(*(layer if isinstance(layer, nn.Module) else layer() for layer in chosen)).eval()


def sampled(region, module, count=300):
    """Outputs at random points of the region, [count, batch, outputs]."""
    low, high = region.corners
    draw = torch.Generator().manual_seed(13)
    points = low + (high - low) * torch.rand(count, *low.shape, generator=draw, dtype=low.dtype)
    with torch.no_grad():
        return module(points.flatten(0, 1)).unflatten(0, (count, -1))


def holds(bounds, values, slack=1e-5):
    lower, upper = bounds
    return bool(((lower - slack <= values) & (values <= upper + slack)).all())


# -- finding it -----------------------------------------------------------------------------------------------------


def test_an_unknown_method_is_told_with_the_choices():
    with pytest.raises(
        RequestError, match=r"option method = 'LP': Input should be 'IBP', 'CROWN', .*'CROWN-Optimized'"
    ):
        AutoLirpa(method="LP")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder that comes first where auto_LiRPA is looked for; gives a function that writes the package."""
    monkeypatch.delitem(sys.modules, "auto_LiRPA", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        (tmp_path / "auto_LiRPA").mkdir()
        (tmp_path / "auto_LiRPA" / "__init__.py").write_text(text, encoding="utf-8")

    yield write
    sys.modules.pop("auto_LiRPA", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("__version__ = '0.3'\nraise SystemExit('imported')\n", r"auto_LiRPA 0\.3 is installed; install 0\.6 or later"),
        ("x = 1\n", "auto_LiRPA of no version is installed; install 0.6 or later from its repository"),
        ("__version__ = '0.7.1'\nimport nowhere_to_be_found\n", "its import fails: No module named 'nowhere_to_be"),
    ],
)
def test_what_is_too_old_or_broken_is_refused(elsewhere, text, words):
    elsewhere(text)
    with pytest.raises(RefusedError, match=words):
        sparring.bound(network(), REGION, "auto-lirpa")


def test_one_that_is_missing_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "auto_LiRPA", raising=False)
    monkeypatch.setattr(_lirpa_library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RefusedError, match=r"auto_LiRPA is not installed; install 0\.6 or later from its repository"):
        sparring.bound(network(), REGION, "auto-lirpa")


def test_one_that_somebody_imported_is_looked_at_too(monkeypatch):
    old = types.ModuleType("auto_LiRPA")
    old.__version__ = "0.5"
    monkeypatch.setitem(sys.modules, "auto_LiRPA", old)
    with pytest.raises(RefusedError, match=r"auto_LiRPA 0\.5 is installed"):
        sparring.bound(network(), REGION, "auto-lirpa")


# -- its bounds -----------------------------------------------------------------------------------------------------

FEW = {
    "tanh_11_64_64_3": ("linf_0.05", "l1_0.3"),
    "relu_17_256_256_6": ("l2_0.2", "clip_box", "feat_eps"),
    "lstm_8_16_4": ("obs_only",),
    "gelu_8_32_32_4": ("linf_0.2",),
    "lenet_max": ("margin_0.0156863",),
    "layernorm_mlp": ("linf_0.02",),
}
"""Cases in which it can go wrong; all of them take minutes, since it builds each graph for half a second."""
STORED = [
    reference
    for reference in references()
    if reference.case in FEW.get(reference.folder.name, ())
    and reference.method in METHODS
    and reference.tensor("lb") is not None
]


@needs_the_peer
@pytest.mark.parametrize("reference", STORED, ids=str)
def test_it_gives_what_is_stored(reference):
    inputs = tensors(reference.folder)["x"]
    method = f"auto-lirpa(method={METHODS[reference.method]})"
    found = sparring.bound(stored_network(reference.folder), reference.region(inputs), method, reference.stored("C"))
    for side, bound in zip(("lb", "ub"), found, strict=True):
        stored = reference.tensor(side)
        # Steps of an optimiser carry the last digits, which are another processor's, far to the left.
        room = 1e-8 if reference.method.startswith("alpha") else 1e-12
        assert ((bound - stored).abs() / stored.abs().clamp(min=1)).max() <= room


@needs_the_peer
@pytest.mark.parametrize("method", METHODS.values())
@pytest.mark.parametrize("norm", ["inf", "2", "1"])
def test_its_bounds_hold_with_specifications_and_a_radius_for_each_sample(method, norm):
    module, radius = network(), torch.tensor([[0.2], [0.05]])
    region = Region(CENTER, radius if norm == "inf" else radius[:, 0], norm, low=-0.5, high=0.5)
    # Sampled from a box; for balls from one that lies in them.
    inside = region if norm == "inf" else Region(CENTER.clamp(-0.5, 0.5), radius / 3, low=-0.5, high=0.5)
    for spec in (None, torch.tensor([[1.0, -1.0]]), torch.tensor([[[1.0, -1.0]], [[0.0, 2.0]]])):
        values = sampled(inside, module)
        values = values if spec is None else (spec @ values.unsqueeze(-1)).squeeze(-1)
        found = sparring.bound(module, region, f"auto-lirpa(method={method})", spec)
        assert holds(found, values)
    each = [
        sparring.bound(module, Region(CENTER[[place]], float(radius[place]), norm, low=-0.5, high=0.5), AutoLirpa())
        for place in (0, 1)
    ]
    together = sparring.bound(module, region, AutoLirpa())
    for side in (0, 1):
        assert torch.allclose(together[side], torch.cat([one[side] for one in each]), atol=1e-6)


@needs_the_peer
def test_layers_it_has_under_other_names_or_not_in_evaluation():
    module = network(nn.Linear(3, 6), nn.GELU, nn.Dropout(0.5), nn.Linear(6, 2))
    assert holds(sparring.bound(module, REGION, AutoLirpa()), sampled(REGION, module))
    assert [type(layer).__name__ for layer in module] == ["Linear", "GELU", "Dropout", "Linear"]


@needs_the_peer
def test_gradients_reach_centre_and_weights_and_only_what_is_asked_for():
    module, center = network(), CENTER.clone().requires_grad_()
    for norm in ("inf", "2"):
        for _ in range(2):  # no graph of an earlier call is used again
            lower, upper = sparring.bound(module, Region(center, 0.1, norm), AutoLirpa())
            found = torch.autograd.grad((upper - lower).sum(), [center, module[0].weight, module[0].bias])
            assert all(bool((part != 0).any()) for part in found)
    lower, upper = sparring.bound(module, Region(center, 0.1), AutoLirpa(method="CROWN-Optimized", iterations=3))
    assert not lower.requires_grad
    assert not upper.requires_grad
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())


@needs_the_peer
@pytest.mark.parametrize("method", ["CROWN", "CROWN-Optimized"])
def test_it_works_where_no_gradients_are_recorded(method):
    expected = sparring.bound(network(), REGION, AutoLirpa(method=method))
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            found = sparring.bound(network(), Region(CENTER.clone(), 0.1), AutoLirpa(method=method))
        assert torch.equal(found[0], expected[0])


# -- what it refuses ------------------------------------------------------------------------------------------------


@needs_the_peer
@pytest.mark.parametrize("method", ["forward", "forward+backward"])
def test_where_it_is_known_to_be_unsound_the_bound_is_unknown(method):
    module = network(nn.Linear(3, 6), nn.LeakyReLU, nn.Linear(6, 2))
    with pytest.raises(
        RefusedError, match=f"unknown: auto_LiRPA's {method.replace('+', '.')} is unsound for LeakyReLU"
    ):
        sparring.bound(module, REGION, AutoLirpa(method=method))
    sparring.bound(module, REGION, AutoLirpa())


class Applied(nn.Module):
    """A linear layer and a function."""

    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(3, 4), function

    def forward(self, x):
        return self.function(self.layer(x))


@needs_the_peer
@pytest.mark.parametrize(
    ("what", "function", "sound"),
    [
        ("LeakyReLU whose negative slope is not", lambda x: nn.functional.leaky_relu(x, -0.2), ()),
        ("LeakyReLU whose negative slope is not", lambda x: nn.functional.leaky_relu(x, 2.5), ()),
        ("even powers", lambda x: x**2, ("IBP",)),
        ("even powers", lambda x: x**4, ("IBP",)),
        ("tan", lambda x: torch.tan(0.01 * x), ("IBP",)),
        ("nothing", lambda x: x**3, ("IBP", "CROWN", "forward")),
    ],
)
@pytest.mark.parametrize("method", ["IBP", "CROWN", "forward"])
def test_functions_that_it_bounds_wrongly_are_unknown(what, function, sound, method):
    module, backend = Applied(function), AutoLirpa(method=method)
    if method in sound:
        lower, upper = sparring.bound(module, REGION, backend)
        assert (lower <= upper).all()
        return
    with pytest.raises(RefusedError, match=f"unknown: auto_LiRPA's {method} is unsound for {what}"):
        sparring.bound(module, REGION, backend)


class Started(nn.Module):
    """Something, and then layers."""

    def __init__(self, start, *layers):
        super().__init__()
        self.start, self.rest = start, network(*layers)

    def forward(self, x):
        return self.rest(self.start(x))


@needs_the_peer
@pytest.mark.parametrize("norm", ["1", "2"])
@pytest.mark.parametrize("method", ["IBP", "CROWN", "CROWN-IBP", "CROWN-Optimized"])
def test_a_ball_that_is_changed_before_the_first_layer_is_unknown(method, norm):
    """Its boxes would be those of the unchanged ball, and attacks break them."""
    region, backend = Region(CENTER, 0.3, norm=norm), AutoLirpa(method=method, iterations=2)
    for start in (lambda x: 4 * x, lambda x: x - 0.5, lambda x: x[:, 0:3] / 0.5):
        with pytest.raises(RefusedError, match=rf"is unsound for a ball of norm '{norm}' where \w+ comes before"):
            sparring.bound(Started(start), region, backend)
        assert torch.isfinite(sparring.bound(Started(start), region, AutoLirpa(method="forward"))[0]).all()
        assert torch.isfinite(sparring.bound(Started(start), Region(CENTER, 0.3), backend)[0]).all()
    plain = sparring.bound(network(), region, backend)
    moved = Started(lambda x: x.reshape(x.shape[0], 1, 3).transpose(1, 2).flatten(1))
    found = sparring.bound(moved, region, backend)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found, plain, strict=True))


class Branching(nn.Module):
    def forward(self, x):
        raise ArithmeticError("two\nlines")


@needs_the_peer
@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            network(nn.Linear(3, 2), nn.ELU),
            r"unknown: auto_LiRPA's CROWN fails on this module: it has no rule for .*Elu",
        ),
        (
            network(nn.Linear(3, 2), nn.Softplus),
            "unknown: auto_LiRPA's CROWN fails on this module: NotImplementedError",
        ),
        (Branching(), "fails on this module: ArithmeticError: lines"),
        (network(nn.Linear(4, 2)), "fails on this module: RuntimeError: mat1 and mat2"),
    ],
    ids=["no rule", "no relaxation", "raises", "other inputs"],
)
def test_what_it_raises_makes_the_bound_unknown_in_one_line(module, words, capfd):
    with pytest.raises(RefusedError, match=words) as caught:
        sparring.bound(module, REGION, AutoLirpa())
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""


@needs_the_peer
def test_a_specification_of_other_outputs_is_refused():
    with pytest.raises(RequestError, match="spec has 3 columns for 2 outputs"):
        sparring.bound(network(), REGION, AutoLirpa(), torch.ones(1, 3))
    with pytest.raises(RequestError, match=r"gives \[2, 3, 1\], expected \[batch, outputs\]"):
        sparring.bound(network(nn.Unflatten(1, (3, 1))), REGION, AutoLirpa())


# -- its graphs -----------------------------------------------------------------------------------------------------


def graph_of(backend, module, inputs=CENTER):
    (graph,) = [kept for key, kept in backend._graphs.kept[module].items() if key[0] == tuple(inputs.shape)]
    return graph


@needs_the_peer
@pytest.mark.parametrize("error", [RuntimeError("burst"), KeyboardInterrupt()])
def test_after_an_error_the_graph_is_thrown_away_and_built_anew(error, monkeypatch):
    backend, module = AutoLirpa(), network()
    expected = sparring.bound(module, REGION, backend)
    first = graph_of(backend, module)
    assert torch.equal(sparring.bound(module, REGION, backend)[0], expected[0])
    assert graph_of(backend, module) is first

    def burst(**given):
        first.bounded._modules.clear()  # leaves it in pieces
        raise error

    monkeypatch.setattr(first.bounded, "compute_bounds", burst)
    with pytest.raises(RefusedError if isinstance(error, Exception) else KeyboardInterrupt) as caught:
        sparring.bound(module, REGION, backend)
    if isinstance(error, Exception):
        assert str(caught.value) == "unknown: auto_LiRPA's CROWN fails on this module: RuntimeError: burst"
    assert module not in backend._graphs.kept
    assert torch.equal(sparring.bound(module, REGION, backend)[0], expected[0])
    assert graph_of(backend, module) is not first


class Scaled(nn.Module):
    """Has a number, a plain tensor and a buffer that are no parameters, and a hook."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(4)
        self.factor, self.offsets = 2.0, [torch.zeros(4)]
        self.leak = nn.LeakyReLU(0.1)

    def forward(self, x):
        return self.leak(self.norm(self.layer(x)) * self.factor + self.offsets[0])


def in_place(module):
    with torch.no_grad():
        module.layer.weight.add_(1.0)


def past_the_version(module):
    module.layer.weight.data.mul_(3.0)


def through_numpy(module):
    module.layer.bias.detach().numpy()[:] += 5.0


def another_parameter(module):
    module.layer.weight = nn.Parameter(module.layer.weight.detach() - 2.0)


def another_layer(module):
    module.layer = network(nn.Linear(3, 7), nn.Linear(7, 4))


def a_buffer(module):
    module.norm.running_mean += 4.0


def a_number(module):
    module.factor = -1.5


def a_plain_tensor(module):
    module.offsets[0] += 3.0


def a_setting(module):
    module.leak.negative_slope = 0.9


def a_hook(module):
    module.layer.register_forward_hook(lambda layer, inputs, outputs: outputs + 6.0)


CHANGES = [
    in_place, past_the_version, through_numpy, another_parameter, another_layer, a_buffer, a_number, a_plain_tensor,
    a_setting, a_hook,
]  # fmt: skip


@needs_the_peer
@pytest.mark.parametrize("change", CHANGES)
def test_no_bound_is_of_what_the_module_was(change):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(17)
        backend, module = AutoLirpa(), Scaled().eval()
    before = sparring.bound(module, REGION, backend)
    assert holds(before, sampled(REGION, module))
    change(module)
    after = sparring.bound(module, REGION, backend)
    assert holds(after, sampled(REGION, module))
    assert not torch.equal(after[0], before[0])
    assert torch.equal(after[0], sparring.bound(module, REGION, AutoLirpa())[0])


class Opaque:
    """Can be copied, but says nothing of itself."""

    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        raise TypeError("cannot be told")


@needs_the_peer
def test_a_module_whose_content_cannot_be_told_is_built_each_time():
    backend, module = AutoLirpa(), network()
    module.opaque = Opaque()
    expected = sparring.bound(module, REGION, backend)
    first = graph_of(backend, module)
    assert torch.equal(sparring.bound(module, REGION, backend)[0], expected[0])
    assert graph_of(backend, module) is not first
    module.lock = threading.Lock()
    with pytest.raises(RefusedError, match=r"unknown: .*cannot pickle"):  # nor copied, to build on
        sparring.bound(module, REGION, backend)


@needs_the_peer
def test_graphs_are_few_and_end_with_their_module():
    backend, module = AutoLirpa(), network()
    for batch in range(1, 8):
        sparring.bound(module, Region(CENTER[:1].repeat(batch, 1), 0.1), backend)
    assert len(backend._graphs.kept[module]) == 4
    del module
    gc.collect()
    assert len(backend._graphs.kept) == 0


@needs_the_peer
@pytest.mark.parametrize("method", METHODS.values())
def test_everything_is_left_as_it_was(method, capfd):
    module = network(nn.Linear(3, 6), nn.ReLU, nn.Dropout(), nn.Linear(6, 2)).double()
    module[0].weight.requires_grad_(False)
    loss = module(CENTER.double()).sum()  # its graph would notice a weight that was written to
    root, exporter = logging.getLogger(), sys.modules.get("torch.onnx._internal.torchscript_exporter._globals")

    def state():
        return {
            "random": fingerprint(torch.get_rng_state()),
            "dtype": torch.get_default_dtype(),
            "threads": torch.get_num_threads(),
            "gradients": torch.is_grad_enabled(),
            "filters": list(warnings.filters),
            "calls": sys.getrecursionlimit(),
            "logging": (root.handlers[:], root.level, logging.getLogger("auto_LiRPA").handlers[:]),
            "exporter": getattr(getattr(exporter, "GLOBALS", None), "autograd_inlining", None),
            "weights": fingerprint(module),
            "versions": [parameter._version for parameter in module.parameters()],
            "flags": [(part.requires_grad, part.grad, part.device) for part in module.parameters()],
            "modes": [part.training for part in module.modules()],
        }

    before = state()
    sparring.bound(module, Region(CENTER.double(), 0.1), AutoLirpa(method=method, iterations=2))
    assert state() == before
    loss.backward()
    assert capfd.readouterr().out == ""
