"""The package as its users see it."""

import subprocess
import sys

import dicomtls.dataset


def test_every_public_name_is_there_once() -> None:
    """`__all__` holds names that exist, sorted as ruff sorts them, none twice."""
    names = dicomtls.dataset.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(dicomtls.dataset, name) for name in names)


def test_nothing_heavy_is_imported_with_it() -> None:
    """Importing the package loads neither pydicom nor anything of the association, the terminal or TLS."""
    program = "import sys, dicomtls.dataset; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "dicomtls" in loaded
    assert not {"pydicom", "pynetdicom", "numpy", "ssl", "rich", "typer", "cryptography"} & set(loaded)
