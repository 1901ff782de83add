"""Importing: opens no connection, writes no file, loads no optional package, and hides no public name."""

import json
import subprocess
import sys

import pytest

WATCH = """
import importlib, json, pathlib, sys

seen = []

def hook(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        seen.append([event, repr(arguments)])
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append([event, repr(arguments[0])])
    if event in ("os.mkdir", "os.rename", "os.remove", "subprocess.Popen", "os.system", "os.fork"):
        seen.append([event, repr(arguments)])

sys.dont_write_bytecode = True
sys.addaudithook(hook)
import hundredfold
root = pathlib.Path(hundredfold.__path__[0])
files = [path.relative_to(root.parent).with_suffix("") for path in sorted(root.rglob("*.py"))]
names = [".".join(path.parts).removesuffix(".__init__") for path in files if path.stem != "__main__"]
estimators = [name for name in names if name.startswith("hundredfold.estimators")]
for name in names:
    if name not in estimators:
        importlib.import_module(name)
functions = [type(getattr(hundredfold, name)).__name__ for name in ("run", "pretrain", "evaluate", "embed", "predict")]
modules = sorted({name.split(".")[0] for name in sys.modules})
for name in estimators:  # classes of scikit-learn's kind: importing them is importing it
    importlib.import_module(name)
print(json.dumps({"seen": seen, "modules": modules, "kinds": functions}))
"""
OPTIONAL = {"transformers", "datasets", "pyarrow", "tensorboard", "torchvision", "kornia", "playwright", "sklearn"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What importing every module of the package did, in a process of its own."""
    folder = tmp_path_factory.mktemp("import")
    done = subprocess.run([sys.executable, "-c", WATCH], cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == []
    return json.loads(done.stdout)


def test_opens_no_connection_and_writes_no_file(found):
    ours = [entry for entry in found["seen"] if "/dev/null" not in entry[1]]
    assert ours == []


def test_loads_no_optional_package(found):
    assert not OPTIONAL & set(found["modules"])


def test_functions_stay_functions_though_a_layer_has_the_name_of_one(found):
    assert found["kinds"] == ["function"] * 5
