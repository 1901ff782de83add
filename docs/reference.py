"""Write docs/reference/: one page a module, from the docstrings, and the table of methods. Run by `make docs`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import hundredfold
from hundredfold.methods import names as methods

FOLDER = Path(__file__).parent / "reference"


def main() -> None:
    """Writes the pages."""
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.md"):
        stale.unlink()
    modules = [module for module in _modules() if "._" not in module.__name__ or module.__name__.endswith("._base")]
    for module in modules:
        (FOLDER / f"{module.__name__}.md").write_text("\n".join(_page(module)))
    (FOLDER / "index.md").write_text("\n".join(_index(modules)))
    print(f"{len(modules)} pages in {FOLDER}")


def _modules() -> Iterator[ModuleType]:
    yield hundredfold
    for found in pkgutil.walk_packages(hundredfold.__path__, "hundredfold."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def _index(modules: list[ModuleType]) -> Iterator[str]:
    yield "# Reference\n\n## Methods\n\n| name | family | what it does | source |\n|---|---|---|---|"
    for method in methods():
        yield f"| `{method.name}` | {method.family} | {method.summary} | {method.paper} |"
    yield "\n## Modules\n"
    for module in modules:
        yield f"- [{module.__name__}]({module.__name__}.md): {_first_line(module)}"
    yield ""


def _page(module: ModuleType) -> Iterator[str]:
    yield f"# {module.__name__}\n\n{_text(module)}\n"
    for name, thing in _public(module):
        yield f"## {name}{_signature(thing)}\n\n{_text(thing)}\n"
        if inspect.isclass(thing):
            for method_name, method in vars(thing).items():
                if inspect.isfunction(method) and not method_name.startswith("_"):
                    yield f"### {name}.{method_name}{_signature(method)}\n\n{_text(method)}\n"


def _public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Its own classes and functions, in the order of the file."""
    own = [
        (name, thing)
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
    ]
    yield from sorted(own, key=lambda pair: inspect.getsourcelines(pair[1])[1])


def _signature(thing: object) -> str:
    try:
        return f"`{inspect.signature(thing)}`"  # type: ignore[arg-type]
    except (TypeError, ValueError):  # an exception class of the standard library's kind has none
        return ""


def _text(thing: object) -> str:
    """The docstring; what is indented in it stays as it is, so that arguments and examples keep their lines."""
    return f"```text\n{inspect.getdoc(thing) or ''}\n```"


def _first_line(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    main()
