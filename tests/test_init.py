"""What `dicomtls` offers to scripts."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dicomtls
from dicomtls import errors
from tests.support.cli import dicomtls_environment


def homes_for_type_checkers() -> dict[str, str]:
    """Where the imports that only a type checker sees take each name from."""
    tree = ast.parse(Path(dicomtls.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "importlib"]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_names_are_sorted_and_each_once() -> None:
    """`__all__` is the documentation's table of contents."""
    assert dicomtls.__all__ == sorted(set(dicomtls.__all__))
    assert set(dir(dicomtls)) == {*dicomtls.__all__, "__version__"}


@pytest.mark.parametrize("name", dicomtls.__all__)
def test_name_is_what_its_module_says(name: str) -> None:
    """The very object, with a docstring of its own; a type checker takes it from the same module."""
    home = homes_for_type_checkers()[name]
    found = getattr(dicomtls, name)
    assert found is getattr(import_module(home), name)
    assert inspect.getdoc(found)
    assert dicomtls._HOMES.get(name, "dicomtls.errors") == home


def test_type_checkers_and_programs_see_the_same_names() -> None:
    """No name for one of them only."""
    assert sorted(homes_for_type_checkers()) == dicomtls.__all__
    assert set(dicomtls._HOMES) <= set(dicomtls.__all__)


def test_whole_tree_of_errors_is_there() -> None:
    """Whatever is raised can be caught by a name that a script may import."""
    raised = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert raised <= set(dicomtls.__all__)


@pytest.mark.parametrize("name", ["_hidden", "nothing", "probe_peer"])
def test_other_names_are_refused(name: str) -> None:
    """In the words of every module, so that `hasattr` and `from … import` work as usual."""
    with pytest.raises(AttributeError, match=f"module 'dicomtls' has no attribute '{name}'"):
        getattr(dicomtls, name)


def test_names_of_commands_hide_no_module() -> None:
    """A function and a module of one name would be whichever was imported last."""
    modules = {path.stem for path in Path(dicomtls.__file__).parent.iterdir()}
    assert modules.isdisjoint(dicomtls.__all__)


def test_import_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import dicomtls` is one module, and so is each name until it is used."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    code = (
        "import sys; before = set(sys.modules); import dicomtls; print(*sorted(set(sys.modules) - before))\n"
        "dicomtls.Peer; print(*sorted(name for name in sys.modules if name.startswith('dicomtls.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dicomtls_environment()
    )
    assert done.stdout.splitlines() == ["dicomtls", "dicomtls.errors dicomtls.peer"]
