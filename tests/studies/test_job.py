from pathlib import Path

import pytest

from hundredfold.studies.job import resume_command


@pytest.mark.parametrize(
    "command, expected",
    [
        ("hundredfold run digits", "hundredfold run digits --resume --out a/b"),
        ("hundredfold run digits --out x", "hundredfold run digits --out x --resume"),
        ("hundredfold run digits --out=x --quiet", "hundredfold run digits --out=x --quiet --resume"),
        ("hundredfold run digits --overwrite --out x", "hundredfold run digits --out x --resume"),
        ("hundredfold run --resume --out x", "hundredfold run --out x --resume"),
        ("hundredfold run --out x -- --odd", "hundredfold run --out x --resume -- --odd"),
        ("hundredfold run -- --out", "hundredfold run --resume --out a/b -- --out"),
    ],
)
def test_the_command_that_goes_on(command, expected):
    assert resume_command(command.split(), Path("a/b")) == expected


def test_the_shell_takes_every_name_as_it_is():
    command = ["hundredfold", "run", "it's $HOME; rm", "--set", "models=['a', 'b']"]
    pasted = resume_command(command, Path("a b"))
    assert pasted == (
        "hundredfold run 'it'\"'\"'s $HOME; rm' --set 'models=['\"'\"'a'\"'\"', '\"'\"'b'\"'\"']' --resume --out 'a b'"
    )
