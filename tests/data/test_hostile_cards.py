"""A card may be anybody's: it runs nothing, and reads only data below its folder."""

from __future__ import annotations

import os
import socket
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.data.load import load_dataset
from benchmark.data.packages import package_folder
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

from .test_card import ITEMS, MINIMAL, card_in, rows

SECRET = "root:x:0:0:root:/root:/bin/bash\nhunter2\tsecret:word\n"


def refused(folder: Path, *never: str) -> str:
    """Return the one line in which a data set is refused, soon and without the words given."""
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        load_dataset(folder)
    message = str(caught.value)
    assert time.monotonic() - start < 5
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 600 + len(str(folder))
    assert not any(word in message for word in never)
    return message


@pytest.mark.parametrize("package", ["mine.p.x", "p.x", "p", "mine.p"])
def test_a_package_in_the_working_folder_or_on_the_path_never_runs_or_counts(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    folder = make_folder(rows(), name="mine")
    for place in (folder, folder.parent):
        (place / "p").mkdir()
        (place / "p" / "__init__.py").write_text("raise SystemExit('ran')\n")
        (place / "p-1.0.dist-info").mkdir()
        (place / "p-1.0.dist-info" / "METADATA").write_text("Name: p\nVersion: 1.0\n")
        (place / "p-1.0.dist-info" / "RECORD").write_text("p/__init__.py,,\n")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(sys, "path", [str(folder), str(folder.parent), *sys.path])
    before = set(sys.modules)
    message = refused(card_in(folder, location={"package": package}))
    assert "is not installed" in message
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] in ("p", "mine")}


@pytest.mark.parametrize("package", ["", "..", "a..b", ".a", "a/b", "/etc", "a b", "a-b", "os;x"])
def test_what_names_no_package_is_refused(tmp_path: Path, package: str) -> None:
    message = refused(card_in(tmp_path, location={"package": package}))
    assert "field 'location.package': is no name of a package" in message


def test_installed_packages_are_found_without_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = package_folder("recbole")
    assert found is not None
    assert (found / "dataset_example").is_dir()
    assert package_folder("recbole.data") == found / "data"
    assert package_folder("recbole.nothing") is None
    assert package_folder("yaml") is not None, "its distribution has another name"
    assert package_folder("benchmark") is not None, "installed in place"
    (tmp_path / "source" / "src" / "thing").mkdir(parents=True)
    metadata = tmp_path / "site" / "a_thing-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: a-thing\nVersion: 1\n")
    (metadata / "top_level.txt").write_text("thing\n")
    url = (tmp_path / "source").as_uri()
    (metadata / "direct_url.json").write_text(
        f'{{"url": "{url}", "dir_info": {{"editable": true}}}}'
    )
    monkeypatch.setattr("site.getsitepackages", lambda: [str(tmp_path / "site")])
    assert package_folder("thing") == tmp_path / "source" / "src" / "thing"


def _installed(site: Path, name: str, files: tuple[str, ...]) -> None:
    """Lay out a distribution as installers do that write no ``top_level.txt``."""
    metadata = site / f"{name}-1.dist-info"
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("raise SystemExit('imported')\n")
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_a_package_of_a_distribution_with_another_name_is_found_by_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, here = tmp_path / "site", tmp_path / "here"
    _installed(place, "the_things", ("thing/__init__.py", "thing/data/x.inter", "single.py"))
    _installed(place, "others", ("other/__init__.py",))
    _installed(here, "local", ("nearby/__init__.py",))
    (place / "stray").mkdir()
    monkeypatch.setattr("site.getsitepackages", lambda: [str(place)])
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(str(here))
    assert package_folder("thing") == place / "thing"
    assert package_folder("thing.data") == place / "thing" / "data"
    assert package_folder("other") == place / "other"
    for name in ("single", "stray", "nearby", "local", "the_things"):
        assert package_folder(name) is None
    assert "thing" not in sys.modules


@pytest.mark.parametrize("name", ["attr", "dateutil"])
def test_installed_packages_of_another_name_are_found_where_python_finds_them(name: str) -> None:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{name} is not installed")
    assert package_folder(name) == Path(next(iter(spec.submodule_search_locations)))


def test_a_record_is_no_data_set_nor_is_what_lies_in_it(make_folder: MakeFolder) -> None:
    folder = card_in(make_folder(rows()))
    for place in (folder, folder.parent):
        for name in ("run.json", "checksums.json"):
            (place / name).write_text("{}")
        assert "is a record of a run" in refused(folder)
        (folder / "run.json").unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../secret", "..", "", "."])
