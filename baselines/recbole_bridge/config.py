"""RecBole's own configuration object, made from our settings and the model's own file."""

from __future__ import annotations

from typing import Any

from baselines.recbole_bridge.environment import as_recbole_expects, sequential_recommender

with as_recbole_expects():
    from recbole.config import Config

__all__ = ["FIELDS", "make_config"]

FIELDS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "LABEL_FIELD": "label",
    "NEG_PREFIX": "neg_",
    "LIST_SUFFIX": "_list",
    "ITEM_LIST_LENGTH_FIELD": "item_length",
    "INVERSE_ITEM_SEQ": "Inverse_item_id_list",
    "MASK_ITEM_SEQ": "Mask_item_id_list",
    "POS_ITEMS": "Pos_item_id",
    "NEG_ITEMS": "Neg_item_id",
    "MASK_INDEX": "MASK_INDEX",
}
"""What RecBole calls the columns of a batch; the last five are otherwise set by its transforms."""


def make_config(model: str, values: dict[str, Any], window: int, batch: int) -> Config:
    """Return the configuration of ``model`` on the CPU, with ``values`` over its own file's.

    The caller moves the model to another device after it is built.
    """
    with as_recbole_expects():
        return Config(
            model=getattr(sequential_recommender, model),
            dataset="bridge",
            config_dict={
                **FIELDS,
                "MAX_ITEM_LIST_LENGTH": window,
                "train_batch_size": batch,
                "train_neg_sample_args": None,
                "numerical_features": [],
                "gpu_id": "",
                "state": "ERROR",
                **values,
            },
        )
