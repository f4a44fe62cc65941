"""Logins that were logged out of: remembered beside the store as long as they would have lasted, and no longer."""

import json
import os
import stat
from pathlib import Path

import pytest

from prober import patient
from prober.web.ended import Ended

NOW = 1_795_341_700


def kept_at(path: Path | None, now: int = NOW) -> Ended:
    ended = Ended()
    ended.kept_at(path, now)
    return ended


def test_what_was_ended_is_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "prober.db-web.ended"
    kept_at(path).add("one", NOW + 60, NOW)
    assert "one" in kept_at(path)
    assert "two" not in kept_at(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "nothing else is left"


def test_what_would_be_over_anyway_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "ended"
    ended = kept_at(path)
    ended.add("one", NOW + 60, NOW)
    ended.add("two", NOW + 90, NOW + 60)
    assert json.loads(path.read_text()) == {"two": NOW + 90}
    assert "two" not in kept_at(path, NOW + 90)


def test_without_a_file_it_is_remembered_by_this_process_and_written_once_there_is_one(tmp_path: Path) -> None:
    ended = kept_at(None)
    ended.add("one", NOW + 60, NOW)
    assert "one" in ended
    ended.kept_at(tmp_path / "ended", NOW)
    assert "one" in ended
    assert "one" in kept_at(tmp_path / "ended")


@pytest.mark.parametrize("said", ["no json", "[1]", '{"one": null}', "{", '{"one": 1e999}', "[" * 100_000])
def test_a_file_that_is_none_is_told_and_taken_as_empty(
    said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ended"
    path.write_text(said)
    assert "one" not in kept_at(path)
    assert f"{path} cannot be read" in caplog.text


def test_a_pipe_in_the_lists_place_is_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient, "PATIENCE", 0.01)
    os.mkfifo(tmp_path / "ended")
    assert "one" not in kept_at(tmp_path / "ended")
    assert "it is a pipe" in caplog.text


def test_a_logout_that_cannot_be_written_holds_in_this_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended = kept_at(tmp_path / "missing" / "ended")
    ended.add("one", NOW + 60, NOW)
    assert "one" in ended
    assert "a logout is not remembered past this process" in caplog.text


def test_the_list_before_stays_whole_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ended").mkdir()
    ended = Ended()
    ended.kept_at(tmp_path / "ended", NOW)
    ended.add("one", NOW + 60, NOW)
    assert "cannot be written" in caplog.text
    assert [each.name for each in tmp_path.iterdir()] == ["ended"], "the fresh file does not stay behind"