def test_a_file_is_named_by_its_path_below_the_folder(make_folder: MakeFolder, name: str) -> None:
    folder = make_folder(rows())
    (folder.parent / "secret").write_text(SECRET)
    message = refused(card_in(folder, files={"inter": {"name": name}}), "hunter2", "root:")
    assert "field 'files.inter.name': must be a file below the data folder" in message


@pytest.mark.parametrize("with_card", [True, False])
@pytest.mark.parametrize("kind", ["inter", "item", "query", "user"])
def test_a_link_that_leads_out_is_refused(
    make_folder: MakeFolder, kind: str, with_card: bool
) -> None:
    folder = make_folder(rows(), ITEMS)
    (folder.parent / "secret").write_text(SECRET)
    (folder / f"ml.{kind}").unlink(missing_ok=True)
    (folder / f"ml.{kind}").symlink_to("../secret")
    if with_card:
        kinds = dict.fromkeys(("inter", "item", kind))
        card_in(folder, files={each: {"name": f"ml.{each}"} for each in kinds})
    assert f"ml.{kind}" in refused(folder, "hunter2", "root:")


def test_a_link_within_the_folder_is_followed(make_folder: MakeFolder) -> None:
    folder = make_folder(rows())
    (folder / "raw").mkdir()
    (folder / "ml.inter").rename(folder / "raw" / "events")
    (folder / "ml.inter").symlink_to("raw/events")
    folder.with_name("link").symlink_to(folder)
    assert len(load_dataset(folder.with_name("link")).log) == 18


@pytest.mark.parametrize("path", ["/etc", "..", "../..", "data/../.."])
def test_a_location_lies_below_the_cards_folder(make_folder: MakeFolder, path: str) -> None:
    folder = make_folder(rows())
    assert "leads out" in refused(card_in(folder, location={"path": path}))
    (folder / "data").symlink_to("/etc")
    assert "leads out" in refused(card_in(folder, location={"path": "data"}))
    message = refused(card_in(folder, location={"package": "recbole", "path": path}))
    assert "leads out" in message


def test_a_location_starts_at_the_cards_folder(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(rows())
    (folder / "data").mkdir()
    (folder / "ml.inter").rename(folder / "data" / "ml.inter")
    assert len(load_dataset(card_in(folder, location={"path": "data"})).log) == 18


@pytest.mark.parametrize(
    "location", [{"path": "/etc"}, {"path": "../../.."}, {"path": "../data"}, {"folder": "../x"}]
)
def test_no_card_leads_out_not_even_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: dict[str, str]
) -> None:
    (tmp_path / "mine").mkdir()
    card_in(tmp_path / "mine", location=location)
    monkeypatch.setenv("BENCHMARK_DATASETS", str(tmp_path))
    with pytest.raises(InputError, match=r"leads out|is no name"):
        load_dataset("mine")


FETCHES: dict[str, tuple[object, str]] = {
    "plain http": ({"url": "http://example.org/a"}, "is http, and only https is trusted"),
    "a file": ({"url": "file:///etc/passwd"}, "is file, and only https is trusted"),
    "ftp": ({"url": "ftp://127.0.0.1/a"}, "is ftp, and only https is trusted"),
    "a host that looks like ours": ({"url": "http://127.0.0.1.example.org/a"}, "only https"),
    "a name that looks like ours": ({"url": "http://127.0.0.1@example.org/a"}, "only https"),
    "a password": ({"url": "https://a:b@example.org/a"}, "holds a name or a password"),
    "no host": ({"url": "https:///a"}, "is no URL"),
    "no URL": ({"url": "ml.zip"}, "is no URL"),
    "a wrong port": ({"url": "https://example.org:x/a"}, "is no URL"),
    "a terminal's": ({"url": "https://example.org/\x1b[31m"}, "is no URL"),
    "a name in the host": ({"url": "https://{name}.org/a"}, "holds braces other than"),
    "other braces": ({"url": "https://example.org/{0}"}, "holds braces other than"),
    "a folder that leads out": (
        {"url": "https://example.org/a", "archive": "zip", "below": "../x"},
        "must be a folder of the archive",
    ),
    "a checksum": ({"url": "https://example.org/a", "checksum": "md5:0"}, "is no checksum"),
    "of other files": ({"url": "https://example.org/a", "files": ["item"]}, "no file is called"),
    "a size of several": ({"url": "https://example.org/{name}", "size": 3}, "drop size"),
    "a size that is none": ({"url": "https://example.org/a", "size": -3}, "greater than 0"),
}


