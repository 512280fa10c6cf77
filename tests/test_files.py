"""Files are whole or absent."""

from __future__ import annotations

import os
import stat

import pytest

from sparring.errors import RequestError
from sparring.files import write_text, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_is_there_whole(tmp_path):
    write_text(tmp_path / "a.json", "zwölf\n")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "zwölf\n"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    def write(path):
        with write_whole(path) as stream:
            stream.write(b"half")
            stream.flush()
            raise error

    with pytest.raises(error):
        write(tmp_path / "new")
    assert names(tmp_path) == []
    (tmp_path / "old").write_bytes(b"kept")
    with pytest.raises(error):
        write(tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"kept"
    assert names(tmp_path) == ["old"]


def test_nothing_is_seen_at_the_place_before_the_block_ends(tmp_path):
    place = tmp_path / "a"
    place.write_bytes(b"old")
    with write_whole(place) as stream:
        stream.write(b"new")
        stream.flush()
        assert place.read_bytes() == b"old"
    assert place.read_bytes() == b"new"


def test_a_new_file_has_the_rights_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_places_that_cannot_be_written_are_the_users_mistake(tmp_path):
    with pytest.raises(RequestError, match=r"cannot write .*missing"):
        write_text(tmp_path / "missing" / "a", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RequestError, match=r"cannot write .*folder"):
        write_text(tmp_path / "folder", "x")
    with pytest.raises(RequestError, match="cannot write"):
        write_text(tmp_path / ("n" * 400), "x")
    assert names(tmp_path) == ["folder"]
