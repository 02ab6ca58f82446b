"""The result of handshake-probe for CI: JUnit's XML in the form that Jenkins and GitLab read.

A test suite a peer, a test case a stage; whatever is in a text, only characters that XML allows are written.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from dicomtls.cli.text import visible

if TYPE_CHECKING:
    from dicomtls.probe.handshake import ProbeResult, StageResult

_CLASS = "dicomtls.handshake-probe"


def junit(results: "Sequence[tuple[str, ProbeResult]]") -> str:
    """Return the whole document."""
    suites = [line for text, result in results for line in _suite(text, result)]
    counts = [_count(result) for _, result in results]
    totals = {name: sum(count[name] for count in counts) for name in ("tests", "failures")}
    seconds = sum(_seconds(result) for _, result in results)
    head = _tag("testsuites", name="dicomtls handshake-probe", **totals, errors=0, time=f"{seconds:.6f}")
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', f"<{head}>", *suites, "</testsuites>", ""])


def _suite(text: str, result: "ProbeResult") -> Iterator[str]:
    head = _tag("testsuite", name=text, **_count(result), errors=0, time=f"{_seconds(result):.6f}")
    yield f"  <{head}>"
    for stage in result.stages:
        yield from _case(text, stage, result)
    if _has_failed_beside(result):
        case = _tag("testcase", name="further questions", classname=f"{_CLASS}.{text}", time="0")
        yield from (f"    <{case}>", f"      <{_failure(result)}", "    </testcase>")
    yield "  </testsuite>"


def _case(text: str, stage: "StageResult", result: "ProbeResult") -> Iterator[str]:
    seconds = f"{(stage.ms or 0.0) / 1000:.6f}"
    case = _tag("testcase", name=stage.name, classname=f"{_CLASS}.{text}", time=seconds)
    if stage.ok:
        yield f"    <{case}/>"
        return
    yield f"    <{case}>"
    yield f"      <{_tag('skipped', message=stage.detail)}/>" if stage.ok is None else f"      <{_failure(result)}"
    yield "    </testcase>"


def _failure(result: "ProbeResult") -> str:
    diagnosis = result.diagnosis
    assert diagnosis is not None  # noqa: S101 -- a stage that failed, or what came after all of them
    body = "&#10;".join(
        _text(line) for line in (f"refused by: {diagnosis.by}", *(f"hint: {h}" for h in diagnosis.hints))
    )
    return f"{_tag('failure', message=diagnosis.message, type=diagnosis.code)}>{body}</failure>"


def _has_failed_beside(result: "ProbeResult") -> bool:
    """Whether it failed though no stage did: what was asked besides, or settings that cannot be had."""
    return result.diagnosis is not None and all(stage.ok is not False for stage in result.stages)


def _count(result: "ProbeResult") -> dict[str, int]:
    beside = int(_has_failed_beside(result))
    return {
        "tests": len(result.stages) + beside,
        "failures": sum(stage.ok is False for stage in result.stages) + beside,
        "skipped": sum(stage.ok is None for stage in result.stages),
    }


def _seconds(result: "ProbeResult") -> float:
    return result.attempt.timing_ms.get("total", 0.0) / 1000


def _tag(name: str, /, **attributes: object) -> str:
    return " ".join([name, *(f"{key}={quoteattr(visible(str(value)))}" for key, value in attributes.items())])


def _text(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
