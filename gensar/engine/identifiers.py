"""An item's two identifiers: training the RQ-VAE, settling collisions, and the result as data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.model import TrainingContext
from benchmark.run_log import RunLog
from gensar.engine.diagnostics import code_use, neighbours_kept
from gensar.engine.rqvae import RQVAE, Codebook, rise_and_fall
from gensar.settings import GenSARSettings

STARTING_ITEMS = 1024
"""Items at least that the codebooks start from, by k-means; as many as in the published batch."""

__all__ = [
    "COLLABORATIVE",
    "SEMANTIC",
    "Identifiers",
    "Quantiser",
    "Scale",
    "build_identifiers",
    "collision_rate",
    "extra_codes",
    "separate_collisions",
]

SEMANTIC, COLLABORATIVE = 0, 1


@dataclass(frozen=True)
class Identifiers:
    """The identifiers of all items.

    Attributes:
        codes: for each kind (``SEMANTIC``, ``COLLABORATIVE``) int64 ``[items, levels]``. The
            first ``shared_levels`` columns of both are the same; a kind whose collisions needed
            an extra code has one level more.
        shared_levels: number of levels that both kinds share.
        level_sizes: for each kind, the number of codes of each level.
        vectors: for each kind and level, what its codes stand for, ``[codes, width]`` of one
            width, from which a backbone can start its code embeddings. Later levels may have none.
    """

    codes: tuple[NDArray[np.int64], NDArray[np.int64]]
    shared_levels: int
    level_sizes: tuple[tuple[int, ...], tuple[int, ...]]
    vectors: tuple[tuple[NDArray[np.float32], ...], tuple[NDArray[np.float32], ...]]

    def to_arrays(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return arrays and JSON-ready values for a model's state."""
        arrays: dict[str, NDArray] = {}
        for kind in (SEMANTIC, COLLABORATIVE):
            arrays[f"codes.{kind}"] = self.codes[kind]
            for level, vectors in enumerate(self.vectors[kind]):
                arrays[f"codebooks.{kind}.{level}"] = vectors
        return arrays, {"shared_levels": self.shared_levels, "level_sizes": self.level_sizes}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray], values: dict[str, Any]) -> Identifiers:
        """Take back what :meth:`to_arrays` returned; other arrays and values are passed over."""

        def books(kind: int) -> tuple[NDArray[np.float32], ...]:
            levels = len(values["level_sizes"][kind])
            names = (f"codebooks.{kind}.{level}" for level in range(levels))
            return tuple(arrays[name] for name in names if name in arrays)

        first, second = values["level_sizes"]
        return cls(
            codes=(arrays["codes.0"], arrays["codes.1"]),
            shared_levels=values["shared_levels"],
            level_sizes=(tuple(first), tuple(second)),
            vectors=(books(SEMANTIC), books(COLLABORATIVE)),
        )


def collision_rate(codes: NDArray[np.int64]) -> float:
    """Return (items - distinct identifiers) / items for ``codes`` of ``[items, levels]``."""
    return float(1 - len(np.unique(codes, axis=0)) / max(len(codes), 1))


