"""Steps of an optimiser that processes take together: each computes its part of the batch.

A trainer draws the same batch in every process, takes the loss of its own part of the rows, and
weighs it so that the losses of all parts add up to that of the whole batch. Then the gradients do,
too, and every process takes the same step.
"""

from __future__ import annotations

from typing import Any

import torch
import xxhash
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from benchmark.errors import BenchmarkError
from benchmark.processes import Processes

__all__ = ["check_equal", "descend", "rows_of_all", "take_first", "take_step"]


def descend(
    optimiser: torch.optim.Optimizer,
    loss: Tensor,
    processes: Processes,
    clip: float | None = None,
) -> None:
    """Take the step that lowers the sum of all processes' losses.

    Args:
        optimiser: holds the weights.
        loss: of this process's part; a constant where the part is empty.
        processes: all of them take the step.
        clip: the largest norm of the gradient, ``None`` for any.
    """
    optimiser.zero_grad()
    if loss.requires_grad or processes.count == 1:
        loss.backward()
    take_step(optimiser, processes, clip)


def take_step(
    optimiser: torch.optim.Optimizer, processes: Processes, clip: float | None = None
) -> None:
    """Take a step by the gradients that the processes have gathered, added up.

    See :func:`descend` for the arguments.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    if processes.count > 1:
        _add_up(weights, processes)
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(weights, clip)
    optimiser.step()


def _add_up(weights: list[Tensor], processes: Processes) -> None:
    """Let the gradient of each weight be the sum over processes, none where none has any."""
    known = torch.tensor([weight.grad is not None for weight in weights], device=weights[0].device)
    every = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    flat = torch.cat([*(gradient.flatten() for gradient in every), known.to(weights[0].dtype)])
    processes.sum_(flat)
    *sums, some = flat.split([*(weight.numel() for weight in weights), len(weights)])
    for weight, total, anywhere in zip(weights, sums, some.tolist(), strict=True):
        weight.grad = total.view_as(weight) if anywhere else None


def rows_of_all(rows: Tensor, processes: Processes) -> Tensor:
    """Return the rows of all processes, in order, with the gradient of this one's own.

    What follows has to be computed from them alike in every process, and its loss divided by the
    number of processes, as all of these add it up.

    Args:
        rows: ``[n, ...]``; ``n`` may differ between processes.
        processes: each gives its rows.
    """
    if processes.count == 1:
        return rows
    stacked: Tensor = _RowsOfAll.apply(rows, processes)
    return stacked


class _RowsOfAll(torch.autograd.Function):
    """Rows of all processes, whose loss is one of as many equal parts."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, processes: Processes) -> Tensor:
        sizes = processes.gather(len(rows))
        ctx.count, ctx.start = processes.count, sum(sizes[: processes.rank])
        ctx.stop = ctx.start + len(rows)
        return processes.stack(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.count * gradients[0][ctx.start : ctx.stop], None


def take_first(module: nn.Module, processes: Processes) -> None:
    """Let every process have the weights of the first."""
    if processes.count > 1:
        weights = processes.once(lambda: {n: w.cpu() for n, w in module.state_dict().items()})
        module.load_state_dict(weights)


def check_equal(name: str, step: int, module: nn.Module, processes: Processes) -> None:
    """Refuse to go on with weights that are not the same in every process, to the last bit.

    Args:
        name: of what is trained.
        step: steps behind.
        module: what is trained.
        processes: who trains it.

    Raises:
        BenchmarkError: they differ.
    """
    if processes.count == 1:
        return
    digest = xxhash.xxh3_128()
    for weight in module.state_dict().values():
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    if len(set(processes.gather(digest.hexdigest()))) > 1:
        raise BenchmarkError(
            f"training of {name}: after step {step} the weights of the processes differ; let all"
            " of them have processors or GPUs of one kind and the same versions of all packages"
        )
