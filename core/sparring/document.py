"""Documents: evaluations as JSON, schema `sparring.evaluation/1`. Fields may be added, never renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparring.errors import RequestError
from sparring.files import write_text

__all__ = [
    "AttackRecord",
    "BudgetRecord",
    "CollapseRecord",
    "Evaluation",
    "ExploitabilityRecord",
    "FigureRecord",
    "GameRecord",
    "NominalRecord",
    "OptimumRecord",
    "PartRecord",
    "PluginRecord",
    "PolicyRecord",
    "Provenance",
    "SearchRecord",
    "StatisticsRecord",
    "ThreatRecord",
    "TriedRecord",
    "read_evaluations",
]

SCHEMA = "sparring.evaluation/1"


class Record(BaseModel):
    """Base of all parts of a document."""

    model_config = ConfigDict(frozen=True, extra="allow")


class GameRecord(Record):
    """Which game."""

    spec: str
    form: str
    players: int


class BudgetRecord(Record):
    """How much the attacker may do."""

    kind: str
    value: float
    unit: str


class PartRecord(Record):
    """One threat of a composed one."""

    name: str
    options: dict[str, Any]
    budget: BudgetRecord


class ThreatRecord(Record):
    """What the attacker may touch; a composed threat has its parts."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    parts: list[PartRecord] | None = None


class PolicyRecord(Record):
    """Which policy; `player` is its seat."""

    spec: str
    player: int | None = None


class FigureRecord(Record):
    """A number with its 95% bootstrap interval; see `sparring.statistics`."""

    value: float
    ci95: tuple[float, float]


class CollapseRecord(FigureRecord):
    """The share of episodes that collapsed: whose return is below a threshold."""

    below: float
    """The threshold."""
    rule: str
    """Where the threshold comes from."""


class StatisticsRecord(Record):
    """What the returns of an attack say together."""

    mean: FigureRecord
    median: FigureRecord
    iqm: FigureRecord
    """Interquartile mean."""
    collapsed: CollapseRecord | None
    """Null where there is neither a given threshold nor a value without attack."""
    bootstrap: int
    """Samples behind each interval."""


class NominalRecord(Record):
    """The victim's return without attack; null where nothing says what the other seat would do."""

    value: float | None
    ci95: tuple[float, float] | None = None
    episodes: int | None = None
    returns: list[float] | None = None
    """The return of each episode; null where values are exact."""
    seeds: list[int] | None = None
    """The seed of each episode."""
    lengths: list[int] | None = None
    """Steps of each episode."""
    truncated: list[bool] | None = None
    """Whether the time limit ended the episode; else it came to its own end."""
    statistics: StatisticsRecord | None = None


class TriedRecord(Record):
    """One of the attackers that an oracle chose from; see `sparring.oracle.Tried`."""

    oracle: str
    value: float | None
    ci95: tuple[float, float] | None = None
    episodes: int | None = None
    steps: int = 0
    seconds: float = 0.0
    warnings: list[str] = Field(default_factory=list)


class SearchRecord(Record):
    """What a search over settings cost and found; see `sparring.oracle.Search`."""

    oracle: str
    space: dict[str, str]
    best: str
    trials: int
    resumed: int
    together: int
    steps: int
    seconds: float


class AttackRecord(Record):
    """The victim's return under what one oracle found; what is not said here is as in `NominalRecord`."""

    oracle: str
    value: float
    ci95: tuple[float, float] | None = None
    episodes: int | None = None
    steps: int = 0
    seconds: float = 0.0
    warnings: list[str] = Field(default_factory=list)
    returns: list[float] | None = None
    seeds: list[int] | None = None
    lengths: list[int] | None = None
    truncated: list[bool] | None = None
    statistics: StatisticsRecord | None = None
    tried: list[TriedRecord] | None = None
    """What it chose from, where it tried several attackers."""
    search: SearchRecord | None = None
    """What was searched, where it searched settings."""
    made: int | None = None
    """Simulator steps that the core counted while the oracle worked; null where there is no simulator."""


class ExploitabilityRecord(Record):
    """The interval; see `sparring.exploitability.Interval`."""

    lower: float
    upper: float | None
    exact: bool
    over: Literal["distribution"] | list[int]
    confidence: float | None
    method: str
    trivial_upper: bool


class OptimumRecord(Record):
    """The least exploitability that any victim has."""

    exploitability: float
    method: str


class PluginRecord(Record):
    """A plugin that took part; `sha256` is null for editable installs and unregistered plugins."""

    name: str
    kind: str
    distribution: str | None
    version: str | None
    sha256: str | None


class Provenance(Record):
    """Where the result comes from."""

    sparring: str
    python: str
    platform: str
    packages: dict[str, str]
    plugins: list[PluginRecord]
    seed: int
    command: str | None
    started: str
    seconds: float


class Evaluation(Record):
    """The answer: nominal value, value under each oracle, the exploitability interval, provenance."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    game: GameRecord
    threat: ThreatRecord
    budget: BudgetRecord | None
    victim: PolicyRecord
    benign: PolicyRecord | None
    nominal: NominalRecord
    attacks: list[AttackRecord]
    exploitability: ExploitabilityRecord
    exploitability_over_seeds: ExploitabilityRecord | None = None
    """The interval over the seeds that certificates speak of; null where none does."""
    optimum: OptimumRecord | None
    gap: float | None
    certificates: list[dict[str, Any]]
    metrics: dict[str, Any]
    provenance: Provenance

    def to_document(self) -> dict[str, Any]:
        """As JSON values, in the schema's order."""
        return self.model_dump(mode="json", by_alias=True)

    def to_text(self) -> str:
        """As JSON text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    def to_json(self, path: str | Path) -> None:
        """Write the document; the file is whole or absent."""
        write_text(Path(path), self.to_text())

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for each episode that was kept; see `sparring.episode_rows`."""
        from sparring.episode_rows import rows_of

        return rows_of([self])

    def save_returns(self, path: str | Path) -> None:
        """Write those rows as a `.csv` or `.parquet` file; the file is whole or absent.

        Raises:
            RequestError: another ending, a missing package, or no episodes: values are exact.
        """
        from sparring.episode_rows import save_rows

        save_rows([self], Path(path))

    @classmethod
    def from_json(cls, path: str | Path) -> Evaluation:
        """Read one evaluation.

        Raises:
            RequestError: the file is missing or holds something else.
        """
        found = read_evaluations(Path(path))
        if len(found) != 1:
            raise RequestError(f"{path}: holds {len(found)} evaluations, expected 1")
        return found[0]


def read_evaluations(path: Path) -> list[Evaluation]:
    """Read a document: one evaluation, or a list of them.

    Raises:
        RequestError: the file is missing, is not JSON, or is no evaluation document.
    """
    import json

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"document {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"document {path}: not JSON: {error}") from error
    found = data if isinstance(data, list) else [data]
    for item in found:
        schema = item.get("schema") if isinstance(item, dict) else None
        if schema != SCHEMA:
            raise RequestError(f"document {path}: its schema is {schema!r}, expected {SCHEMA!r}")
    try:
        return [Evaluation.model_validate(item) for item in found]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"document {path}: {place}: {first['msg']}") from error
