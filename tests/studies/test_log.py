import logging

from hundredfold.errors import DataError
from hundredfold.studies.log import Log


def lines(path):
    return [line[21:] for line in path.read_text().splitlines()]


def test_what_is_told_is_kept_and_what_is_written_is_not_told(tmp_path):
    told = []
    log = Log(tmp_path / "log.txt", told.append)
    assert not (tmp_path / "log.txt").exists()
    log.tell("one")
    log.write("two\nthree \ud800")
    assert told == ["one"] and lines(tmp_path / "log.txt") == ["one", "two", "three \\ud800"]


def test_a_foreseen_end_is_its_message_and_a_defect_its_traceback(tmp_path):
    log = Log(tmp_path / "log.txt", print)
    log.failure(DataError("nothing there", why="empty", fix="fill it"))
    assert lines(tmp_path / "log.txt") == ["error: nothing there", "why: empty", "fix: fill it"]
    try:
        raise ValueError("deep down")
    except ValueError as problem:
        log.failure(problem)
    assert lines(tmp_path / "log.txt")[3].startswith("Traceback")
    assert lines(tmp_path / "log.txt")[-1] == "ValueError: deep down"


def test_warnings_of_the_layers_below_are_told(tmp_path):
    told = []
    with Log(tmp_path / "log.txt", told.append):
        logging.getLogger("hundredfold.data.streaming").warning("image %d is gone", 7)
        logging.getLogger("hundredfold.data.streaming").info("not this")
    assert told == ["image 7 is gone"] == lines(tmp_path / "log.txt")
    assert not logging.getLogger("hundredfold").handlers


def test_a_log_that_cannot_be_written_is_lost_and_the_line_is_told(tmp_path):
    told = []
    Log(tmp_path / "nowhere" / "log.txt", told.append).tell("still here")
    assert told == ["still here"]
