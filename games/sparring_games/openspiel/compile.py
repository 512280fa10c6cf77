"""OpenSpiel games, compiled to sequence form.

Any two-player game with perfect recall that fits in memory: sequential or with simultaneous moves (which
become successive ones, the later player not seeing the earlier move), zero-sum or not, with listed chance.
A simultaneous game's information states are therefore those of its turn-based transform.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sparring.errors import RequestError
from sparring.extensive.game import ExtensiveGame
from sparring_games.openspiel.cache import cache_file, cache_folder, load_cached, store
from sparring_games.openspiel.engine import engine, load_engine_game
from sparring_games.openspiel.memory import available_bytes, named_bytes
from sparring_games.openspiel.order import number_blocks
from sparring_games.openspiel.probe import probe_game
from sparring_games.openspiel.spec import GameRequest, parse_game
from sparring_games.openspiel.walk import walk_game

__all__ = ["compile_game", "load_openspiel"]

_MEMORY_SHARE = 0.8


def load_openspiel(spec: str) -> Any:
    """Load the OpenSpiel game that `compile_game(spec)` compiles, the turn-based one of simultaneous games.

    Raises:
        RequestError: as `compile_game`, short of what only the walk over the tree shows.
    """
    return _load(spec, parse_game(spec))


def compile_game(spec: str, *, max_nodes: int | None = None, cache: Path | bool | None = True) -> ExtensiveGame:
    """Compile an OpenSpiel game, or read it from the cache.

    Args:
        spec: OpenSpiel's game string, `name` or `name(key=value,...)`. `goofspiel` stands for 4 cards,
            imperfect information and descending points unless parameters say otherwise.
        max_nodes: most histories to visit; by default as many as fit into SPARRING_MEMORY gigabytes, or into four
            fifths of the free memory where that is not set, and none of a tree that would take days.
        cache: a folder; True for SPARRING_CACHE or else the user's cache folder; None or False for none.

    Returns:
        The game; information sets of one public situation have neighbouring numbers.

    Raises:
        RequestError: OpenSpiel missing; unknown game or bad parameters; not two players; mean-field,
            sampled chance, no information-state strings, imperfect recall, endless, or too large.
    """
    if max_nodes is not None and max_nodes < 1:
        raise RequestError(f"{spec}: max_nodes={max_nodes}: give 1 or more, or leave it out")
    request = parse_game(spec)
    folder = cache_folder() if cache is True else cache or None
    if folder is None:
        return _compile(spec, request, max_nodes)
    file, key = cache_file(folder, request.name, _key(request))
    game = load_cached(file, key, spec)
    if game is None:
        game = _compile(spec, request, max_nodes)
        if _comes_with_engine(request):
            store(file, key, game)
    elif max_nodes is not None and game.nodes > max_nodes:
        raise RequestError(
            f"{spec}: stopped after {max_nodes:,} histories: there are {game.nodes:,}, more than "
            f"max_nodes={max_nodes:,}; choose a smaller game or raise max_nodes"
        )
    return game


def _compile(spec: str, request: GameRequest, max_nodes: int | None) -> ExtensiveGame:
    walk = walk_game(spec, _load(spec, request), max_nodes=max_nodes, memory=_usable_bytes)
    least, greatest = walk.leaves.least.tolist(), walk.leaves.greatest.tolist()
    trees, row, column, payoff = number_blocks(walk)
    return ExtensiveGame(
        spec=spec,
        trees=trees,
        row=row,
        column=column,
        payoff=payoff,
        payoff_range=((least[0], greatest[0]), (least[1], greatest[1])),
        zero_sum=walk.leaves.zero_sum,
        nodes=walk.nodes,
    )


def _usable_bytes() -> int:
    named = named_bytes()
    return int(_MEMORY_SHARE * available_bytes()) if named is None else named


def _load(spec: str, request: GameRequest) -> Any:
    if request.tailored:
        probe_game(spec, request)
    return load_engine_game(spec, request.name, request.parameters)


def _key(request: GameRequest) -> dict[str, Any]:
    """Name all that the compiled arrays depend on: engine, parameters, contents of data files."""
    files = {str(path): hashlib.blake2b(path.read_bytes()).hexdigest() for path in request.files()}
    return {"open_spiel": engine().__version__, "game": request.identity(), "files": files}


def _comes_with_engine(request: GameRequest) -> bool:
    """Whether OpenSpiel's version fixes the rules; a user's own game may change under the same name."""
    homes = [type(engine().load_game(*part)).__module__ for part in request.games()]
    return all(home.split(".")[0] in ("pyspiel", "open_spiel") for home in homes)
