"""docs/: every command line in it can be parsed, every error code is explained, every file that it names is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomtls.cli.usage import ParserError
from dicomtls.diagnosis.causes import _CAUSES
from dicomtls.diagnosis.inspection import _STRICT_CODES
from dicomtls.diagnosis.record import _HINTS
from dicomtls.errors import By
from tests.support.command_lines import parse
from tests.support.source import REPOSITORY, read_modules

PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
LINE = re.compile(r"^(?:    |    - |      - run: |0 6 \* \* 1  )(dicomtls .*)$", re.MULTILINE)
SPAN = re.compile(r"`(dicomtls [a-z][^`]*)`")


def command_lines(page: Path) -> Iterator[str]:
    """What a reader would type."""
    text = page.read_text()
    yield from LINE.findall(text)
    yield from SPAN.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_can_be_typed(page: Path) -> None:
    """Each with options that there are."""
    for line in command_lines(page):
        parse(shlex.split(line)[1:])


def test_command_line_that_cannot_be_typed_is_found() -> None:
    """The negative twin."""
    for line in ("dicomtls echo --nope x", "dicomtls nope"):
        with pytest.raises((AssertionError, ParserError)):
            parse(shlex.split(line)[1:])
    assert sum(len(list(command_lines(page))) for page in PAGES) > 10


def explained_codes() -> tuple[set[str], set[str]]:
    """The codes of errors, and those of findings that stand below them."""
    page = (REPOSITORY / "docs" / "errors.md").read_text()
    errors, _, findings = page.partition("\n## What `inspect-cert` notices besides\n")
    first, second = (
        {code for cell in re.findall(r"^\| (`.*?`) \|", part, re.MULTILINE) for code in re.findall(r"`([\w-]+)`", cell)}
        for part in (errors, findings)
    )
    return first, second


def test_every_error_code_is_explained() -> None:
    """Those of the handshake, and those of everything else; none that there is not."""
    assert explained_codes()[0] == {*_CAUSES, *_HINTS, "alert-NAME", "interrupted"}


def test_every_code_of_a_finding_is_explained() -> None:
    """Those that are given by name, and those that OpenSSL's strict verification is translated into."""
    given = {
        code for module in read_modules("dicomtls") for code in re.findall(r"\bFinding\(\s*\"([\w-]+)\"", module.text)
    }
    assert len(given) > 20
    errors, findings = explained_codes()
    assert findings == ({*given, *_STRICT_CODES.values(), "strict-verifier"} - errors)


def test_who_refused_is_who_the_program_says() -> None:
    """Where either can, the page says so."""
    words = {By.PEER: "the peer", By.US: "we", By.NEITHER: "nobody"}
    rows = re.findall(
        r"^\| `([\w-]+)` \|[^|]*\| ([^|]*) \|", (REPOSITORY / "docs" / "errors.md").read_text(), re.MULTILINE
    )
    judged = {code: who for code, who in rows if code in _CAUSES and who != "the peer, or we"}
    assert judged == {code: words[_CAUSES[code].by] for code in judged}
    assert len(judged) > 25
    assert {who for _, who in rows} == {*words.values(), "the peer, or we"}


def test_files_that_are_named_are_there() -> None:
    """In the table of the architecture."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text()
    named = [
        name
        for row in re.findall(r"^\| .* \| (`.*`) \|$", text, re.MULTILINE)
        for name in re.findall(r"`([\w/]+\.py)`", row)
    ]
    assert len(named) > 5
    for name in named:
        assert list((REPOSITORY / "dicomtls").rglob(name)), name


# How a test file is called, not one that is there.
EXAMPLES_OF_NAMES = {"dicomtls/a/b.py", "tests/test_a_b.py", "tests/test_cli_NAME.py"}


def test_files_that_contributors_are_sent_to_are_there() -> None:
    """Files by their path from the top or from the package, or by their name alone; folders too."""
    named = set(re.findall(r"`([\w./*]+(?:\.py|\.md|\.txt|/))`", (REPOSITORY / "CONTRIBUTING.md").read_text()))
    assert named > EXAMPLES_OF_NAMES
    assert len(named) > 20
    for name in named - EXAMPLES_OF_NAMES:
        folders = (REPOSITORY, REPOSITORY / "dicomtls", REPOSITORY / "dicomtls" / "diagnosis")
        assert any(found for folder in folders for found in folder.glob(name.rstrip("/"))), name
