"""Rules of the house that no other tool checks."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hundredfold

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "hundredfold"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOLDERS = ("src", "tests", "docs", "examples", "benchmarks", ".ci")
ENDINGS = {".py", ".md", ".toml", ".txt", ".json", ".j2", ".css", ""}

# Imported when a module is: what the core always has, small. The rest waits until it is used.
AT_IMPORT = {
    "PIL",
    "click",
    "hundredfold",
    "jinja2",
    "markupsafe",
    "numpy",
    "pydantic",
    "safetensors",
    "tomli_w",
    "torch",
}
NEVER = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "torchvision"}
NAMELESS = {"common", "core", "helper", "helpers", "misc", "tools", "util", "utils"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def texts() -> Iterator[Path]:
    """Every text file of the project that people read or machines run."""
    yield from (ROOT / name for name in ("Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"))
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in ENDINGS and not {"__pycache__", "reference"} & set(path.parts):
                yield path


def imported(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_reads_as_the_others(path):
    module = tree(path)
    problems = []
    if len(path.read_text().splitlines()) > 350:
        problems.append("more than 350 lines: there is a second idea in it")
    if path.stem in NAMELESS:
        problems.append("a file is named after its idea")
    if path.read_text() and not ast.get_docstring(module):
        problems.append("says at its top what it is")
    problems += [f"{name} has no docstring" for name in undocumented(module)]
    problems += [f"imports {name}" for name in sorted(set(imported(ast.walk(module))) & NEVER)]
    bases = {"sklearn"} if "estimators" in path.parts else set()  # an estimator is a class of scikit-learn's kind
    others = set(imported(iter(module.body))) - AT_IMPORT - bases - set(sys.stdlib_module_names)
    problems += [f"imports {name} at its top" for name in sorted(others)]
    problems += unsafe_calls(module)
    assert not problems, "\n".join(problems)


def undocumented(node: ast.Module | ast.ClassDef, where: str = "") -> Iterator[str]:
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and not inner.name.startswith("_"):
            if not ast.get_docstring(inner):
                yield f"{where}{inner.name}"
            if isinstance(inner, ast.ClassDef):
                yield from undocumented(inner, f"{where}{inner.name}.")


def unsafe_calls(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "torch.load", "torch.save", "os.system"):
                yield f"calls {called}"
            if called in ("np.load", "numpy.load") and "allow_pickle=False" not in ast.unparse(node):
                yield "np.load without allow_pickle=False"
            if any(keyword.arg == "shell" for keyword in node.keywords):
                yield "starts a shell"


def test_nothing_is_left_to_do_and_no_machine_is_named():
    left_over = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    machine = re.compile("|".join(re.escape(f"/{name}/") for name in ("work", "root", "opt", "workspace")))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if left_over.search(line) or machine.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_version_is_the_same_everywhere():
    assert PROJECT["version"] == hundredfold.__version__
    assert f"## {hundredfold.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_public_names_are_these():
    assert hundredfold.__all__ == [
        "FewLabelClassifier",
        "RunResult",
        "SelfSupervisedTransformer",
        "StudyResult",
        "Suggestions",
        "TransferResult",
        "anomalies",
        "cluster",
        "denoise",
        "embed",
        "evaluate",
        "generate",
        "interpolate",
        "load_encoder",
        "losses",
        "map_features",
        "methods",
        "predict",
        "pretrain",
        "read",
        "reconstruct",
        "run",
        "study_batch_size",
        "study_methods",
        "study_transfer",
        "suggest",
        "transfer",
    ]
    for name in hundredfold.__all__:
        assert getattr(hundredfold, name).__doc__
    assert set(hundredfold.__all__) <= set(dir(hundredfold))


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match="possible: FewLabelClassifier, RunResult, "):
        _ = hundredfold.embedd


def python(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_nothing_large_and_writes_nothing(tmp_path):
    large = {"torch", "numpy", "PIL", "pydantic", "socket"}
    loaded = python("import sys, hundredfold, hundredfold.cli; print(*sys.modules)", tmp_path).split()
    assert not large & set(loaded)
    assert list(tmp_path.iterdir()) == []


def test_help_loads_no_torch(tmp_path):
    code = (
        "import sys, click\n"
        "from hundredfold.cli import cli\n"
        "context = click.Context(cli)\n"
        "for name in cli.list_commands(context):\n"
        "    command = cli.get_command(context, name)\n"
        "    assert command.get_help(click.Context(command))\n"
        "print(*sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    assert python(code, tmp_path) == ""


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in found), "constraints.txt pins exactly"
    return {canonicalize_name(name): version for name, version in found}


def test_every_dependency_is_pinned_within_its_range():
    extras = PROJECT["optional-dependencies"]
    wanted = [
        Requirement(text) for text in [*PROJECT["dependencies"], *(one for group in extras.values() for one in group)]
    ]
    pinned = pins()
    for requirement in wanted:
        if requirement.name == "hundredfold":
            assert requirement.extras <= set(extras)
            continue
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(version), f"{requirement} but {version} is pinned"


def test_the_gate_is_a_program_and_names_no_host():
    gate = ROOT / ".ci" / "run"
    assert os.access(gate, os.X_OK)
    assert "://" not in gate.read_text()
    assert "://" not in (ROOT / "Makefile").read_text()
