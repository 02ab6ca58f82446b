"""What the README promises: the lines that `certgen pki` prints bring two systems together."""

import shlex
from pathlib import Path

import pytest

from tests.support.cli import run_dicomtls, serving
from tests.support.instances import make_instances
from tests.support.peers import run_dcmtk


def printed_lines(folder: Path, *options: str) -> list[list[str]]:
    """The commands that `certgen pki` prints, taken apart as a shell does."""
    result = run_dicomtls("certgen", "pki", "my pki", "--name", "Clinic", "--host", "localhost", *options, cwd=folder)
    assert result.exit_status == 0, result.stderr
    return [shlex.split(line) for line in result.stdout.splitlines() if line.startswith(("  dicomtls ", "  echoscu "))]


@pytest.mark.parametrize("key_type", ["rsa:2048", "ec:p256"])
def test_lines_that_certgen_prints_work_as_they_are(tmp_path: Path, key_type: str) -> None:
    """serve, echo and store, and DCMTK's echoscu; only the port is another, since tests have none of their own."""
    serve, echo, store, echoscu = printed_lines(tmp_path, "--key-type", key_type)
    assert [words[:2] for words in (serve, echo, store)] == [["dicomtls", name] for name in ("serve", "echo", "store")]
    make_instances(tmp_path / "FILES", 3, pixel_bytes=1000)
    options = [tmp_path / word if word.startswith("my pki/") else word for word in serve[2:]]
    options.remove("--directory")
    options.remove("in")
    with serving(tmp_path / "in", *options) as server:
        peer = f"localhost:{server.port}"
        for words in (echo, store):
            done = run_dicomtls(*(peer if word == "localhost" else word for word in words[1:]), cwd=tmp_path)
            assert done.exit_status == 0, done.stderr
        assert echoscu[-2:] == ["localhost", "2762"]
        dcmtk = [str(tmp_path / word) if word.startswith("my pki/") else word for word in echoscu[1:-2]]
        assert run_dcmtk(echoscu[0], *dcmtk, server.host, server.port).returncode == 0
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == 3