@pytest.mark.parametrize("case", sorted(FETCHES))
def test_what_a_card_says_of_downloads_is_checked(make_folder: MakeFolder, case: str) -> None:
    fetch, wanted = FETCHES[case]
    message = refused(card_in(make_folder(rows()), fetch=[fetch]), "root:")
    assert "fetch" in message
    assert wanted in message


def test_nothing_is_fetched_twice_or_into_a_package(make_folder: MakeFolder) -> None:
    fetch = {"url": "https://example.org/a"}
    folder = make_folder(rows())
    assert "'inter' is there twice" in refused(card_in(folder, fetch=[fetch, {**fetch}]))
    location = {"package": "recbole"}
    assert "drop fetch" in refused(card_in(folder, fetch=[fetch], location=location))
    location["folder"] = "mine"
    assert "names a package and a folder" in refused(card_in(folder, location=location))


@pytest.mark.parametrize("kind", ["inter", "item", "query", "user", "card.yaml"])
@pytest.mark.parametrize("what", ["fifo", "folder", "socket", "device"])
def test_what_is_no_regular_file_is_never_opened(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, kind: str, what: str
) -> None:
    folder = make_folder(rows(), ITEMS)
    monkeypatch.chdir(folder)  # the path of a socket may not be long
    place = Path(kind if "." in kind else f"ml.{kind}")
    place.unlink(missing_ok=True)
    if what == "fifo":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    elif what == "socket":
        socket.socket(socket.AF_UNIX).bind(str(place))
    else:
        place.symlink_to("/dev/zero")
    assert place.name in refused(folder)


NO_TABLES = {
    "passwd": SECRET,
    "one word": "hunter2\n",
    "words": "hunter2 is the pass word, said he; so it is\n",
    "key": "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n",
    "ini": "[core]\n\tpassword = hunter2\n",
    "json": '{"password": "hunter2"}\n',
    "yaml": "password: hunter2\n",
    "tabs": "hunter2\thunter2\n1\t2\n",
    "environment": "PASSWORD=hunter2\0HOME=/root\0",
    "binary": "\x7fELF hunter2 \0\0\x01\x02",
    "long": "hunter2 " * 200_000,
}


@pytest.mark.parametrize("case", NO_TABLES)
@pytest.mark.parametrize("kind", ["inter", "item", "query", "user"])
def test_an_error_quotes_nothing_of_what_is_no_table(
    make_folder: MakeFolder, kind: str, case: str
) -> None:
    folder = make_folder(rows(), ITEMS)
    (folder / f"ml.{kind}").write_text(NO_TABLES[case])
    kinds = dict.fromkeys(("inter", "item", kind))
    card_in(folder, files={each: {"name": f"ml.{each}"} for each in kinds})
    assert f"ml.{kind}" in refused(folder, "hunter2", "root:", "PASSWORD", "password")


def _with(text: str) -> str:
    return yaml.safe_dump(MINIMAL) + text


YAML = {
    "flow nested": (_with("text: " + "[" * 100_000), "nested more than 16 deep"),
    "blocks nested": (_with("text:\n" + "".join(" " * k + "-\n" for k in range(900))), "nested"),
    "dashes": (_with("text:\n" + "- " * 50_000), "nested more than 16 deep"),
    "laughs": (
        "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in ("ab", "bc", "cd")),
        "aliases are not read",
    ),
    "alias": (_with("title: *x\n"), "aliases are not read"),
    "merge": (_with("<<: {title: x}\n"), "a field's name must be a word"),
    "wide": (_with("text: [" + "a, " * 200_000 + "a]\n"), "more than 10,000 values"),
    "large": (_with("# " + "x" * 2**20), "larger than 1 MiB"),
    "key twice": (_with("licence: other\n"), "is already on line"),
    "inner key twice": (_with("split: {seed: 1, seed: 2}\n"), "field 'seed' is already on line"),
    "quoted key twice": (_with("'name': x\n"), "field 'name' is already on line"),
    "list": ("- a\n", "a card is a mapping"),
    "scalar": ("a\n", "a card is a mapping"),
    "number": ("1\n", "a card is a mapping"),
    "empty": ("", "a card is a mapping"),
    "comment": ("# nothing\n", "a card is a mapping"),
    "two documents": (_with("---\nname: x\n"), "it is not YAML"),
    "tab": ("name:\n\tx: y\n", ":2: it is not YAML"),
    "tag": (_with("title: !!python/object/apply:os.system [true]\n"), "tags"),
    "own tag": (_with("title: !x y\n"), "tags"),
    "binary tag": (_with("title: !!binary aGk=\n"), "tags"),
    "no date": (_with("title: 2001-99-99\n"), "a date or number that there is not"),
    "key of a list": (_with("? [a, b]\n: c\n"), "must be a word"),
    "huge number": (_with("candidates: {seed: " + "9" * 5000 + "}\n"), "a date or number"),
    "control character": (_with("title: a\x1bb\n"), "a character that YAML does not allow"),
    "negative seed": (_with("split: {seed: -1}\n"), "split.seed"),
    "infinite length": (
        _with("queries: {share: 1, known-item: {share: 1, fields: [a], mean_length: .inf}}\n"),
        "queries.known-item.mean_length",
    ),
    "share that is no number": (_with("queries: {share: .nan}\n"), "queries.share"),
    "number for a name": (_with("title: 12\n"), "put it in quotes"),
}  # fmt: skip


