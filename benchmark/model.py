"""The interface between the harness and every model."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.bounded_json import parse_json, read_bounded
from benchmark.data.dataset import TrainView
from benchmark.data.requests import Requests, Task
from benchmark.errors import DivergedError
from benchmark.failures import blaming
from benchmark.given import Given
from benchmark.needs import SCORES_AT_ONCE, Needs, Sizes, rows_at_once
from benchmark.processes import ALONE, Processes
from benchmark.run_log import RunLog
from benchmark.sealed import DamagedError, read_sealed, write_sealed
from benchmark.search_space import Dimension
from benchmark.settings import settings_from_json
from benchmark.shared_steps import made_once, step_digest
from benchmark.top_k import top_k

__all__ = [
    "SCORES_AT_ONCE",
    "Model",
    "NoSettings",
    "SharedStep",
    "TrainView",
    "TrainingContext",
    "Validated",
    "Validation",
]

_LONGEST_CONFIG = 2**29
"""Bytes of a model's values, which may hold the titles of a catalogue."""


class Validation(Protocol):
    """The validation requests, measured by the harness so that no model computes metrics."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that the run asks for."""
        ...

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        """Return NDCG@10 over the full catalogue by task, ``{"rec": 0.05, "search": 0.1}``.

        Args:
            model: the model in its present state.
            limit: measure on the first ``limit`` requests of a fixed random order, to save time.
        """
        ...


@dataclass(frozen=True)
class Validated:
    """What a training came to at one of its validations.

    Attributes:
        name: of what is trained; a model may train several things, one after the other.
        step: steps behind, from 1.
        behind: the share of its budget that is behind, 0 to 1.
        measured: validation NDCG@10 by task.
        ends: whether the training ends here anyway.
    """

    name: str
    step: int
    behind: float
    measured: dict[str, float]
    ends: bool


@dataclass(frozen=True)
class TrainingContext:
    """What the harness gives to a model for training.

    Attributes:
        tasks: the tasks to train for (a subset of the model's own).
        seed: decides every random choice; models use their own generators, never global ones.
        device: ``"cpu"`` or ``"cuda"``.
        run_log: takes phases, the validation curve and facts, and shows progress.
        checkpoints: a folder for checkpoints of this very run, or ``None``.
        common: a folder for steps that other runs of the same command take as well, or ``None``.
        identity: says what the checkpoints belong to; those of another identity are not taken up.
        step: the name of the shared step that this is the context of, and the run that is at it.
        watch: is told of every validation that measures something, and may end the training by an
            error of its own; or ``None``.
        processes: who makes the run; ``fit`` shares its work among them where the model says so.
    """

    tasks: tuple[Task, ...]
    seed: int
    device: str = "cpu"
    run_log: RunLog = field(default_factory=lambda: RunLog(quiet=True))
    checkpoints: Path | None = None
    common: Path | None = None
    identity: str = ""
    step: tuple[str, str] | None = None
    watch: Callable[[Validated], None] | None = None
    processes: Processes = ALONE

    def checkpoint(self, name: str) -> Path | None:
        """Return the file of a checkpoint, or ``None`` where none are kept."""
        return None if self.checkpoints is None else self.checkpoints / name

    def part(self, name: str) -> TrainingContext:
        """Return the context of a part whose checkpoints could have the names of others."""
        return replace(self, checkpoints=self.checkpoint(name), identity=f"{self.identity}/{name}")

    def shared(self, name: str, *decided_by: object, seeded: bool = True) -> TrainingContext:
        """Return the context of a step whose checkpoints serve other runs of the same command too.

        Args:
            name: what the step makes.
            decided_by: whatever decides its outcome beside data, code, device and seed, as JSON
                values. Runs that agree in all of it take the step from the first of them.
            seeded: whether the seed decides it as well.
        """
        if self.common is None:
            return self
        digest = step_digest(name, decided_by, self.seed if seeded else None, self.device)
        return replace(
            self,
            checkpoints=self.common / digest,
            identity=f"{self.common.name}/{digest}",
            step=(name, self.identity),
        )

    @contextmanager
    def making(self) -> Iterator[None]:
        """Be alone at the step that :meth:`shared` gave the context of, and count it.

        Of several processes that make a run together the first one is so for all.
        """
        if self.step is None or self.checkpoints is None or not self.processes.first:
            yield
            return
        with made_once(self.checkpoints, *self.step, self.run_log):
            yield

    def kept(self, name: str, make: Callable[[], dict[str, NDArray]]) -> dict[str, NDArray]:
        """Return the arrays that ``make`` makes, kept with the checkpoints under ``name``.

        A run that was interrupted later takes them up instead of making them again. Of several
        processes one makes them for all.

        Raises:
            DamagedError: what was kept is not what was made.
        """
        return self.processes.once(lambda: self._kept(name, make))

    def _kept(self, name: str, make: Callable[[], dict[str, NDArray]]) -> dict[str, NDArray]:
        from safetensors import SafetensorError
        from safetensors.numpy import load, save

        file, owner = self.checkpoint(f"{name}.safetensors"), f"{self.identity}/{name}"
        if file is not None and file.exists():
            content = read_sealed(file, owner)
            try:
                return load(content)
            except (SafetensorError, ValueError, LookupError) as error:
                raise DamagedError(file, "or of another version: it holds no arrays") from error
        made = {n: np.ascontiguousarray(a) for n, a in make().items()}
        if file is not None:
            write_sealed(file, save(made), owner)
        return made


