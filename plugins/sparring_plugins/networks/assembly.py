"""From an architecture and tensors by name to a torch module; nothing random is drawn on the way."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, nearest
from sparring_plugins.networks.engine import engine
from sparring_plugins.networks.reading import Reading

if TYPE_CHECKING:
    from torch import nn

    from sparring_plugins.networks.parts import Parts

__all__ = ["KINDS", "assembled", "limits_of", "parts_of"]

Limits = tuple[NDArray[Any], NDArray[Any]]

KINDS = {"mlp": "Mlp", "lstm": "Lstm", "conv_gru": "ConvGru", "nature": "Nature"}
"""Class of each architecture; its file has its name."""


def assembled(told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], prefix: str, who: str) -> nn.Module:
    """Build a network and put its tensors in.

    Args:
        told: the architecture, `{kind, ...}`.
        tensors: by name, as files have them.
        prefix: what stands before the network's own names, such as `policy.`; may be empty.
        who: whose network, for messages.

    Returns:
        The module in evaluation mode; its parameters want no gradient.

    Raises:
        RequestError: an unknown architecture, a tensor that is missing, of another shape, or not finite.
    """
    torch = engine(who)
    kind = str(told.get("kind")).replace("-", "_")
    if kind not in KINDS:
        known = [name.replace("_", "-") for name in KINDS]
        raise RequestError(f"{who}: unknown architecture {told.get('kind')!r}; {nearest(kind, known)}")
    home = importlib.import_module(f"sparring_plugins.networks.{kind}")
    try:
        with torch.device("meta"):  # shapes alone: nothing is initialised, so nothing is drawn
            network: nn.Module = getattr(home, KINDS[kind]).of(told)
    except RequestError as error:
        raise RequestError(f"{who}: {error}") from error
    filled = {
        name: torch.from_numpy(_checked(tensors, prefix + stored, tuple(wanted.shape), who))
        for (name, wanted), stored in zip(network.state_dict().items(), _stored_names(network), strict=True)
    }
    network.load_state_dict(filled, assign=True)
    return network.eval().requires_grad_(False)


def parts_of(
    reading: Reading, tensors: Mapping[str, NDArray[Any]], limits: Limits | None, who: str, *, normalising: bool
) -> Parts:
    """The acting network with what comes before and after it.

    Args:
        reading: the policy's description, understood.
        tensors: by name.
        limits: least and greatest action, [*action]; needed where actions are stretched to them.
        who: whose network, for messages.
        normalising: whether it is handed observations that are not normalised yet.

    Raises:
        RequestError: as `assembled`, or limits are missing.
    """
    torch = engine(who)
    from sparring_plugins.networks.layers import Normalise, Rescale
    from sparring_plugins.networks.parts import Parts

    normalises = normalising and reading.normaliser is not None
    before = Normalise(reading.normaliser) if normalises and reading.normaliser is not None else torch.nn.Identity()
    after: nn.Module = torch.nn.Identity()
    if reading.gives == "direction":
        after = torch.nn.Hardtanh()
    elif reading.rescaled and limits is not None:
        after = Rescale(*(torch.tensor(limit, dtype=torch.float32) for limit in limits))
    return Parts(before, assembled(reading.architecture, tensors, reading.prefix, who), after, normalises)


def limits_of(limits: Limits | None, who: str) -> Limits:
    """The limits of the action space.

    Raises:
        RequestError: there are none, because the policy was loaded without its game.
    """
    if limits is None:
        raise RequestError(f"{who}: its actions are fitted to an action space; load it with the game it acts in")
    return limits


def _stored_names(network: nn.Module) -> list[str]:
    """Names under which files keep the network's tensors, in the order of its state."""
    names = []
    for name in network.state_dict():
        owner, _, last = name.rpartition(".")
        cell, _, part = owner.rpartition(".")
        stored = getattr(network.get_submodule(cell), "stored", {}).get(f"{part}.{last}") if cell else None
        names.append(name if stored is None else f"{cell}.{stored}")
    return names


def _checked(tensors: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], who: str) -> NDArray[np.float32]:
    if name not in tensors:
        raise RequestError(f"{who}: holds no tensor {name!r}; {nearest(name, tensors)}")
    found = tensors[name]
    if found.shape != shape:
        raise RequestError(f"{who}: tensor {name!r} has shape {list(found.shape)}, its architecture says {list(shape)}")
    numbers = np.array(found, dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise RequestError(f"{who}: tensor {name!r} holds NaN or infinity")
    return numbers
