"""The whole test set as files: `index.json`, and what it names, below one folder."""

import json
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dicomtls.certificates.cases.case import Case
from dicomtls.certificates.cases.chains import chain_faults
from dicomtls.certificates.cases.good import good
from dicomtls.certificates.cases.leaves import leaf_faults
from dicomtls.certificates.cases.revocation import revocation
from dicomtls.certificates.cases.workshop import Workshop
from dicomtls.certificates.issue import CredentialFiles, PrivateKey

INDEX = "index.json"
"""Name of the file that lists the cases, as `Case.entry` has them."""


@dataclass(frozen=True)
class CaseSet:
    """Every case, and the files that they are made of."""

    cases: tuple[Case, ...]
    files: CredentialFiles

    @property
    def faults(self) -> tuple[Case, ...]:
        """Those that must be refused."""
        return tuple(case for case in self.cases if case.code is not None)


def make_cases() -> CaseSet:
    """Make all cases in memory, with keys and serial numbers that no other set has."""
    shop = Workshop()
    cases = (*good(shop), *leaf_faults(shop), *chain_faults(shop), *revocation(shop))
    return CaseSet(cases, _files(shop, cases))


def _files(shop: Workshop, cases: tuple[Case, ...]) -> CredentialFiles:
    keys = {case.key_file: _key(shop.key(case.key)) for case in cases}
    entries = [case.entry() for case in cases]
    contents = {INDEX: json.dumps(entries, indent=2, ensure_ascii=False).encode() + b"\n"}
    for case in cases:
        contents[case.file] = b"".join(map(_certificate, case.chain))
        contents[case.ca_file] = _certificate(case.ca.der)
        if case.crl is not None and case.crl_file is not None:
            contents[case.crl_file] = x509.load_der_x509_crl(case.crl.der).public_bytes(Encoding.PEM)
    return CredentialFiles({**contents, **keys}, frozenset(keys))


def _key(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