@dataclass(frozen=True)
class SharedStep:
    """A step of a model's training that runs of other seeds, settings or models may take too.

    Attributes:
        name: what it makes.
        decided_by: as of :meth:`TrainingContext.shared`, which ``make`` gives the same.
        make: makes it within :meth:`TrainingContext.making`, as ``fit`` would.
        seeded: whether the seed decides it as well.
    """

    name: str
    decided_by: tuple[object, ...]
    make: Callable[[TrainView, Validation, TrainingContext], object]
    seeded: bool = True

    def digest(self, seed: int, device: str) -> str:
        """Return what tells the step from others on the same data by the same code."""
        return step_digest(self.name, self.decided_by, seed if self.seeded else None, device)


@dataclass(frozen=True)
class NoSettings:
    """Settings of a model that has none."""


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


S = TypeVar("S", bound=_Dataclass)
"""A model's settings: a frozen dataclass."""


class Model(ABC, Generic[S]):
    """A model that ranks items, ``Model[ItsSettings]``.

    A subclass names its tasks and its settings (a frozen dataclass, every field made by
    :func:`benchmark.settings.setting`), and gives ``presets`` only what differs from the defaults.
    """

    tasks: ClassVar[frozenset[Task]]
    Settings: ClassVar[type] = NoSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    scores_catalogue: ClassVar[bool] = True
    """Whether ``score`` ranks the whole catalogue at bearable cost. Where it does, the harness
    takes both protocols from one pass; where it does not, it asks ``retrieve`` for the full one."""

    scores_candidates: ClassVar[bool] = False
    """Whether ``score`` of given candidates looks at nothing else, however large the catalogue is.
    Where it does, and only lists are asked for, the harness leaves the catalogue alone."""

    uses_gpu: ClassVar[bool] = False
    """Whether it computes on its :class:`TrainingContext`'s device; else on the CPU."""

    uses_seed: ClassVar[bool] = True
    """Whether another seed may give another model. Where it may not, as where a model only counts,
    one run says what any other would, and tables do not take it for one of many."""

    shares_training: ClassVar[bool] = False
    """Whether ``fit``, called in every process, leaves each of ``context.processes`` with the same
    model, as if one had trained it. Where it does not, one process trains and is asked alone."""

    search_space: ClassVar[Mapping[str, Dimension | None]] = {}
    """What ``tune`` searches beside the shared settings, or instead of them, by name: a range or a
    choice, or ``None`` for a shared setting that this model cannot use."""

    ablations: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What ``run --ablations`` runs beside the full model: by name, the settings that change."""

    def __init__(self, settings: S | None = None) -> None:
        self.settings: S = self.Settings() if settings is None else settings

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse data from which nothing can be learned for ``tasks``.

        It is asked before any model of a command is trained, so it must be cheap.

        Raises:
            InputError: which the harness tells the user, behind the model's name.
        """

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the steps that ``fit`` for ``tasks`` begins with and that other runs may share.

        A sweep makes each of them once, before the runs that need it. It asks many models, so this
        must be cheap.
        """
        return ()

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Return what training for ``tasks`` and answering need on so much data.

        It is asked before any model of a command is trained, so it must be cheap. ``None``, where
        nobody knows, is better than a guess: the harness then says so.
        """
        return None

    def given(self) -> Given | None:
        """Return what it reads with its settings; ``None`` where that is not declared."""
        return None

    @abstractmethod
    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train from scratch."""

    @abstractmethod
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return a score for each candidate, higher is better.

        The result is ``[requests, candidates]``, or ``[requests, items]`` over the whole
        catalogue where ``requests.candidates`` is ``None``. Scores are finite or minus infinity.
        """

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the best ``k`` items of the catalogue and their scores, best first.

        Both are ``[requests, k]``. Where ``requests.exclude_seen`` holds, items of the history
        are left out. A place that could not be filled has item -1 and score minus infinity.

        Raises:
            DivergedError: a score is NaN or plus infinity.
        """
        parts = [top_k(np.empty((0, requests.items), dtype=np.float32), k)]
        for batch in requests.batches(rows_at_once(requests.items)):
            scores = np.asarray(self.score(batch))
            # The maximum is NaN where any score is; sorted, it would hide behind what is left out.
            if scores.size and not scores.max() < np.inf:
                raise DivergedError(f"{type(self).__name__} gives a score that is NaN or infinite")
            if batch.exclude_seen:
                offsets, seen = batch.seen()
                scores = scores.copy()
                scores[np.repeat(np.arange(len(batch)), np.diff(offsets)), seen] = -np.inf
            parts.append(top_k(scores, k))
        items, best = zip(*parts, strict=True)
        return np.concatenate(items), np.concatenate(best)

    @abstractmethod
    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return everything learned, as arrays and as JSON-ready values."""

    @abstractmethod
    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned; afterwards scores are the same as before."""

    def parameters(self) -> int:
        """Return the number of learned parameters, 0 for models that only count."""
        return 0

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json`` into ``folder``."""
        from safetensors.numpy import save

        folder.mkdir(parents=True, exist_ok=True)
        with blaming("its state cannot be told"):
            arrays, values = self.state()
            contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            # Not save_file: that makes a file which only its owner may read.
            weights = save(contiguous)
            config = {"settings": asdict(self.settings), "values": values}
            text = json.dumps(config, indent=1, default=list)  # columns of text are no lists
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "config.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read a model that :meth:`save` wrote. Nothing in the files is executed.

        Raises:
            InputError: a setting is not what the model takes.
            ValueError: ``config.json`` is no JSON, too large or nested too deep.
        """
        from safetensors.numpy import load_file

        config = parse_json(read_bounded(folder / "config.json", _LONGEST_CONFIG))
        model = cls(settings_from_json(cls.Settings, config["settings"]))
        model.restore(load_file(str(folder / "model.safetensors")), config["values"])
        return model
