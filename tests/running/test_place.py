"""The place of a run is left as it was where nothing came of it."""

from __future__ import annotations

from pathlib import Path

from benchmark.running.place import RunPlace


def test_whoever_held_a_place_leaves_no_empty_folders(tmp_path: Path) -> None:
    place = RunPlace.of(tmp_path, "toy", "mine", "quick-s1-0123456789ab", fresh=False)
    with place.alone(0):
        assert (tmp_path / "checkpoints" / "toy" / "mine").is_dir()
    assert list(tmp_path.iterdir()) == []
    with place.alone(0):
        place.checkpoints.mkdir()
        (place.checkpoints / "net.pt").touch()
    assert (place.checkpoints / "net.pt").exists()
    place.forget()
    assert list(tmp_path.iterdir()) == []
