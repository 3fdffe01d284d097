"""GenSAR's own identifiers: both vectors of an item quantised together (section 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.learning.divergence import check_finite
from benchmark.model import TrainingContext
from benchmark.model_protocols import IdentifierFacts
from benchmark.run_log import RunLog
from gensar.engine.diagnostics import code_use, neighbours_kept
from gensar.engine.identifiers import (
    Identifiers,
    collision_rate,
    extra_codes,
    items_in_collision,
    resolve_collisions,
)
from gensar.engine.rqvae import (
    RQVAE,
    Codebook,
    Scale,
    rise_and_fall,
    sinkhorn_codes,
    training_steps,
)
from gensar.settings import GenSARSettings

__all__ = ["Quantiser", "build_identifiers"]

_ROWS_AT_ONCE = 16_384
"""Items that collide whose codes are shared out at once, which bounds the memory."""
STARTING_ITEMS = 1024
"""Items at least that the codebooks start from, by k-means; as many as in the published batch."""


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


def build_identifiers(
    vectors: tuple[NDArray[np.float32], ...], settings: GenSARSettings, context: TrainingContext
) -> Quantiser:
    """Train the RQ-VAE on the items' vectors (``[items, width]`` each) and assign identifiers.

    Semantic and collaborative vectors give an identifier each; vectors of one kind give a single
    one that stands for both. An identifier without shared codes is as long as one with.

    The run log gets :class:`IdentifierFacts` by the name of the identifier. The trained network
    is kept with the checkpoints: trained again on a GPU it could give other codes than the
    backbone knows.
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
    step = context.shared("rqvae", asdict(decisive), seen)
    with step.making():
        weights = step.kept("rqvae", trained)
    rqvae.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})
    codes, rates = context.processes.once(lambda: _assign(rqvae, inputs, settings))
    levels = settings.shared_levels + settings.specific_levels
    sizes = [(settings.codebook_size,) * levels] * len(codes)
    names = ("semantic", "collaborative") if len(codes) == 2 else (settings.identifiers,)
    spaces = dict(zip(names, inputs, strict=True))
    context.run_log.facts["identifiers"] = {
        name: _facts(codes[branch], sizes[branch], rates[branch], spaces, settings).to_json()
        for branch, name in enumerate(names)
    }
    if settings.collisions == "extra-code":
        for branch, own in enumerate(codes):
            if collision_rate(own) > 0:
                extra = extra_codes(own)
                codes[branch] = np.column_stack([own, extra])
                sizes[branch] = (*sizes[branch], int(extra.max()) + 1)
    books = _codebooks(rqvae)
    shared = len(rqvae.shared) if len(codes) == 2 else len(sizes[0])
    # The last branch is the first where there is only one.
    identifiers = Identifiers(
        codes=(codes[0], codes[-1]),
        shared_levels=shared,
        level_sizes=(sizes[0], sizes[-1]),
        codebooks=(books[0], books[-1]),
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
            codebook_size=settings.codebook_size,
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

    Raises:
        DivergedError: a loss or a weight is not finite.
    """
    device = vectors[0].device
    generator = torch.Generator().manual_seed(seed)
    items = len(vectors[0])
    batch = min(settings.rqvae_batch_size, items)
    steps, per_epoch = training_steps(items, batch, settings.rqvae_epochs, settings.rqvae_steps)
    epochs = -(-steps // per_epoch)
    optimiser = torch.optim.AdamW(
        rqvae.parameters(), lr=settings.rqvae_learning_rate, weight_decay=1e-5
    )
    schedule = rise_and_fall(optimiser, steps)
    best_rate, best = 2.0, {k: v.clone() for k, v in rqvae.state_dict().items()}
    check, half = max(1, epochs // 50), epochs // 2
    with run_log.progress("identifiers", epochs, "epoch") as bar:
        for epoch in range(epochs):
            order = torch.randperm(items, generator=generator).to(device)
            for rows in order.split(batch)[: steps - epoch * per_epoch]:
                batch_vectors = tuple(v[rows] for v in vectors)
                if epoch == 0 and rows[0] == order[0]:
                    some = order[: max(batch, STARTING_ITEMS)]
                    rqvae.init_codebooks(tuple(v[some] for v in vectors), seed)
                out = rqvae(batch_vectors, balanced=True)
                optimiser.zero_grad()
                (out.reconstruction + out.quantisation).backward()
                torch.nn.utils.clip_grad_norm_(rqvae.parameters(), 1.0)
                optimiser.step()
                schedule.step()
            last = float((out.reconstruction + out.quantisation).detach())
            check_finite(
                "rqvae", f"in epoch {epoch + 1}", last, rqvae, optimiser, "rqvae_learning_rate"
            )
            if epoch + 1 == epochs or (epoch >= half and epoch % check == 0):
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
) -> tuple[list[NDArray[np.int64]], list[list[float]]]:
    """Give every item its nearest codes, then let Sinkhorn passes separate those that collide.

    Items of the same vector, such as a film that is listed twice, get the same codes: Sinkhorn
    could tell them apart by nothing but the rounding of the machine.

    Returns:
        for each branch the codes ``[items, levels]``, and the collision rate before and after each
        pass.
    """
    nearest = _codes_of(rqvae, vectors, balanced=False)
    movable = rqvae.epsilon > 0 and rqvae.branch(0)
    resolved = [
        resolve_collisions(
            nearest[:, branch],
            partial(_balanced, rqvae, vectors, branch),
            settings.collision_passes if movable else 0,
        )
        for branch in range(len(vectors))
    ]
    return [codes for codes, _ in resolved], [rates for _, rates in resolved]


def _balanced(
    rqvae: RQVAE, vectors: tuple[Tensor, ...], branch: int, groups: list[NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """Return the last codes of each group of items, shared out among them by Sinkhorn.

    Groups of as many different vectors are worked on together.
    """
    found: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(groups)
    for part in _in_parts(groups, _ROWS_AT_ONCE):
        rows = np.concatenate([groups[place] for place in part])
        device = vectors[branch].device
        own = vectors[branch][torch.as_tensor(rows, device=device)].cpu().numpy()
        _, first, same = np.unique(own, axis=0, return_index=True, return_inverse=True)
        distinct = torch.as_tensor(rows[first], device=device)
        distances = rqvae.last_distances(tuple(v[distinct] for v in vectors), branch)
        ends = np.cumsum([len(groups[place]) for place in part])
        members = [np.unique(m, return_inverse=True) for m in np.split(same.ravel(), ends[:-1])]
        by_size: dict[int, list[int]] = {}
        for number, (unlike, _) in enumerate(members):
            by_size.setdefault(len(unlike), []).append(number)
        for numbers in by_size.values():
            together = np.stack([members[number][0] for number in numbers])
            places = torch.as_tensor(together, device=device)
            codes = sinkhorn_codes(distances[places], rqvae.epsilon)
            for number, of_group in zip(numbers, codes.cpu().numpy(), strict=True):
                found[part[number]] = of_group[members[number][1].ravel()]
    return found


def _in_parts(groups: list[NDArray[np.int64]], most: int) -> Iterator[list[int]]:
    """Yield the places of groups that have about ``most`` rows together."""
    ends = np.cumsum([len(rows) for rows in groups])
    for part in np.split(np.arange(len(groups)), np.unique(ends // most, return_index=True)[1][1:]):
        if len(part):
            yield part.tolist()


def _facts(
    codes: NDArray[np.int64],
    sizes: tuple[int, ...],
    rates: list[float],
    spaces: Mapping[str, Tensor],
    settings: GenSARSettings,
) -> IdentifierFacts:
    """Return what is told of one identifier; ``spaces`` are vectors of the items by name."""
    return IdentifierFacts(
        collision_rate_by_pass=tuple(rates),
        items_sharing_an_identifier=items_in_collision(codes),
        levels=code_use(codes, sizes),
        neighbours={name: neighbours_kept(place, codes) for name, place in spaces.items()},
        resolved_by=settings.collisions,
    )


def _codebooks(rqvae: RQVAE) -> list[tuple[NDArray[np.float32], ...]]:
    """Return each branch's codebooks in the space of the shared ones; its own fill one part."""
    shared = [_vectors(book) for book in cast(Iterable[Codebook], rqvae.shared)]
    last = len(rqvae.specific) - 1
    books = []
    for branch in range(last + 1):
        part = (branch * rqvae.latent, (last - branch) * rqvae.latent)
        own = [np.pad(_vectors(book), ((0, 0), part)) for book in rqvae.branch(branch)]
        books.append((*shared, *own))
    return books


def _vectors(book: Codebook) -> NDArray[np.float32]:
    return book.vectors.detach().cpu().numpy()
