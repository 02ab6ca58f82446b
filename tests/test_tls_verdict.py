"""dicomtls.tls.verdict: OpenSSL judges a chain whose key is not there."""

import json
import ssl
import sys
from typing import Any

import pytest

from dicomtls.diagnosis import classify
from dicomtls.errors import UsageError
from dicomtls.tls import TLSSettings
from dicomtls.tls.verdict import Leave, Question, judge
from tests.support.chains import issue
from tests.support.faults import Case, cases
from tests.support.pki import PKI
from tests.support.pythons import find_python, run_on

_CASES = cases()


def question(case: Case, **others: Any) -> Question:
    """The case's chain, trusted by nothing but what the chain itself ends in unless `others` say more."""
    values: dict[str, Any] = {
        "chain": tuple(one.der for one in case.chain),
        "role": case.role,
        "settings": TLSSettings(),
        "has_rsa_key": False,
        "reference": case.host,
        "anchors": (case.anchor.der,),
        **others,
    }
    return Question(**values)


def verify_code(case: Case, leave: Leave = Leave.NOTHING, *, strict: bool = False, **others: Any) -> int | None:
    """OpenSSL's code, None where the chain is accepted."""
    facts = judge(question(case, **others), leave=leave, strict=strict)
    return None if facts is None else facts.verify_code


@pytest.mark.parametrize(
    ("name", "code", "leave"),
    [
        ("expired", 10, Leave.TIMES),
        ("not yet valid", 9, Leave.TIMES),
        ("name", 62, Leave.NAME),
        ("address", 64, Leave.NAME),
        ("critical", 34, Leave.CRITICAL_EXTENSIONS),
    ],
)
def test_fault_is_seen_unless_it_is_left_out(name: str, code: int, leave: Leave) -> None:
    """Each check can be left out by itself, and only by its own name."""
    case = _CASES[name]
    assert verify_code(case) == code
    assert verify_code(case, leave) is None
    assert verify_code(case, ~leave & Leave(31)) == code


@pytest.mark.parametrize(
    "relaxed",
    [{"insecure": True}, {"pins": ("ab" * 32,)}, {"remember": lambda *_: None}, {"sni": False}],
    ids=["insecure", "pins", "remember", "sni"],
)
@pytest.mark.parametrize(("name", "code"), [("expired", 10), ("name", 62)])
def test_settings_relax_no_verdict(name: str, code: int, relaxed: dict[str, Any]) -> None:
    """Where a handshake would leave the chain or the name to others, OpenSSL is asked here all the same."""
    assert verify_code(_CASES[name], settings=TLSSettings(**relaxed)) == code


def test_certificate_that_openssl_cannot_read_is_a_fault_of_the_chain() -> None:
    """Not of a file of ours, though it is taken for the anchor: a peer may send anything."""
    leaf, *others = (one.der for one in _CASES["good"].chain)
    anchor = _CASES["good"].anchor
    name = anchor.cert.subject.rfc4514_string().removeprefix("CN=").encode()
    damaged = anchor.der.replace(name, b"\xff" * len(name))
    facts = judge(question(_CASES["good"], chain=(leaf, *others, damaged), anchors=(damaged,)))
    assert facts is not None
    assert (facts.reason, classify(facts)) == ("OpenSSL cannot read a certificate of the chain", "tls-error")


@pytest.mark.parametrize("reference", ["a..b", ".example", "a" * 64, ".".join(["a" * 60] * 5)])
def test_reference_that_is_no_name_is_a_usage_error(reference: str) -> None:
    """And no traceback from a codec."""
    with pytest.raises(UsageError, match="not a name"):
        verify_code(_CASES["good"], reference=reference)


@pytest.mark.parametrize("profile", ["bcp195", "bcp195-modified", "modern", "aes", "basic", "atna"])
def test_every_profile_judges(profile: str) -> None:
    """Also those without TLS 1.2 or without a suite that this OpenSSL has."""
    assert verify_code(_CASES["good"], settings=TLSSettings(profile=profile)) is None
    assert verify_code(_CASES["name"], settings=TLSSettings(profile=profile)) == 62


_SCRIPT = """
import json, sys
from dicomtls.tls import TLSSettings
from dicomtls.tls.verdict import Leave, Question, judge
for case in json.load(sys.stdin):
    question = Question(
        chain=tuple(map(bytes.fromhex, case["chain"])), role="server", settings=TLSSettings(), has_rsa_key=False,
        reference=case["host"], anchors=(bytes.fromhex(case["anchor"]),),
    )
    for leave in (Leave.NOTHING, Leave.TIMES):
        facts = judge(question, leave=leave)
        print(facts and facts.verify_code)
    facts = judge(question, strict=True)
    print(facts and facts.verify_code)
"""


def _judged_on(python: str) -> list[str]:
    """What that Python's OpenSSL says of every case of a server, one line each."""
    judged = [
        {"chain": [one.der.hex() for one in case.chain], "host": case.host, "anchor": case.anchor.der.hex()}
        for case in _CASES.values()
        if case.role == "server" and not case.crl
    ]
    return run_on(python, "-c", _SCRIPT, stdin=json.dumps(judged)).split()


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_other_pythons_judge_alike(version: str) -> None:
    """Also where X509_STRICT is that Python's default."""
    ours = _judged_on(sys.executable)
    assert {"None", "10", "62", "20", "26", "85"} <= set(ours)
    assert _judged_on(find_python(version)) == ours


def test_client_role_is_judged_by_a_server() -> None:
    """The purpose is the client's, and no name is looked at."""
    assert verify_code(_CASES["client"]) is None
    assert verify_code(_CASES["client purpose"]) == 26


def test_weak_key_depends_on_the_profile(pki: PKI) -> None:
    """RSA 1024 is refused at security level 2, and not at 0 nor where strength is left out."""
    chain = (ssl.PEM_cert_to_DER_cert(pki.weak_key.leaf.read_text()),)
    case = _CASES["good"]
    others: dict[str, Any] = {"chain": chain, "anchors": (), "has_rsa_key": True}
    assert verify_code(case, settings=TLSSettings(ca=(pki.ca,)), **others) == 66
    assert verify_code(case, Leave.STRENGTH, settings=TLSSettings(ca=(pki.ca,)), **others) is None
    old = TLSSettings(ca=(pki.ca,), profile="bcp195-2015")
    assert verify_code(case, settings=old, **others) is None


def test_strict_verdict_is_another_one() -> None:
    """Without key identifiers a chain passes, but not with X509_STRICT."""
    assert verify_code(_CASES["good"], strict=True) == 85
    assert verify_code(_CASES["good"]) is None


def test_long_chain_takes_several_records() -> None:
    """A message over 16 KiB is cut, and read in one."""
    case = _CASES["good"]
    extra = tuple(issue(f"extra {number}").der for number in range(60))
    assert verify_code(case, chain=(case.chain[0].der, *extra)) is None


def test_bytes_that_are_no_certificate_are_no_good() -> None:
    """In the chain they are what fails, as anchors they are nobody; neither is an exception."""
    facts = judge(question(_CASES["good"], chain=(b"\x30\x03\x02\x01\x05",)))
    assert facts is not None
    assert (facts.verify_code, classify(facts)) == (None, "tls-error")
    facts = judge(question(_CASES["good"], anchors=(b"\x30\x03\x02\x01\x05",)))
    assert facts is not None
    assert classify(facts) in ("unknown-issuer", "incomplete-chain")
