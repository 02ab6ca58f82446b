"""Every finding about a chain: first what a real handshake would say of it, then all the rest.

The verdict is OpenSSL's, from the very context that a handshake has. After an error it is asked again without that
check, so that the faults behind the first are seen too, in OpenSSL's own order.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from dicomtls.certificates.chain import Arrangement, arrange
from dicomtls.certificates.checks import flaws, name_of, remarks, time_flaws
from dicomtls.certificates.culprits import constraining, with_unknown_critical_extension, wrongly_signed
from dicomtls.certificates.describe import CertificateDescription, permits_client, permits_server
from dicomtls.certificates.fields import CertificateFields
from dicomtls.certificates.findings import Finding, Severity
from dicomtls.certificates.issuer_flaws import issuer_flaws
from dicomtls.diagnosis.causes import cause_of
from dicomtls.diagnosis.handshake import CRL_SIGNATURE_FAILURE, classify
from dicomtls.errors import UsageError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.profiles import find_profile
from dicomtls.tls.negotiated import PeerCertificate
from dicomtls.tls.server_name import is_host_name
from dicomtls.tls.settings import TLSSettings
from dicomtls.tls.verdict import Leave, Question, judge


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a chain is held against; what is None, or empty, is not checked, and a finding says so.

    `settings` has trust anchors, CRLs and profile; what they say of pins, of trust on first use and of not verifying is
    about connections, and makes nothing right here. Without anchors the topmost certificate that is there is taken for
    good, so everything below it is still checked. `host` is the name or address of the server whose leaf it is,
    `purpose` "server" or "client". `key_digests` are `spki_sha256` of the keys of which one must be the leaf's;
    `minimum_days` is what must be left of every certificate that counts.
    """

    settings: TLSSettings = field(default_factory=TLSSettings)
    host: str | None = None
    purpose: str | None = None
    key_digests: tuple[str, ...] = ()
    minimum_days: int | None = None


@dataclass(frozen=True)
class Inspection:
    """The certificates, how they hang together, and what was noticed: errors first, the verdict's before all."""

    certificates: tuple[CertificateDescription, ...]
    arrangement: Arrangement
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a handshake would fail, the key is another's, or fewer days are left than there should be."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def days_left(self) -> int | None:
        """Of the certificate that expires first, among those that count; None where no date can be read."""
        places = self.arrangement.path if self.arrangement.is_chain else range(len(self.certificates))
        days = [self.certificates[place].days_left for place in places]
        return min((number for number in days if number is not None), default=None)


def inspect_certificates(
    certificates: Sequence[CertificateDescription],
    expectation: Expectation,
    *,
    leaf: int | None = None,
) -> Inspection:
    """Collect every finding about certificates, one at least, in the order in which they were presented.

    `leaf` is the place of the leaf where it is known. Raises `CredentialError` and `UsageError` where the trust
    anchors, the CRLs or the profile cannot be had, or the host is none.
    """
    if expectation.host is not None and not is_host_name(expectation.host.removesuffix(".")):
        msg = f"not a name that a server can have: {expectation.host!r}"
        raise UsageError(msg, hints=("a host is a DNS name (pacs.example) or an IP address, without a port",))
    moment = datetime.now(UTC)
    keyed = [place for place, one in enumerate(certificates) if one.spki_sha256 in expectation.key_digests]
    arrangement = arrange(certificates, leaf=leaf if leaf is not None or not keyed else keyed[0])
    found: list[Finding] = []
    if arrangement.is_chain:
        found += [*_Verifier(certificates, arrangement, expectation, moment).findings()]
    else:
        found += [*time_flaws(certificates, moment), _collection(len(certificates))]
    found += _key_mismatch(certificates, arrangement, expectation)
    found += _too_old(certificates, arrangement, expectation)
    found += remarks(certificates, arrangement)
    unique = {(finding.code, finding.certificate): finding for finding in reversed(found)}
    kept = [finding for finding in found if unique[finding.code, finding.certificate] is finding]
    order = list(Severity)
    kept.sort(key=lambda finding: order.index(finding.severity))
    return Inspection(tuple(certificates), arrangement, tuple(kept))


def _key_mismatch(
    certificates: Sequence[CertificateDescription], arrangement: Arrangement, expectation: Expectation
) -> Iterator[Finding]:
    leaf = arrangement.path[0]
    if expectation.key_digests and certificates[leaf].spki_sha256 not in expectation.key_digests:
        message = "the private key does not belong to the certificate"
        hints = ("look for the key that the certificate was requested with, or request a new certificate",)
        yield Finding("key-mismatch", Severity.ERROR, message, leaf, hints)