@pytest.mark.parametrize("case", YAML)
def test_odd_yaml_is_one_line_at_once(make_folder: MakeFolder, case: str) -> None:
    text, message = YAML[case]
    folder = make_folder(rows())
    (folder / "card.yaml").write_text(text)
    assert message in refused(folder)


def _changed(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in {**MINIMAL, **changes}.items() if v is not None}


NEAR = {
    "licence": (_changed(licence=None, license="l"), "'license'; did you mean 'licence'?"),
    "file": (
        _changed(files={"inter": {"nmae": "ml.inter"}}), "'files.inter.nmae'; did you mean 'name'?"
    ),
    "kind": (_changed(files={"inter": {"name": "ml.inter"}, "itm": {"name": "x"}}), "'item'"),
    "split": (_changed(split={"nam": "temporal"}), "'split.nam'; did you mean 'name'?"),
    "known-item": (
        _changed(queries={"share": 1, "known_items": {}}), "did you mean 'known-item'?"
    ),
    "level": (
        _changed(queries={"share": 1, "category": {"share": 1, "levels": [{"feild": "x"}]}}),
        "'queries.category.levels.0.feild'; did you mean 'field'?",
    ),
    "location": (_changed(location={"pakage": "x"}), "did you mean 'package'?"),
    "case": (_changed(Title="x"), "did you mean 'title'?"),
}  # fmt: skip


@pytest.mark.parametrize("case", NEAR)
def test_a_near_miss_names_the_field_at_any_depth(make_folder: MakeFolder, case: str) -> None:
    values, message = NEAR[case]
    folder = make_folder(rows())
    (folder / "card.yaml").write_text(yaml.safe_dump(values))
    assert message in refused(folder, "is missing" if case in ("licence", "file") else "\n")


def test_all_faults_are_told_at_once_with_their_lines(make_folder: MakeFolder) -> None:
    folder = make_folder(rows())
    lines = ["name: ../x", "description: d", "source: s", "licence: l", "colour: red"]
    lines += ["files:", "  inter: {name: ml.inter}", "split: {seed: -1}"]
    (folder / "card.yaml").write_text("\n".join(lines))
    message = refused(folder)
    assert "4 faults" in message
    for part in ("line 1: field 'name'", "line 5: unknown field 'colour'", "line 8: field 'split"):
        assert part in message
    assert "field 'citation' is missing" in message
    (folder / "card.yaml").write_text(yaml.safe_dump({f"x{k}": k for k in range(500)}))
    assert "more" in refused(folder)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", ".x", "a b", "x" * 151, "a\x1b[31m", "e\u0301"]
)
def test_a_card_has_a_name(make_folder: MakeFolder, name: str) -> None:
    assert "field 'name': is no name" in refused(card_in(make_folder(rows()), name=name))


def test_names_in_any_script_stay_apart(make_folder: MakeFolder) -> None:
    names = [
        "数据",
        "电影",
        "Bücher",
        "книги",
        "کتاب",
        "my data",
        "my  data",
        "my-data",
    ]
    found = [load_dataset(make_folder(rows(), name=name)).name for name in names]
    assert found[:5] == names[:5]
    assert len(set(found)) == len(names)