@dataclass(frozen=True)
class Quantiser:
    """A trained RQ-VAE together with the identifiers that it gave.

    Attributes:
        identifiers: of all items.
        rqvae: the network.
        scale: how the vectors of the first branch were centred and scaled before they were encoded.
    """

    identifiers: Identifiers
    rqvae: RQVAE
    scale: Scale

    @torch.no_grad()
    def place(self, semantic: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return where vectors of the first branch lie in the codebooks' space.

        ``[n, width]`` become ``[n, branches * latent]``; the part of another branch is 0.
        """
        device = next(self.rqvae.parameters()).device
        encoded = self.rqvae.encoders[0](self.scale.apply(semantic, str(device)))
        others = (len(self.rqvae.encoders) - 1) * self.rqvae.latent
        return np.pad(encoded.cpu().numpy(), ((0, 0), (0, others)))


@dataclass(frozen=True)
class Scale:
    """Centres vectors and scales them to unit mean square, so that neither kind outweighs."""

    mean: NDArray[np.float32]
    root: float

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Scale:
        """Take mean and scale from ``vectors`` (``[n, width]``)."""
        mean = vectors.mean(axis=0, keepdims=True)
        return cls(mean, float(np.sqrt(np.square(vectors - mean).mean())) + 1e-12)

    def apply(self, vectors: NDArray[np.float32], device: str) -> Tensor:
        """Return scaled ``vectors`` on the device."""
        return torch.as_tensor(((vectors - self.mean) / self.root).astype(np.float32)).to(device)


def build_identifiers(
    vectors: tuple[NDArray[np.float32], ...], settings: GenSARSettings, context: TrainingContext
) -> Quantiser:
    """Train the RQ-VAE on the items' vectors (``[items, width]`` each) and assign identifiers.

    Semantic and collaborative vectors give an identifier each; one kind of vectors gives a single
    one that stands for both. An identifier without shared codes is as long as one with.

    The run log gets, by kind, the collision rate before and after each pass and the number of
    items that still shared an identifier after the last. The trained network is kept with the
    checkpoints: trained again on a GPU it could give other codes than the backbone knows.
    """
    scales = [Scale.of(v) for v in vectors]
    inputs = tuple(s.apply(v, context.device) for s, v in zip(scales, vectors, strict=True))
    rqvae = _new(inputs, settings, context)

    def trained() -> dict[str, NDArray]:
        _train(rqvae, inputs, settings, context.seed, context.run_log)
        return {name: weight.cpu().numpy() for name, weight in rqvae.state_dict().items()}

    # What the settings left out here say concerns the backbone alone, and ablations differ in it.
    decisive = replace(settings, without=(), behaviour_tokens=True)
    seen = [hashlib.sha256(v.tobytes()).hexdigest() for v in vectors]
    weights = context.shared("rqvae", asdict(decisive), seen).kept("rqvae", trained)
    rqvae.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})
    report, codes = _assign(rqvae, inputs, settings)
    levels = settings.shared_levels + settings.specific_levels
    sizes = [(settings.codebook_size,) * levels] * len(codes)
    for told, own, size in zip(report.values(), codes, sizes, strict=True):
        told["levels"] = code_use(own, size)
        told["neighbours"] = {
            space: neighbours_kept(lie, own) for space, lie in zip(report, inputs, strict=True)
        }
    context.run_log.facts["identifiers"] = report
    if settings.collisions == "extra-code":
        for kind, found in enumerate(codes):
            if collision_rate(found) > 0:
                extra = extra_codes(found)
                codes[kind] = np.column_stack([found, extra])
                sizes[kind] = (*sizes[kind], int(extra.max()) + 1)
    books = _codebooks(rqvae)
    shared = len(rqvae.shared) if len(codes) == 2 else len(sizes[0])
    # The last kind is the first where there is only one.
    identifiers = Identifiers(
        codes=(codes[0], codes[-1]),
        shared_levels=shared,
        level_sizes=(sizes[0], sizes[-1]),
        vectors=(books[0], books[-1]),
    )
    return Quantiser(identifiers, rqvae, scales[0])


def _new(vectors: tuple[Tensor, ...], settings: GenSARSettings, context: TrainingContext) -> RQVAE:
    shared = settings.shared_levels if settings.identifiers == "both" else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        return RQVAE(
            widths=tuple(v.shape[1] for v in vectors),
            latent=settings.latent,
            hidden=settings.rqvae_hidden,
            codes=settings.codebook_size,
            shared_levels=shared,
            specific_levels=settings.shared_levels + settings.specific_levels - shared,
            epsilon=settings.sinkhorn_epsilon,
        ).to(context.device)


def _train(
    rqvae: RQVAE,
    vectors: tuple[Tensor, ...],
    settings: GenSARSettings,
    seed: int,
    run_log: RunLog,
) -> None:
    """Train, and leave the network with the weights of the fewest collisions of the second half.

    Codes that k-means put around vectors of an encoder that has learned nothing collide least of
    all, and say least.
    """
    device = vectors[0].device
    generator = torch.Generator().manual_seed(seed)
    items = len(vectors[0])
    batch = min(settings.rqvae_batch_size, items)
    steps = -(-items // batch) * settings.rqvae_epochs
    optimiser = torch.optim.AdamW(
        rqvae.parameters(), lr=settings.rqvae_learning_rate, weight_decay=1e-5
    )
    schedule = rise_and_fall(optimiser, steps)
    best_rate, best = 2.0, {k: v.clone() for k, v in rqvae.state_dict().items()}
    check, half = max(1, settings.rqvae_epochs // 50), settings.rqvae_epochs // 2
    with run_log.progress("identifiers", settings.rqvae_epochs) as bar:
        for epoch in range(settings.rqvae_epochs):
            order = torch.randperm(items, generator=generator).to(device)
            for rows in order.split(batch):
                chosen = tuple(v[rows] for v in vectors)
                if epoch == 0 and rows[0] == order[0]:
                    some = order[: max(batch, STARTING_ITEMS)]
                    rqvae.start_codebooks(tuple(v[some] for v in vectors), seed)
                out = rqvae(chosen, balanced=True)
                optimiser.zero_grad()
                (out.reconstruction + out.quantisation).backward()
                torch.nn.utils.clip_grad_norm_(rqvae.parameters(), 1.0)
                optimiser.step()
                schedule.step()
            if epoch + 1 == settings.rqvae_epochs or (epoch >= half and epoch % check == 0):
                rate = _mean_collision_rate(rqvae, vectors)
                if rate < best_rate:
                    best_rate = rate
                    best = {k: v.clone() for k, v in rqvae.state_dict().items()}
            bar.advance(1, f"collisions {best_rate:.3f}" if best_rate <= 1 else "")
    rqvae.load_state_dict(best)


@torch.no_grad()
def _mean_collision_rate(rqvae: RQVAE, vectors: tuple[Tensor, ...]) -> float:
    codes = _codes_of(rqvae, vectors, balanced=False)
    return sum(collision_rate(codes[:, k]) for k in range(len(vectors))) / len(vectors)


@torch.no_grad()
def _codes_of(
    rqvae: RQVAE, vectors: tuple[Tensor, ...], balanced: bool, batch: int = 4096
) -> NDArray[np.int64]:
    parts = [
        rqvae(part, balanced).codes for part in zip(*(v.split(batch) for v in vectors), strict=True)
    ]
    return torch.cat(parts).cpu().numpy()


def _assign(
    rqvae: RQVAE, vectors: tuple[Tensor, ...], settings: GenSARSettings
) -> tuple[dict[str, dict[str, Any]], list[NDArray[np.int64]]]:
    """Give every item its nearest codes, then let Sinkhorn passes separate those that collide.

    Returned are what the run log is told of each kind of identifier, and their codes.

    Items of the same vector, such as a film that is listed twice, get the same codes: Sinkhorn
    could tell them apart by nothing but the rounding of the machine.
    """
    nearest = _codes_of(rqvae, vectors, balanced=False)

    def balanced(kind: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        own = vectors[kind][torch.as_tensor(rows, device=vectors[kind].device)].cpu().numpy()
        _, first, same = np.unique(own, axis=0, return_index=True, return_inverse=True)
        if len(first) == 1:
            return nearest[rows, kind]
        chosen = torch.as_tensor(rows[first], device=vectors[kind].device)
        found = _codes_of(rqvae, tuple(v[chosen] for v in vectors), balanced=True)
        return found[same.ravel(), kind]

    report: dict[str, dict[str, Any]] = {}
    settled = []
    names = ("semantic", "collaborative") if len(vectors) == 2 else (settings.identifiers,)
    for kind, name in enumerate(names):
        codes, rates = separate_collisions(
            nearest[:, kind],
            partial(balanced, kind),
            settings.collision_passes,
        )
        settled.append(codes)
        _, counts = np.unique(codes, axis=0, return_counts=True)
        report[name] = {
            "collision_rate_by_pass": rates,
            "items_sharing_an_identifier": int(counts[counts > 1].sum()),
            "resolved_by": settings.collisions,
        }
    return report, settled


def separate_collisions(
    codes: NDArray[np.int64],
    reassign: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    passes: int,
) -> tuple[NDArray[np.int64], list[float]]:
    """Encode each group of items that share an identifier again, together, by Sinkhorn.

    Only the last code moves. A group whose new identifiers would all be others' already stays as
    it is, so that no pass makes more collisions than it settles.

    Args:
        codes: int64 ``[items, levels]``.
        reassign: maps rows of items ``[n]`` to new codes ``[n, levels]``, the same ones each time.
        passes: at most so many rounds; it ends early when every identifier is unique, and after a
            round that moved nothing, as no other round would.

    Returns:
        the new codes, and the collision rate before the first and after each pass.
    """
    codes = codes.copy()
    rates = [collision_rate(codes)]
    for _ in range(passes):
        if rates[-1] == 0:
            break
        before = codes.copy()
        _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(group.ravel(), kind="stable")
        taken = Counter(map(tuple, codes.tolist()))
        for rows in np.split(order, np.cumsum(counts)[:-1]):
            if len(rows) == 1:
                continue
            moved = codes[rows]
            moved[:, -1] = reassign(rows)[:, -1]
            old = tuple(codes[rows[0]].tolist())
            taken[old] -= len(rows)
            new = Counter(map(tuple, moved.tolist()))
            if taken[old] > 0 or any(taken[one] == 0 for one in new):
                codes[rows] = moved
                taken += new
            else:
                taken[old] += len(rows)
        rates.append(collision_rate(codes))
        if np.array_equal(codes, before):
            break
    return codes, rates


def extra_codes(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the items of each identifier 0, 1, … in the order of their rows."""
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    first = np.repeat(np.cumsum(counts) - counts, counts)
    numbers = np.empty(len(codes), dtype=np.int64)
    numbers[order] = np.arange(len(codes)) - first
    return numbers


def _codebooks(rqvae: RQVAE) -> list[tuple[NDArray[np.float32], ...]]:
    """Return each branch's codebooks in the space of the shared ones; its own fill one part."""
    shared = [_vectors(book) for book in cast(Iterable[Codebook], rqvae.shared)]
    last = len(rqvae.specific) - 1
    found = []
    for kind in range(last + 1):
        part = (kind * rqvae.latent, (last - kind) * rqvae.latent)
        own = [np.pad(_vectors(book), ((0, 0), part)) for book in rqvae.branch(kind)]
        found.append((*shared, *own))
    return found


def _vectors(book: Codebook) -> NDArray[np.float32]:
    return book.vectors.detach().cpu().numpy()