def _too_old(
    certificates: Sequence[CertificateDescription], arrangement: Arrangement, expectation: Expectation
) -> Iterator[Finding]:
    if expectation.minimum_days is None:
        return
    for place in arrangement.path if arrangement.is_chain else range(len(certificates)):
        left = certificates[place].days_left
        if left is not None and left < expectation.minimum_days:
            message = f"{certificates[place].subject} has {left} days left, fewer than {expectation.minimum_days}"
            yield Finding("expires-soon", Severity.ERROR, message, place, ("it must be renewed",))


def _collection(count: int) -> Finding:
    return Finding("not-checked-chain", Severity.INFO, f"{count} certificates that form no chain: none was verified")


_LEAVE: Final = {
    "expired": Leave.TIMES,
    "not-yet-valid": Leave.TIMES,
    "name-mismatch": Leave.NAME,
    "weak-key": Leave.STRENGTH,
    "weak-signature": Leave.STRENGTH,
    "revoked": Leave.REVOCATION,
    "crl-missing": Leave.REVOCATION,
    "crl-expired": Leave.REVOCATION,
    "unknown-critical-extension": Leave.CRITICAL_EXTENSIONS,
}
# X509_V_ERR_SUBTREE_MINMAX, _UNSUPPORTED_CONSTRAINT_TYPE and _UNSUPPORTED_CONSTRAINT_SYNTAX.
_CONSTRAINT_NOT_KNOWN: Final = frozenset({49, 51, 52})
NAMESAKE: Final = (
    "an authority of that name is among the trust anchors, with another key: it has a new one by now, or is another's"
)
"""The hint where it is not the name of the issuer that is unknown."""
_TOO_LONG: Final = "the certificates are longer than what OpenSSL takes from anybody (100 KiB)"
_TOO_LONG_HINTS: Final = ("leave out what is no part of the chain, or have them issued with fewer names",)
_WRONGLY_SIGNED: Final = "bears a signature that is not its issuer's"
# What is said where none of the certificates at hand has the fault, so that an anchor must have it.
_ANCHOR_FAULTS: Final = {
    "expired": "an authority among the trust anchors has expired",
    "not-yet-valid": "an authority among the trust anchors is not valid yet",
    "weak-key": "an authority among the trust anchors has a key that is too small",
    "weak-signature": "an authority among the trust anchors is signed with a hash that is too weak",
    "invalid-ca": "an authority among the trust anchors may not issue certificates (basicConstraints, keyUsage)",
    "wrong-purpose": "an authority among the trust anchors may not issue for a TLS {role}",
    "path-length-exceeded": "the chain is longer than an authority among the trust anchors allows (path length)",
    "unknown-critical-extension": (
        "an authority among the trust anchors has a critical extension that OpenSSL does not know"
    ),
}
_NO_ANCHOR: Final = frozenset({"unknown-issuer", "incomplete-chain", "self-signed"})
# Hints of a handshake that mean nothing where a file is looked at.
_HINTS: Final = {
    "name-mismatch": (
        "it must be issued anew with that name: dicomtls certgen issue --host NAME",
        "or connect with --server-name and a name that it has",
    ),
    "self-signed": ("if you know it for the right one, give that certificate with --ca",),
    "unknown-issuer": (
        "give the certificate of the authority that issued it with --ca",
        "if an intermediate is missing in between, the file, or the peer's chain, must have it too",
    ),
    "incomplete-chain": (
        "give the root, or the missing intermediate, with --ca",
        "better: let the whole chain be sent: dicomtls certgen bundle",
    ),
}


def _leave(code: str, facts: HandshakeFacts) -> Leave:
    """What to leave out to see behind this fault; nothing where that cannot be."""
    return Leave.REVOCATION if facts.verify_code == CRL_SIGNATURE_FAILURE else _LEAVE.get(code, Leave.NOTHING)


