"""Records changed by somebody who makes their checksums right again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark.results.parquet import to_bytes
from benchmark.results.shared import is_shared_name

__all__ = ["change_info", "change_shared", "sign", "write_signed"]


def sign(folder: Path) -> None:
    """Make the checksums of a run's own files right."""
    file = folder / "checksums.json"
    sums = json.loads(file.read_text(encoding="utf-8"))
    own = [name for name in sums if (folder / name).exists()]
    sums.update({name: sha256((folder / name).read_bytes()).hexdigest() for name in own})
    file.write_text(json.dumps(sums), encoding="utf-8")


def write_signed(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of a run, or add one."""
    file = folder / "checksums.json"
    sums = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**sums, name: ""}), encoding="utf-8")
    (folder / name).write_bytes(content)
    sign(folder)


def change_info(folder: Path, **changes: Any) -> None:
    """Change fields of ``run.json``."""
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    write_signed(folder, "run.json", json.dumps({**info, **changes}).encode())


def change_shared(folder: Path, table: pa.Table | bytes) -> None:
    """Let a run stand on another shared table, whose name does not tell its content."""
    content = table if isinstance(table, bytes) else to_bytes(table)
    digest = sha256(content).hexdigest()
    name = f"requests-{digest[:12]}.parquet"
    folder.parent.parent.joinpath(name).write_bytes(content)
    file = folder / "checksums.json"
    sums = json.loads(file.read_text(encoding="utf-8"))
    own = {key: value for key, value in sums.items() if not is_shared_name(key)}
    file.write_text(json.dumps({**own, name: digest}), encoding="utf-8")
