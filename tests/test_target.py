from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.target import LARGEST, Target, is_stdout, new_folder

KINDS = ["link", "dangling link", "folder", "pipe", "socket", "device", "/dev/null", "/dev/stdin"]


def make(kind: str, path: Path) -> Path:
    if kind.startswith("/dev"):
        return Path(kind)
    if kind == "link":
        path.with_name("file").write_text("precious")
        path.symlink_to("file")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    return path


def state(folder: Path) -> list[tuple[str, int]]:
    return sorted((each.name, each.lstat().st_mode) for each in folder.iterdir())


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, writable: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = make(kind, Path("x"))
    before, mode = state(tmp_path), path.lstat().st_mode
    with pytest.raises(InputError, match=f"--out {path}: is a"):
        Target.at("--out", path, writable)
    assert (state(tmp_path), path.lstat().st_mode) == (before, mode)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_became_no_file_meanwhile_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    target = Target.at("--out", path)
    make(kind, path)
    before = state(tmp_path)
    with pytest.raises(InputError, match="is a"):
        target.write(b"new")
    assert state(tmp_path) == before


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o755])
def test_a_file_keeps_its_mode_and_a_new_one_gets_the_usual_one(tmp_path: Path, mode: int) -> None:
    file, new = tmp_path / "file", tmp_path / "new"
    file.write_text("old")
    file.chmod(mode)
    before = os.umask(0o027)
    try:
        for path in (file, new):
            Target.at("--out", path).write(b"new")
            assert path.read_bytes() == b"new"
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    assert len(state(tmp_path)) == 2


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("edit", ["edited", "odl", None])
def test_an_edit_made_meanwhile_is_refused_and_stays(
    tmp_path: Path, before: str | None, edit: str | None
) -> None:
    file = tmp_path / "file"
    if before is not None:
        file.write_text(before)
    target = Target.at("--into", file)
    if edit is not None:
        file.write_text(edit)
    elif before is not None:
        file.unlink()
    else:
        return target.write(b"new")
    kept = file.read_text() if file.exists() else None
    with pytest.raises(InputError, match=f"--into {file}: was changed meanwhile"):
        target.write(b"new")
    assert (file.read_text() if file.exists() else None) == kept == edit
    assert len(state(tmp_path)) == (kept is not None)
    return None


def test_a_place_that_takes_no_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff")
    for path in (tmp_path / "no" / "x", tmp_path / "file" / "x", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="--out"):
            Target.at("--out", path)
    with pytest.raises(InputError, match="is not UTF-8"):
        Target.at("--into", tmp_path / "file").text()
    with pytest.raises(InputError, match="no such file"):
        Target.at("--into", tmp_path / "none").text()
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(InputError, match="is larger than"):
        Target.at("--into", tmp_path / "large")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o400)
    with pytest.raises(InputError, match="cannot be written"):
        Target.at("--out", tmp_path / "file")
    assert Target.at("--out", tmp_path / "file", writable=False).content == b""
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        Target.at("--out", tmp_path / "new")


def test_open_streams_are_written_to(tmp_path: Path) -> None:
    assert all(is_stdout(Path(text)) for text in ("-", "/dev/stdout", "/dev/fd/1"))
    assert not any(is_stdout(Path(text)) for text in ("x", "/dev/stderr", "/dev/fd/11", "./-/x"))
    reader, writer = os.pipe()
    Target.at("--out", Path(f"/dev/fd/{writer}")).write(b"new")
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"new"
    with pytest.raises(InputError, match="Bad file descriptor"):
        Target.at("--out", Path(f"/dev/fd/{writer}")).write(b"new")


def test_a_shell_takes_what_is_written_to_its_stream(tmp_path: Path) -> None:
    # By this very code: another one that is installed might replace the devices.
    script = (
        "import sys; from pathlib import Path; from benchmark.target import Target;"
        "Target.at('--out', Path(sys.argv[1])).write(b'new')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    for out in ("/dev/stderr", "/dev/stdout", "/dev/fd/3"):
        done = subprocess.run(
            ["sh", "-c", f'{sys.executable} -c "$0" {out} 3>&1', script],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env=environment,
        )
        assert done.stdout + done.stderr == b"new"
        assert Path("/dev/stdout").is_symlink()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "file", "full"])
def test_a_new_folder_takes_no_place_that_is_taken(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("old")
    elif kind == "full":
        (path / "old").mkdir(parents=True)
    else:
        make(kind, path)
    before = state(tmp_path)
    with pytest.raises(InputError, match="is there already"), new_folder("--out", path):
        pass
    assert state(tmp_path) == before


@pytest.mark.parametrize("name", ["new", "empty", "../here/other", "./dotted/."])
def test_a_new_folder_is_there_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    here = tmp_path / "here"
    (here / "empty").mkdir(parents=True)
    with pytest.raises(ZeroDivisionError), new_folder("--out", here / name) as folder:
        (folder / "half").touch()
        raise ZeroDivisionError
    assert list(tmp_path.rglob("*half*")) == []
    with new_folder("--out", here / name) as folder:
        (folder / "whole").touch()
    assert (here / name / "whole").exists()
    assert not list(tmp_path.rglob(".*"))


def test_what_took_the_place_of_a_new_folder_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(InputError, match="cannot be written"), new_folder("--out", path):
        (path / "old").mkdir(parents=True)
    assert (path / "old").is_dir()
    assert len(state(tmp_path)) == 1