class _Verifier:
    """One chain against one expectation."""

    def __init__(
        self,
        certificates: Sequence[CertificateDescription],
        arrangement: Arrangement,
        expectation: Expectation,
        now: datetime,
    ) -> None:
        self._certificates = certificates
        self._path = arrangement.path
        self._expectation = expectation
        self._now = now
        self._leaf = certificates[self._path[0]]
        self._role = expectation.purpose or self._likely_role()
        order = range(len(certificates)) if self._path[0] == 0 else (*self._path, *arrangement.extra)
        anchors = () if expectation.settings.ca else (certificates[self._path[-1]].der,)
        self._question = Question(
            chain=tuple(certificates[place].der for place in order),
            role=self._role,
            settings=expectation.settings,
            has_rsa_key=self._leaf.key_type not in {"EC", "Ed25519", "Ed448"},
            reference=expectation.host if self._role == "server" else None,
            anchors=anchors,
        )

    def findings(self) -> Iterator[Finding]:
        """Yield the verdict's errors, the others, what strict verifiers say, and what was not checked."""
        errors = list(self._verdicts())
        yield from errors
        told = {finding.code for finding in errors}
        already = {(finding.code, finding.certificate) for finding in errors}
        if errors and "name-mismatch" not in told:
            yield from self._name_flaw()
        for flaw in self._flaws(self._expectation.purpose):
            # What OpenSSL accepts makes no handshake fail: an expired root above a trusted intermediate, say.
            is_weakness = _LEAVE.get(flaw.code) is Leave.STRENGTH
            tolerated = not errors or (
                is_weakness and not find_profile(self._expectation.settings.profile).security_level
            )
            severity = Severity.WARNING if tolerated else Severity.ERROR
            if (flaw.code, flaw.certificate) not in already:
                yield replace(flaw, severity=severity)
        yield from self._strict(told)
        yield from self._not_checked()

    def _likely_role(self) -> str:
        is_client_only = permits_client(self._leaf.der) and not permits_server(self._leaf.der)
        return "client" if is_client_only and self._expectation.host is None else "server"

    def _verdicts(self) -> Iterator[Finding]:
        question, leave = self._question, Leave.NOTHING
        while (facts := judge(question, leave=leave)) is not None:
            code = classify(facts)
            if code != "wrong-purpose" or self._expectation.purpose or self._expectation.host:
                yield self._finding(code, facts)
            if code in _NO_ANCHOR and not question.anchors:
                question = replace(question, anchors=(self._certificates[self._path[-1]].der,))
            elif (unasked := _leave(code, facts)) & ~leave:
                leave |= unasked
            elif code == "wrong-purpose" and question.role == self._role and self._suits_the_other_role():
                # The only way to see what is behind a wrong purpose: the purpose cannot be left out.
                question = replace(question, role="client" if self._role == "server" else "server", reference=None)
            else:
                return

    def _suits_the_other_role(self) -> bool:
        return (permits_client if self._role == "server" else permits_server)(self._leaf.der)

    def _name_flaw(self) -> Iterator[Finding]:
        """The name, where OpenSSL did not come to look at it."""
        host = self._question.reference
        if host is not None and not PeerCertificate.of(self._leaf).matches(host):
            yield self._finding("name-mismatch", HandshakeFacts(reference_name=host, chain_der=self._question.chain))

    def _flaws(self, purpose: str | None) -> Iterator[Finding]:
        yield from flaws(self._certificates, self._path, purpose=purpose, now=self._now)
        yield from issuer_flaws(self._certificates, self._path, purpose=purpose)

    def _finding(self, code: str, facts: HandshakeFacts) -> Finding:
        """What OpenSSL said, about the first certificate that has this fault by our own eyes."""
        cause = cause_of(code)
        if facts.verify_code == CRL_SIGNATURE_FAILURE:
            return Finding(code, Severity.ERROR, cause.message(facts), None, cause.hints(facts))
        if facts.reason == "EXCESSIVE_MESSAGE_SIZE":
            return Finding(code, Severity.ERROR, _TOO_LONG, None, _TOO_LONG_HINTS)
        flaw = next((flaw for flaw in self._flaws(self._role) if flaw.code == code), None)
        if flaw is not None:
            return flaw
        place = self._culprit(code, facts)
        message = re.sub(r"\b(peer|client)'s (?=certificate)", "", cause.message(facts))
        if code == "bad-signature":
            message = f"{name_of(self._certificates[place or 0], place or 0, self._path)} {_WRONGLY_SIGNED}"
        elif place is not None and facts.verify_code in _CONSTRAINT_NOT_KNOWN:
            named = name_of(self._certificates[place], place, self._path)
            message = f"{named} has name constraints that OpenSSL cannot compare: {facts.verify_message}"
        elif place is None and code in _ANCHOR_FAULTS:
            message = _ANCHOR_FAULTS[code].format(role=self._role)
        hints = _HINTS.get(code) or cause.hints(facts)
        if code in _NO_ANCHOR and self._has_namesake_of_issuer():
            hints = (NAMESAKE, *hints)
        return Finding(code, Severity.ERROR, message, place, hints)

    def _has_namesake_of_issuer(self) -> bool:
        """Whether an anchor has the name of the issuer that is missing: then it is its key that is another."""
        from dicomtls.certificates.load import load_certificates

        settings, top = self._expectation.settings, self._certificates[self._path[-1]]
        anchors = (der for path in settings.ca for der in load_certificates(path, settings.passphrase))
        issuer = CertificateFields.parse(top.der).issuer
        return not top.self_signed and any(CertificateFields.parse(der).subject == issuer for der in anchors)

    def _culprit(self, code: str, facts: HandshakeFacts) -> int | None:
        """Where the fault is; None where it is in none of these certificates: in an anchor, or in a revocation list."""
        if code in {"unknown-issuer", "incomplete-chain"}:
            return self._path[-1]
        if code == "bad-signature":
            return wrongly_signed(self._certificates, self._path)
        if code == "unknown-critical-extension":
            return with_unknown_critical_extension(self._certificates, self._path)
        if facts.verify_code in _CONSTRAINT_NOT_KNOWN:
            return constraining(self._certificates, self._path)
        return None if code in _ANCHOR_FAULTS or code == "crl-expired" else self._path[0]

    def _strict(self, told: set[str]) -> Iterator[Finding]:
        if self._question.anchors and len(self._path) == 1 and not self._leaf.self_signed:
            return  # an anchor that is nobody's: what is said of it would be said of our own assumption
        leave = Leave.TIMES | Leave.NAME | Leave.STRENGTH | Leave.REVOCATION | Leave.CRITICAL_EXTENSIONS
        anchors = self._question.anchors or ((self._certificates[self._path[-1]].der,) if told & _NO_ANCHOR else ())
        question = replace(self._question, anchors=anchors)
        if judge(question, leave=leave) is not None:
            return
        facts = judge(question, leave=leave, strict=True)
        if facts is None or facts.verify_code is None:
            return
        code = _STRICT_CODES.get(facts.verify_code, "strict-verifier")
        message = f"strict verifiers refuse it (openssl -x509_strict, Python 3.13): {facts.verify_message}"
        hints = ("it, or its authority's certificate, must be issued anew: dicomtls certgen makes what they take",)
        yield Finding(code, Severity.WARNING, message, None, hints)

    def _not_checked(self) -> Iterator[Finding]:
        expectation = self._expectation
        if not expectation.settings.ca:
            whose = "self-signed" if self._leaf.self_signed else "issued by " + self._top_issuer()
            message = f"the chain up to a trust anchor ({whose}) was not checked"
            yield Finding("not-checked-chain", Severity.INFO, message, None, ("give the trust anchors with --ca",))
        if not expectation.settings.crl:
            message = "revocation was not checked"
            yield Finding("not-checked-revocation", Severity.INFO, message, None, ("give the CA's list with --crl",))
        if expectation.host is None and self._role == "server":
            message = "the name was not checked"
            yield Finding("not-checked-name", Severity.INFO, message, None, ("give the name with --host",))
        if expectation.purpose is None and expectation.host is None:
            message = "the purpose was not checked"
            hints = ("give --purpose server or --purpose client",)
            yield Finding("not-checked-purpose", Severity.INFO, message, None, hints)

    def _top_issuer(self) -> str:
        return self._certificates[self._path[-1]].issuer


# X509_V_ERR_… that only X509_STRICT gives (OpenSSL 3.0 on).
_STRICT_CODES: Final = {
    79: "strict-invalid-ca",
    80: "strict-path-length",
    81: "strict-path-length",
    82: "strict-key-usage",
    83: "strict-empty-issuer",
    84: "strict-empty-subject",
    85: "strict-no-authority-key-identifier",
    86: "strict-no-subject-key-identifier",
    87: "strict-empty-alternative-name",
    88: "strict-alternative-name-not-critical",
    89: "strict-basic-constraints-not-critical",
    90: "strict-authority-key-identifier-critical",
    91: "strict-subject-key-identifier-critical",
    92: "strict-no-key-usage",
    93: "strict-version",
    94: "strict-explicit-parameters",
}
