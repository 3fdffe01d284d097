from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.files import writing
from benchmark.locks import BusyError, is_held, lock_file, locked

COUNT = """
import sys
from pathlib import Path
from benchmark.locks import locked
file = Path(sys.argv[1])
for _ in range(100):
    with locked(file):
        file.write_text(str(int(file.read_text()) + 1))
"""
HOLD = """
import sys, time
from pathlib import Path
from benchmark.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def _start(script: str, place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(place)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_nothing_that_several_processes_count_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    for process in [_start(COUNT, file) for _ in range(4)]:
        assert process.wait() == 0
    assert file.read_text() == "400"
    assert [file.name for file in tmp_path.iterdir()] == ["count"]


def test_whoever_holds_a_lock_is_named_and_a_killed_process_holds_none(tmp_path: Path) -> None:
    place = tmp_path / "record"
    holder = _start(HOLD, place)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=f"process {holder.pid} on .* since"), locked(place, 0.1):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock_file(place).exists()
    with locked(place, 1), locked(place, 0):
        assert lock_file(place).exists()
    assert not lock_file(place).exists()


def test_a_look_at_a_lock_tells_whether_it_is_held_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    place = tmp_path / "record"
    assert not is_held(lock_file(place))
    assert not list(tmp_path.iterdir())
    holder = _start(HOLD, place)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert is_held(lock_file(place))
    holder.kill()
    holder.wait()
    told = lock_file(place).read_text()
    assert not is_held(lock_file(place))
    assert lock_file(place).read_text() == told
    with locked(place):
        assert is_held(lock_file(place))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), locked(tmp_path / "file" / "x"):
        pass


def test_writing_keeps_the_mode_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "table.md"
    file.write_text("old")
    file.chmod(0o640)
    with writing(file) as unfinished:
        unfinished.write_text("new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)
    with pytest.raises(ZeroDivisionError), writing(file) as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError
    assert file.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["table.md"]


def test_two_who_write_one_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with writing(file) as one, writing(file) as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert file.read_text() == "1"


PRUNE = """
import sys
from pathlib import Path
from benchmark.folders import prune
from benchmark.locks import locked
root = Path(sys.argv[1])
for _ in range(40):
    with locked(root / "a" / "b"):
        pass
    prune(root / "a", root)
"""


def test_a_folder_that_others_remove_when_it_is_empty_is_no_hindrance(tmp_path: Path) -> None:
    for process in [_start(PRUNE, tmp_path) for _ in range(3)]:
        assert process.wait() == 0
    assert not list(tmp_path.iterdir())
