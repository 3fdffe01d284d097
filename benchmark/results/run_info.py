"""What ``run.json`` holds: every field that a reader uses, its type and its bounds.

Readers take the values as they are, so whatever could not be true is refused here. Fields that are
not named may stand beside the others, for later versions and for what models report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from benchmark.data.card import Split
from benchmark.data.terms import Leakage, Protocol, Seen, TaskName
from benchmark.errors import BenchmarkError
from benchmark.given import Given
from benchmark.names import is_name
from benchmark.plain_text import plain
from benchmark.settings import IMPORTED
from benchmark.type_faults import first_fault

__all__ = ["SCHEMA_VERSION", "Count", "Share", "check_info"]

SCHEMA_VERSION = 2


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("is no name")
    return text


def _each_once(values: Sequence[str]) -> Sequence[str]:
    if len(set(values)) < len(values):
        raise ValueError("names one of them twice")
    return values


def _split(text: str) -> str:
    if text not in _SPLITS:
        raise ValueError("is no split of this version")
    return text


def _given(told: dict[str, Any]) -> dict[str, Any]:
    if told.keys() != Given.__dataclass_fields__.keys():
        raise ValueError("is not what a model of this version declares")
    _GIVEN.validate_python(told)
    return told


_GIVEN = TypeAdapter(Given)
_SPLITS = get_args(Split.model_fields["name"].annotation)

Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, Field(max_length=1000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Number = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Values = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class Means(_Part):
    """The means of one task and protocol, and what they cost; further metrics stand beside them."""

    __pydantic_extra__: dict[str, Number | None] = Field(init=False)
    requests: Count
    seconds_per_request: Number | None
    ndcg: Share = Field(alias="ndcg@10")
    hr: Share = Field(alias="hr@10")
    mrr: Share = Field(alias="mrr@10")


class Repeated(_Part):
    """What ``seen: exclude`` took out of one task."""

    targets: Count
    requests: Count


class Phase(_Part):
    """One phase of a run."""

    name: Text
    seconds: Number
    processor_seconds: Number | None = None
    memory_mib: Number


class Tuning(_Part):
    """The search that chose the settings."""

    trials: Annotated[Count, Field(ge=1)]
    study: Text = ""
    chosen: Values = Field(default_factory=dict)


class Ablation(_Part):
    """What the model was trained without, and the settings that the full model has instead."""

    name: Annotated[Text, Field(min_length=1)]
    full: Values


class Environment(_Part):
    """The machine, as far as it is known."""

    device: Text
    python: Text = ""
    platform: Text = ""
    cpu: Text = ""
    cpus: Count | None = None
    processes: Count = 1
    threads: Count = 1
    packages: dict[str, Text | None] = Field(default_factory=dict)


class DataSizes(_Part):
    """How much data there was, see :class:`benchmark.needs.Sizes`."""

    users: Count
    items: Count
    queries: Count
    events: Count
    searches: Count
    busiest: Count
    meetings: Count
    item_bytes: Count
    query_bytes: Count
    log: Count
    listed: Count
    longest_list: Count
    asked: dict[str, dict[TaskName, Count]]


class Origin(_Part):
    """The file that one task and protocol were imported from."""

    file: Text
    sha256: Digest
    unanswered: Count
    not_candidates: Count


class RunInfo(_Part):
    """The content of ``run.json``.

    Attributes:
        harness: digest of the code that is the same for all models; ``schema 1`` for answers that
            were given under schema 1 and counted anew.
        finished: time in UTC, whose order as text is that in time.
        changed: settings that differ from the preset's.
        parameters: ``None`` for what was trained elsewhere, as is ``peak_memory_mib``.
        facts: whatever else a model reports.
        given: what the model reads, where it declares that.
        uses_seed: whether another seed may give another model; records before that say nothing.
        sizes: of the data, where the run tells them.
        negatives: of a full sampled list, where the run tells it.
        place: where the data lay on the machine of the run.
    """

    run: Name
    model: Name
    preset: Name
    settings: Values
    dataset: Name
    dataset_digest: Digest
    candidates_digest: Digest
    tasks: Annotated[list[TaskName], Field(min_length=1), AfterValidator(_each_once)]
    protocols: Annotated[list[Protocol], Field(min_length=1), AfterValidator(_each_once)]
    seed: Seed
    device: Literal["cpu", "cuda", "external"]
    code: Digest
    tuning: Tuning | None
    ablation: Ablation | None
    changed: Values
    split: Annotated[str, AfterValidator(_split)]
    leakage: Leakage
    seen: Seen
    repeated: dict[TaskName, Repeated]
    version: Text
    harness: Annotated[str, Field(pattern=r"^([0-9a-f]{64}|schema 1)$")]
    finished: Annotated[
        str, Field(pattern=r"^2\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\+00:00$")
    ]
    environment: Environment
    phases: list[Phase]
    peak_memory_mib: Number | None
    parameters: Count | None
    curve: list[dict[str, Annotated[float, Field(allow_inf_nan=False)]]]
    facts: Any
    metrics: dict[TaskName, dict[Protocol, Means]]
    given: Annotated[dict[str, Any], AfterValidator(_given)] | None = None
    uses_seed: bool = True
    sizes: DataSizes | None = None
    negatives: Count | None = None
    place: Annotated[str, Field(max_length=4096)] | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> RunInfo:
        if not self.run.startswith(f"{self.preset}-s{self.seed}-"):
            raise ValueError("run is not of this preset and seed")
        if not self.metrics.keys() <= set(self.tasks):
            raise ValueError("metrics has a task that tasks has not")
        if not {p for means in self.metrics.values() for p in means} <= set(self.protocols):
            raise ValueError("metrics has a protocol that protocols has not")
        if any(n not in self.settings or self.settings[n] != v for n, v in self.changed.items()):
            raise ValueError("changed has a value that settings has not")
        if self.ablation is not None and not self.ablation.full.keys() <= self.settings.keys():
            raise ValueError("ablation.full has a setting that settings has not")
        return self


class TrainedInfo(RunInfo):
    """Of a run of this package, whose costs are known."""

    facts: Values
    peak_memory_mib: Number
    parameters: Count

    @model_validator(mode="after")
    def _knows_its_speed(self) -> TrainedInfo:
        means = [each for by_protocol in self.metrics.values() for each in by_protocol.values()]
        if any(each.seconds_per_request is None for each in means):
            raise ValueError("seconds_per_request is known of every run")
        return self


class ImportedInfo(RunInfo):
    """Of answers of an outside system, each with the file that it came from."""

    facts: dict[TaskName, dict[Protocol, Origin]]

    @model_validator(mode="after")
    def _knows_its_files(self) -> ImportedInfo:
        if _pairs(self.facts) != _pairs(self.metrics):
            raise ValueError("facts and metrics are not of the same tasks and protocols")
        return self


def _pairs(values: Mapping[Any, Mapping[Any, object]]) -> set[tuple[str, str]]:
    return {(task, protocol) for task, inner in values.items() for protocol in inner}


def check_info(info: object) -> None:
    """Refuse the content of a ``run.json`` that no run of this package can have written.

    Raises:
        BenchmarkError: it is of another schema, or a field is missing or cannot be true.
    """
    if not isinstance(info, dict):
        raise BenchmarkError("run.json holds no fields")
    schema = info.get("schema")
    if schema == 1:
        raise BenchmarkError("made under schema 1 by rules that changed; run it again")
    if type(schema) is not int or schema != SCHEMA_VERSION:
        shown = plain(str(schema), 40)
        raise BenchmarkError(f"run.json is written with schema {shown}, not {SCHEMA_VERSION}")
    try:
        kind = ImportedInfo if info.get("preset") == IMPORTED else TrainedInfo
        kind.model_validate(info)
    except ValidationError as error:
        raise BenchmarkError(f"run.json: {first_fault(error)}") from None
