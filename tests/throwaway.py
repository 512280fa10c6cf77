"""A plugin distribution made for one test: modules, and a real dist-info that announces entry points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["ORACLE", "install"]

ORACLE = """
from sparring import hookimpl
from sparring.oracle import Finding, Oracle
from sparring.attack_game import Side

class Mine(Oracle):
    name = "{name}"
    summary = "an oracle of {word}"

    def attack(self, duel, victim, *, effort, rng):
        return Finding(duel.draw(Side.ATTACKER, rng))

@hookimpl
def sparring_oracles():
    return [Mine]
"""


def install(
    folder: Path, distribution: str, points: Mapping[str, str], modules: Mapping[str, str], version: str = "1.2.3"
) -> None:
    """Write modules by name and a dist-info with entry points of the group `sparring` into a folder on sys.path."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
    )
    announced = "".join(f"{point} = {module}\n" for point, module in points.items())
    (info / "entry_points.txt").write_text(f"[sparring]\n{announced}", encoding="utf-8")
    files = [*(f"{name}.py" for name in modules), *(f"{info.name}/{name}" for name in ("METADATA", "entry_points.txt"))]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files), encoding="utf-8")
