"""Loading a cross-encoder: a network that reads a query and a text together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.errors import InputError
from benchmark.learning.pretrained import loading

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

__all__ = ["load_cross_encoder"]

_HEADS = ("ForSequenceClassification", "ForCausalLM")
"""What the architectures end in whose weights tell how well two texts fit."""


def load_cross_encoder(name: str, device: str) -> CrossEncoder:
    """Return a pretrained cross-encoder; global random states stay as they were.

    Args:
        name: a name on the hub, or a folder.
        device: ``cpu`` or ``cuda``.

    Raises:
        InputError: the hub is out of reach or holds nothing of that name, there is no such folder,
            or it holds no cross-encoder that gives one number for a pair.
    """
    from sentence_transformers import CrossEncoder

    with loading("cross-encoder", name, "a folder that CrossEncoder.save wrote needs no hub"):
        network = CrossEncoder(name, device=device)
    config = getattr(network[0], "config", None)
    built = getattr(config, "architectures", None) or [""]
    # A network without such weights would be given random ones.
    if len(network) == 1 and not built[0].endswith(_HEADS):
        raise InputError(
            f"cross-encoder '{name}': it is {built[0] or 'of no known kind'}, which has no weights"
            " that say how well two texts fit"
        )
    if network.num_labels != 1:
        raise InputError(
            f"cross-encoder '{name}' gives {network.num_labels} numbers for a pair; one is needed"
        )
    return network
