"""auto_LiRPA behind Sparring's interface: a peer to compare with, where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.bounds import BoundBackend, Region
from sparring.errors import RefusedError, RequestError
from sparring.plugin import PluginOptions, unit

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sparring_plugins.bounds._lirpa_graphs import Graph, Graphs

Method = Literal["IBP", "CROWN", "CROWN-IBP", "forward", "forward+backward", "CROWN-Optimized"]


LONGEST = 200
"""Characters of a foreign error that are told."""
LAYERS = {"BoundLinear", "BoundMatMul", "BoundConv", "BoundShape"}
"""What takes a ball of norm 1 or 2 as it is, or only its shape."""
MOVES = {"BoundFlatten", "BoundReshape", "BoundTranspose", "BoundSqueeze", "BoundUnsqueeze"}
"""What leaves a ball the ball that it was."""


class AutoLirpaOptions(PluginOptions):
    """Options of `auto-lirpa`."""

    method: Method = Field("CROWN", description="which of auto_LiRPA's methods")
    iterations: int = Field(
        20, ge=1, description="steps of CROWN-Optimized; other methods take none", json_schema_extra=unit("steps")
    )
    rate: float = Field(
        0.1, gt=0, description="learning rate of CROWN-Optimized; its own default of 0.5 is looser after 20 steps"
    )


class AutoLirpa(BoundBackend):
    """The installed auto_LiRPA, 0.6 or later.

    Its bounds hold in exact arithmetic: unlike Sparring's own they are not widened by what rounding may do. A ball
    of norm "1" or "2" that is clipped to a domain is bounded without the clipping. Gradients flow to centre and
    weights except through CROWN-Optimized. Whatever it raises makes the bound unknown; its graph of the module is
    then thrown away and built anew for the next call.
    """

    name: ClassVar[str] = "auto-lirpa"
    summary: ClassVar[str] = "the installed auto_LiRPA, any of its methods"
    source: ClassVar[str] = "Xu et al. 2020, Automatic Perturbation Analysis for Scalable Certified Robustness"
    Options: ClassVar[type[PluginOptions]] = AutoLirpaOptions

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._graphs: Graphs | None = None

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """What `compute_bounds` gives.

        Raises:
            RefusedError: auto_LiRPA is missing or too old, has no rule, fails, or is known to be unsound here.
        """
        import torch

        from sparring_plugins.bounds._lirpa_graphs import Graphs
        from sparring_plugins.bounds._lirpa_library import library, quietly

        lirpa = library()
        graphs = self._graphs = self._graphs or Graphs()
        optimized = self.options.method == "CROWN-Optimized"
        learning = torch.is_grad_enabled() and not optimized
        with (
            graphs.lock,
            torch.inference_mode(mode=False),
            torch.set_grad_enabled(learning),
            quietly(region.center.dtype) as refused,
        ):
            try:
                graph = graphs.get(module, region.center, lirpa, self._bound_options())
                self._check(graph, region, spec)
                if learning:
                    graph.learn(module)
                try:
                    return self._ordered(graph, region, spec, lirpa)
                finally:
                    if learning:
                        graph.forget()
            except RequestError:
                raise
            except BaseException as error:
                graphs.drop(module)
                if not isinstance(error, Exception):
                    raise
                raise RefusedError(self._unknown(error, refused)) from error

    def _bound_options(self) -> dict[str, Any]:
        """Leave the flags of parameters alone, and optimise as asked."""
        return {
            "param": {"auto_requires_grad": False},
            "optimize_bound_args": {"iteration": self.options.iterations, "lr_alpha": self.options.rate},
        }

    def _unknown(self, error: Exception, refused: list[str]) -> str:
        """One line with the cause; a failed trace has the true one in its context, TorchScript's is its last line."""
        told = error.__context__ if isinstance(error.__context__, Exception) else error
        lines = [line.strip() for line in str(told).splitlines() if line.strip()]
        cause = f"{type(told).__name__}: {lines[-1] if lines else 'without a word'}"
        if refused:
            cause = f"it has no rule for {', '.join(refused)}"
        shown = cause if len(cause) <= LONGEST else f"{cause[:LONGEST]}..."
        return f"unknown: auto_LiRPA's {self.options.method} fails on this module: {shown}"

    def _check_start(self, bounded: Any, region: Region) -> None:
        """Refuse balls that something changes before the first layer: its boxes still take them for the input's."""
        nodes = list(bounded.nodes())
        reached = [node for node in nodes if type(node).__name__ == "BoundInput"]
        for source in reached:
            for node in (node for node in nodes if source in node.inputs):
                kind = type(node).__name__
                if kind in MOVES:
                    reached.append(node)
                elif kind not in LAYERS:
                    raise RefusedError(
                        f"unknown: auto_LiRPA's {self.options.method} is unsound for a ball of norm '{region.norm}' "
                        f"where {kind.removeprefix('Bound')} comes before the first layer; choose forward+backward"
                    )

    def _check(self, graph: Graph, region: Region, spec: Tensor | None) -> None:
        """Refuse what it would answer wrongly."""
        for node in graph.bounded.nodes():
            fault = _fault(node, self.options.method)
            if fault:
                raise RefusedError(f"unknown: auto_LiRPA's {self.options.method} is unsound for {fault}")
        if region.norm != "inf" and not self.options.method.startswith("forward"):
            self._check_start(graph.bounded, region)
        shape = graph.outputs
        if len(shape) != 2 or shape[0] != region.center.shape[0]:
            raise RequestError(f"bounds auto-lirpa: the module gives {shape}, expected [batch, outputs]")
        if spec is not None and spec.shape[-1] != shape[-1]:
            raise RequestError(f"bounds auto-lirpa: spec has {spec.shape[-1]} columns for {shape[-1]} outputs")

    def _ordered(self, graph: Graph, region: Region, spec: Tensor | None, lirpa: Any) -> tuple[Tensor, Tensor]:
        """Both bounds; where rounding made two equal ones cross, they change places."""
        import torch

        lower, upper = _bounds(graph, region, spec, lirpa, self._computed)
        if self.options.method == "CROWN-Optimized":
            lower, upper = lower.detach(), upper.detach()
        return torch.minimum(lower, upper), torch.maximum(lower, upper)

    def _computed(self, graph: Graph, inputs: Tensor, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        import torch

        # Its optimiser differentiates, whatever the caller does.
        optimized = self.options.method == "CROWN-Optimized"
        with torch.set_grad_enabled(optimized or torch.is_grad_enabled()):
            lower, upper = graph.bounded.compute_bounds(x=(inputs,), C=spec, method=self.options.method)
        return lower, upper


def _fault(node: Any, method: str) -> str:
    """What it is known to answer wrongly at a node, and what to do instead; as found in 0.7.1 by sampling."""
    kind = type(node).__name__
    if kind == "BoundLeakyRelu":
        if not 0 <= getattr(node, "leaky_alpha", -1) <= 1:
            return "LeakyReLU whose negative slope is not between 0 and 1; choose a backend of Sparring's own"
        if method.startswith("forward"):
            return "LeakyReLU, whose negative side it takes for 0; choose CROWN or IBP"
    if method != "IBP" and kind == "BoundTan":
        return "tan, whose poles it forgets; choose IBP"
    if method != "IBP" and kind == "BoundPow" and not _is_odd(node.inputs[1]):
        return "even powers, which it puts below a tangent; choose IBP, or write squares as x * x"
    return ""


def _is_odd(exponent: Any) -> bool:
    """Whether a node holds an odd whole number."""
    import torch

    while exponent.inputs:
        exponent = exponent.inputs[0]
    value = getattr(exponent, "value", None)
    return value is not None and bool((torch.as_tensor(value) % 2 == 1).all())


Computed = tuple["Tensor", "Tensor"]
Compute = Callable[["Graph", "Tensor", "Tensor | None"], Computed]


def _bounds(graph: Graph, region: Region, spec: Tensor | None, lirpa: Any, compute: Compute) -> Computed:
    """Bounds over the region; one pass for each radius, since auto_LiRPA's balls of norms 1 and 2 share theirs."""
    import torch

    batch = region.center.shape[0]
    rows = spec.expand(batch, -1, -1) if spec is not None else None
    if region.norm == "inf":
        low, high = region.corners
        ball = lirpa.PerturbationLpNorm(norm=float("inf"), x_L=low, x_U=high)
        return compute(graph, _perturbed(low / 2 + high / 2, ball, lirpa), rows)
    radii, center, parts = region.ball_radius, region.ball_center, []
    distinct, which = torch.unique(radii, return_inverse=True)
    for place, radius in enumerate(distinct.tolist()):
        mine = torch.nonzero(which == place).squeeze(1)
        ball = lirpa.PerturbationLpNorm(norm=float(region.norm), eps=radius)
        part = compute(graph, _perturbed(center[mine], ball, lirpa), None if rows is None else rows[mine])
        parts.append((mine, part))
    order = torch.argsort(torch.cat([mine for mine, _ in parts]))
    lower, upper = (torch.cat([part[side] for _, part in parts])[order] for side in (0, 1))
    return lower, upper


def _perturbed(center: Tensor, ball: Any, lirpa: Any) -> Tensor:
    """The centre as auto_LiRPA wants it, with the ball around it; gradients pass through."""
    inputs: Tensor = center.as_subclass(lirpa.BoundedTensor)
    inputs.ptb = ball  # type: ignore[attr-defined]  # a field of the subclass
    return inputs


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `auto-lirpa`."""
    return [AutoLirpa]
