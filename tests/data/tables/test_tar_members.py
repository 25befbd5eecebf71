"""The files of an archive are found where Python's own module finds them, or damage is named."""

import io
import os
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tars import write_tar

from keras_simmim.data.tables.tar_members import TarMember, tar_members

pytestmark = pytest.mark.any_backend

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120)


def members_of(path):
    file = os.open(path, os.O_RDONLY)
    try:
        return list(tar_members(file))
    finally:
        os.close(file)


def damage_of(path):
    """What is said of an archive, and the names in front of the damage."""
    file, names = os.open(path, os.O_RDONLY), []
    try:
        for member in tar_members(file):
            names.append(member.name)
    except ValueError as error:
        return str(error), names
    finally:
        os.close(file)
    raise AssertionError("no damage")


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=1500), max_size=5),
    folder=st.sampled_from(["", "a/", "é" * 80 + "/b.c/"]),
    layout=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_members_are_those_of_the_other_reader(tmp_path_factory, files, folder, layout):
    path = tmp_path_factory.mktemp("tar") / "some.tar"
    named = [(folder + name, contents) for name, contents in files.items()]
    try:
        write_tar(path, named, format=layout)
    except ValueError:  # A name is too long for this layout.
        assert layout == tarfile.USTAR_FORMAT
        return
    content = path.read_bytes()
    with tarfile.open(path) as archive:
        expected = [TarMember(m.name, m.offset_data, m.size) for m in archive if m.isfile()]
    assert members_of(path) == expected
    assert [content[m.start : m.start + m.size] for m in expected] == [c for _, c in named]


def test_folders_links_and_headers_of_all_are_no_files(tmp_path):
    with tarfile.open(tmp_path / "some.tar", "w", pax_headers={"comment": "all"}) as archive:
        for name, kind in (("a", tarfile.DIRTYPE), ("b", tarfile.SYMTYPE), ("c", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "x" * 150, 700 * (name == "c")
            archive.addfile(member)
        archive.addfile(tarfile.TarInfo("d.jpg"), io.BytesIO())
    assert [member.name for member in members_of(tmp_path / "some.tar")] == ["d.jpg"]


def test_sizes_beyond_octal_digits(tmp_path):
    member = tarfile.TarInfo("a.jpg")
    member.size = 8**11
    for layout in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with open(tmp_path / "some.tar", "wb") as file:
            file.write(member.tobuf(layout))
            start = file.tell()
            file.truncate(start + 8**11 + 1024)  # Sparse on the disk.
        assert members_of(tmp_path / "some.tar") == [TarMember("a.jpg", start, 8**11)]


FILES = [(f"{number}.jpg", b"x" * 600) for number in range(3)]


@pytest.mark.parametrize(
    ("change", "reason", "names"),
    [
        (lambda content: b"", "it is empty", 0),
        (lambda content: content[: 2 * 1536 - 500], "it is cut off, or damaged, at byte 1536", 1),
        (lambda content: content[: 2 * 1536], "it is cut off: its end mark is missing", 2),
        (lambda content: content[:2000], "it is cut off: its end mark is missing", 1),
        (lambda content: b"no tar" * 200, "it is no tar", 0),
        (lambda content: b"\x1f\x8b" + content, "it is compressed by gzip", 0),
        (lambda content: content[:1600] + b"y" + content[1601:], "no header at byte 1536", 1),
        (lambda content: content + content + b"x" * 2**20, "bytes stand behind its end mark", 3),
    ],
)
def test_damage_is_named_behind_what_is_intact(tmp_path, change, reason, names):
    path = write_tar(tmp_path / "some.tar", FILES)
    path.write_bytes(change(path.read_bytes()))
    found, left = damage_of(path)
    assert reason in found
    assert left == [name for name, _ in FILES[:names]]


OCTAL = {b"-0000000001\0": "it is no tar", b"\xff" * 12: "it is no tar"}
BINARY = {b"\x80" + b"\x7f" * 11: "it is cut off, or damaged, at byte 0"}


def write_header(path, contents=b"", **fields):
    """Write an archive of one header with a checksum that agrees, and what stands behind it."""
    block = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.GNU_FORMAT))
    for name, value in fields.items():
        start = {"size": 124, "kind": 156}[name]
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(bytes(block) + contents + bytes(1024))
    return path


@pytest.mark.parametrize(("size", "reason"), [*OCTAL.items(), *BINARY.items()])
def test_sizes_that_cannot_be(tmp_path, size, reason):
    assert damage_of(write_header(tmp_path / "some.tar", size=size)) == (reason, [])


@pytest.mark.parametrize(
    "record", [b"0 path=b\n", b"99 path=b\n", b"9 path=b\0", b"x", b"12 size=-12\n", b"9" * 30]
)
def test_records_that_are_none(tmp_path, record):
    fields = {"kind": b"x", "size": b"%011o\0" % len(record)}
    path = write_header(tmp_path / "some.tar", record.ljust(512, b"\0"), **fields)
    assert damage_of(path) == ("it is damaged: no pax header at byte 512", [])


def test_what_is_not_read(tmp_path):
    path = write_header(tmp_path / "some.tar", kind=b"S")
    assert damage_of(path)[0] == "it holds a sparse file, which is not supported"
    long = {"kind": b"L", "size": b"%011o\0" % (2**20 + 1)}
    path = write_header(tmp_path / "some.tar", bytes(2**20 + 512), **long)
    assert damage_of(path)[0] == "it is damaged: a header of 1048577 bytes at byte 0"


def test_any_change_ends_and_is_read_or_named(tmp_path):
    generator = random.Random(0)
    path = write_tar(tmp_path / "some.tar", [*FILES, ("n" * 300 + ".jpg", b"long")])
    whole = path.read_bytes()
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(generator.randint(1, 6)):
            content[generator.randrange(len(content))] = generator.choice((0, 32, 48, 55, 128, 255))
        path.write_bytes(bytes(content[: generator.randint(1, len(content))]))
        try:
            for member in members_of(path):
                assert 0 <= member.start <= member.start + member.size <= path.stat().st_size
        except ValueError as error:
            assert str(error).startswith("it ")  # noqa: PT017
