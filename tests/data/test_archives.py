"""Archives that anybody may have packed are unpacked to where they are wanted, and nowhere else."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.archives import Archive, Limits, prove, unpack
from benchmark.errors import InputError

KINDS: tuple[Archive, ...] = ("zip", "tar.gz")
CONTENT = b"1\t2\t3\n" * 1000
Member = tuple[str, bytes]


def packed(kind: Archive, members: Sequence[Member]) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
            warnings.simplefilter("ignore")  # it warns of names that are there twice
            for name, content in members:
                entry = zipfile.ZipInfo("x")
                entry.filename = name  # the constructor cuts names at a NUL
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for name, content in members:
                header = tarfile.TarInfo(name)
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return file.getvalue()


def unpacked(
    folder: Path, kind: Archive, content: bytes, *names: str, limits: Limits | None = None
) -> dict[str, bytes]:
    """Unpack members and return what they hold; nothing else may have been written."""
    folder.mkdir(parents=True)
    file, out = folder / f"packed.{kind}", folder / "out"
    file.write_bytes(content)
    out.mkdir()
    places = {name: out / str(number) for number, name in enumerate(names)}
    before = set(folder.parent.rglob("*"))
    try:
        unpack(file, kind, places, **({"limits": limits} if limits else {}))
    finally:
        written = set(folder.parent.rglob("*")) - before
        assert written <= set(places.values())
        assert not any(path.is_symlink() for path in written)
    return {name: place.read_bytes() for name, place in places.items()}


def refused(
    folder: Path, kind: Archive, content: bytes, *names: str, limits: Limits | None = None
) -> str:
    with pytest.raises(InputError) as caught:
        unpacked(folder, kind, content, *names, limits=limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wanted_is_unpacked_and_nothing_else(tmp_path: Path, kind: Archive) -> None:
    members = [("a/b.dat", CONTENT), ("a/c.dat", b""), ("a/other", b"x"), ("b.dat", b"no")]
    content = packed(kind, members)
    found = unpacked(tmp_path / "x", kind, content, "a/b.dat", "a/c.dat")
    assert found == {"a/b.dat": CONTENT, "a/c.dat": b""}
    assert "holds no a/d.dat" in refused(tmp_path / "y", kind, content, "a/d.dat")


def test_tar_writes_names_with_a_dot_in_front(tmp_path: Path) -> None:
    content = packed("tar.gz", [("./a.dat", CONTENT)])
    assert unpacked(tmp_path / "x", "tar.gz", content, "a.dat") == {"a.dat": CONTENT}
    twice = packed("tar.gz", [("./a.dat", CONTENT), ("a.dat", b"other")])
    assert "holds a.dat twice" in refused(tmp_path / "y", "tar.gz", twice, "a.dat")


def test_gzip_packs_one_file(tmp_path: Path) -> None:
    content = gzip.compress(CONTENT)
    assert unpacked(tmp_path / "x", "gz", content, "a.dat") == {"a.dat": CONTENT}
    assert "damaged" in refused(tmp_path / "y", "gz", content[:-3], "a.dat")
    assert "not packed by gzip" in refused(tmp_path / "z", "gz", CONTENT, "a.dat")


LEADS_OUT = ["../a", "/a", "x/../../a", "C:/a", "C:a", "..\\a", "\\\\h\\s\\a"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LEADS_OUT)
def test_a_path_that_leads_out_is_refused_wanted_or_not(
    tmp_path: Path, kind: Archive, name: str
) -> None:
    content = packed(kind, [(name, b"evil"), ("a.dat", CONTENT)])
    assert "leads out of the archive" in refused(tmp_path / "in" / "x", kind, content, "a.dat")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", ["a/b.dat", "A/b.DAT", "a//b.dat", "a/./b.dat", "a/\uff42.dat"])
def test_a_name_that_is_there_twice_is_refused(tmp_path: Path, kind: Archive, other: str) -> None:
    content = packed(kind, [("a/b.dat", CONTENT), (other, b"other")])
    assert "holds a/b.dat twice" in refused(tmp_path / "x", kind, content, "a/b.dat")


PARTS = ["..", ".", "", "a", "A", "b.dat", "C:", "\\", "é", "e\u0301", "x\0"]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    names=st.lists(
        st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join), max_size=4
    ),
)
def test_no_name_leads_anywhere(kind: Archive, names: list[str]) -> None:
    """Whatever members are called: the wanted one is written in its place, or nothing else is."""
    members = [(name, f"{number}".encode()) for number, name in enumerate(names) if name.strip("/")]
    with TemporaryDirectory() as folder:
        try:
            content = packed(kind, [*members, ("a/b.dat", CONTENT)])
        except (ValueError, UnicodeError):
            return
        try:
            found = unpacked(Path(folder) / "in" / "x", kind, content, "a/b.dat")
        except InputError:
            return
        assert found == {"a/b.dat": CONTENT}


@pytest.mark.parametrize(
    ("mode", "said"),
    [(stat.S_IFLNK, "is a link"), (stat.S_IFCHR, "is no file"), (stat.S_IFIFO, "is no file")],
)
def test_a_member_of_a_zip_that_is_no_file_is_refused(tmp_path: Path, mode: int, said: str) -> None:
    entry = zipfile.ZipInfo("a.dat")
    entry.external_attr = (mode | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert said in refused(tmp_path / "x", "zip", file.getvalue(), "a.dat")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is no file"),
        (tarfile.BLKTYPE, "is no file"),
        (tarfile.FIFOTYPE, "is no file"),
    ],
)
def test_a_member_of_a_tar_that_is_no_file_is_refused(
    tmp_path: Path, kind: bytes, said: str
) -> None:
    header = tarfile.TarInfo("a.dat")
    header.type, header.linkname = kind, "/etc/passwd"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(header)
    assert said in refused(tmp_path / "x", "tar.gz", file.getvalue(), "a.dat")


TIGHT = Limits(size=10**6, ratio=20, small=10**4, members=5)


@pytest.mark.parametrize("kind", [*KINDS, "gz"])
def test_what_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path, kind: Archive) -> None:
    bomb = bytes(500_000)
    content = gzip.compress(bomb) if kind == "gz" else packed(kind, [("a.dat", bomb)])
    assert "unpacks to" in refused(tmp_path / "x", kind, content, "a.dat", limits=TIGHT)
    assert unpacked(tmp_path / "y", kind, content, "a.dat") == {"a.dat": bomb}


def test_a_member_that_nobody_wants_may_not_be_a_bomb_either(tmp_path: Path) -> None:
    """Of a tar archive everything up to what is wanted is unpacked, though not written."""
    content = packed("tar.gz", [("other", bytes(500_000)), ("a.dat", b"x")])
    assert "unpacks to more" in refused(tmp_path / "x", "tar.gz", content, "a.dat", limits=TIGHT)


def test_members_that_stand_on_the_same_bytes_are_refused(tmp_path: Path) -> None:
    """Each looks well packed by itself, all together do not."""
    names = [f"{number}.dat" for number in range(4)]
    content = packed("zip", [(name, bytes(9_000)) for name in names])
    assert "too much for its size" in refused(tmp_path / "x", "zip", content, *names, limits=TIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_of_very_many_members_is_refused(tmp_path: Path, kind: Archive) -> None:
    content = packed(kind, [(f"{number}.dat", b"") for number in range(6)])
    assert "more than 5 members" in refused(tmp_path / "x", kind, content, "0.dat", limits=TIGHT)


def test_a_header_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("a.dat")
    header.type, header.size = tarfile.XHDTYPE, 30 * 2**20
    content = gzip.compress(header.tobuf() + bytes(header.size) + bytes(1024), 9)
    message = refused(tmp_path / "x", "tar.gz", content, "a.dat")
    assert "announces a header of many megabytes" in message


def test_no_more_is_read_than_is_announced(tmp_path: Path) -> None:
    """The directory of the archive says 10 bytes; behind them there is more."""
    content = bytearray(packed("zip", [("a.dat", CONTENT)]))
    for place, offset in ((content.index(b"PK\x01\x02"), 24), (0, 22)):
        content[place + offset : place + offset + 4] = (10).to_bytes(4, "little")
    assert "damaged" in refused(tmp_path / "x", "zip", bytes(content), "a.dat")
    assert (tmp_path / "x" / "out" / "0").stat().st_size <= 10


@pytest.mark.parametrize("kind", [*KINDS, "gz"])
def test_a_damaged_archive_is_one_line(tmp_path: Path, kind: Archive) -> None:
    whole = gzip.compress(CONTENT) if kind == "gz" else packed(kind, [("a.dat", CONTENT)])
    for number, cut in enumerate(range(0, len(whole), max(len(whole) // 8, 1))):
        assert "packed" in refused(tmp_path / str(number), kind, whole[:cut], "a.dat")
    for number in range(40, len(whole) - 30, 7):
        content = bytearray(whole)
        content[number] ^= 0xFF
        try:
            found = unpacked(tmp_path / f"flip {number}", kind, bytes(content), "a.dat")
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert found == {"a.dat": CONTENT}


def test_proof_reads_all_and_keeps_nothing(tmp_path: Path) -> None:
    folder = io.BytesIO()
    with zipfile.ZipFile(folder, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/", b"")
        archive.writestr("a/b", CONTENT)
    for kind, content in (("zip", folder.getvalue()), ("gz", gzip.compress(CONTENT))):
        file = tmp_path / f"file.{kind}"
        file.write_bytes(content)
        prove(file, kind)
        broken = bytearray(content)
        broken[15 if kind == "gz" else content.index(b"a/b") + 7] ^= 0xFF
        file.write_bytes(bytes(broken))
        with pytest.raises(InputError, match="damaged"):
            prove(file, kind)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.gz", "file.zip"]
