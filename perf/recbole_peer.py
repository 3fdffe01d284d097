"""RecBole's own data set, SASRec and trainer, on the events that our models train on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baselines.recbole_bridge.environment import as_recbole_expects
from benchmark.data.dataset import Dataset

__all__ = ["RecBolePeer"]


@dataclass
class RecBolePeer:
    """RecBole's trainer, run one epoch at a time.

    Attributes:
        rows: for every catalogue item, its row in the peer's item embeddings.
        seconds: spent in training so far, data loading included, validation not.
    """

    trainer: Any
    train_data: Any
    valid_data: Any
    rows: NDArray[np.int64]
    seconds: float = 0.0
    epochs: int = 0

    @classmethod
    def prepare(cls, data: Dataset, folder: Path, settings: dict[str, Any]) -> RecBolePeer:
        """Write the events as atomic files into ``folder`` and let RecBole read and split them.

        The position in a user's sequence is given as time, so that RecBole's leave-one-out
        split holds out the same events as ours.
        """
        (folder / "peer").mkdir(parents=True)
        log = data.log
        place = np.arange(len(log)) - np.repeat(log.offsets[:-1], np.diff(log.offsets))
        pd.DataFrame(
            {
                "user_id:token": log.user,
                "item_id:token": log.item,
                "timestamp:float": place,
            }
        ).to_csv(folder / "peer" / "peer.inter", sep="\t", index=False)
        with as_recbole_expects():
            from recbole.config import Config
            from recbole.data import create_dataset, data_preparation
            from recbole.utils import init_seed

            config = Config(
                model="SASRec",
                dataset="peer",
                config_dict={
                    "data_path": str(folder),
                    "checkpoint_dir": str(folder / "checkpoints"),
                    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
                    "eval_args": {
                        "split": {"LS": "valid_and_test"},
                        "order": "TO",
                        "mode": "full",
                        "group_by": "user",
                    },
                    "metrics": ["NDCG"],
                    "topk": [10],
                    "valid_metric": "NDCG@10",
                    "train_neg_sample_args": None,
                    "loss_type": "CE",
                    "use_gpu": False,
                    "state": "ERROR",
                    "show_progress": False,
                    **settings,
                },
            )
            init_seed(config["seed"], config["reproducibility"])
            dataset = create_dataset(config)
            train_data, valid_data, _ = data_preparation(config, dataset)
            from recbole.model.sequential_recommender.sasrec import SASRec
            from recbole.trainer import Trainer

            model = SASRec(config, train_data.dataset).to(config["device"])
            # Else it leaves a folder of TensorBoard logs in the working directory.
            with mock.patch("recbole.trainer.trainer.get_tensorboard"):
                trainer = Trainer(config, model)
        tokens = dataset.field2token_id["item_id"]
        rows = [tokens.get(str(item), 0) for item in range(len(data.items))]
        return cls(trainer, train_data, valid_data, np.array(rows))

    def train_epoch(self) -> None:
        """Let RecBole's trainer run one more epoch."""
        self.trainer.start_epoch, self.trainer.epochs = self.epochs, self.epochs + 1
        started = time.perf_counter()
        with as_recbole_expects():
            self.trainer.fit(self.train_data, saved=False, verbose=False, show_progress=False)
        self.seconds += time.perf_counter() - started
        self.epochs += 1

    def validation_ndcg(self) -> float:
        """Return validation NDCG@10 by RecBole's own evaluation, which ranks seen items too."""
        with as_recbole_expects():
            found = self.trainer.evaluate(
                self.valid_data, load_best_model=False, show_progress=False
            )
        return float(found["ndcg@10"])
