"""Starts real `hundredfold` processes fast: everything is imported once, then each command is a fork.

Reads one JSON request a line: {"arguments": [...], "folder": where stdout and stderr go, "strike": null or
{"signal": 9, "at": what, "count": n, "when": "before" | "after"}}. `at` is "step" (of training) or the name of a file
that is about to be renamed to its place: at the n-th of them the process sends that signal to itself.
Answers with the exit status, negative for a signal, as `subprocess` does.
"""

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path

import torch

import hundredfold.report.page
import hundredfold.studies.few_labels
import hundredfold.train.ledger
from hundredfold.cli import main

torch.set_num_threads(1)


def arm(strike):
    """Makes the process strike itself at the place that was asked for."""
    left = [strike["count"]]

    def reached(name):
        if Path(name).name == strike["at"] or name == strike["at"]:
            left[0] -= 1
            return left[0] == 0
        return False

    def around(function, name_of):
        def struck(*arguments, **keywords):
            here = reached(name_of(*arguments, **keywords))
            if here and strike["when"] == "before":
                os.kill(os.getpid(), strike["signal"])
            result = function(*arguments, **keywords)
            if here and strike["when"] == "after":
                os.kill(os.getpid(), strike["signal"])
            return result

        return struck

    ledger = hundredfold.train.ledger.Ledger
    ledger.add = around(ledger.add, lambda *_: "step")
    os.replace = around(os.replace, lambda _, target, **__: str(target))


def child(request):
    """The forked process."""
    folder = Path(request["folder"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if request["strike"]:
        arm(request["strike"])
    sys.argv = ["hundredfold", *request["arguments"]]
    main()


def warm_up():
    """Imports what a run would import on its way. No backward pass: after one, autograd refuses to be forked."""
    for name in (
        "sklearn.linear_model",
        "sklearn.model_selection",
        "sklearn.datasets",
        "tensorboard.summary.writer.record_writer",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.zeros(2, 2)
    torch.optim.AdamW([weight], fused=True).step()


warm_up()
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child(json.loads(line))
        except SystemExit as leaving:
            status = leaving.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
