"""Certificates from files of any kind, put together again: a chain in the right order, DER, PKCS#12."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dicomtls.certificates.building import PrivateKey, is_authority
from dicomtls.certificates.fields import spki_sha256
from dicomtls.certificates.issue import CredentialFiles, Issued, certificate_files, der_of, identity_files
from dicomtls.certificates.load import chain_order, check_count, load_certificates, load_identity, parse_certificates
from dicomtls.certificates.passphrase import Passphrase
from dicomtls.errors import CredentialError


def bundle_chain(paths: Sequence[Path], name: str, *, der: bool, passphrase: Passphrase | None) -> CredentialFiles:
    """Lay out `NAME.pem`, leaf first and each issuer behind what it issued, and with `der` the leaf as `NAME.der`.

    Raises `CredentialError`, also where the certificates belong to more than one leaf.
    """
    certificates = _newest([*dict.fromkeys(_certificates(paths, passphrase))])
    return _files(chain_order(_leaf(certificates), certificates), name, der=der)


def bundle_identity(
    paths: Sequence[Path],
    key: Path | None,
    name: str,
    *,
    der: bool,
    passphrase: Passphrase | None,
    secret: bytes | None,
) -> CredentialFiles:
    """Lay out the chain, the key and a PKCS#12 archive of them, encrypted under `secret` where there is one.

    `key` is None where the first file holds it. Raises `CredentialError`, `UsageError`.
    """
    identity = load_identity(paths[0], key, passphrase)
    private = cast("PrivateKey", load_pem_private_key(identity.key_pem, identity.key_passphrase))
    leaf, *rest = parse_certificates(identity.chain_der, paths[0])
    chain = chain_order(leaf, _newest([leaf, *rest, *_certificates(paths[1:], passphrase)]))
    issued = Issued(leaf, private, tuple(chain[1:]))
    return identity_files(issued, name, passphrase=secret, pkcs12=True) | _files(chain, name, der=der)


def load_leaf(path: Path) -> x509.Certificate:
    """The leaf of a file's chain; raises `CredentialError`, also for a folder."""
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
        msg = f"{path} is a folder"
        raise CredentialError(msg, hints=("name the certificate's file in it",))
    return _leaf(parse_certificates(load_certificates(path), path))


def _certificates(paths: Sequence[Path], passphrase: Passphrase | None) -> Iterator[x509.Certificate]:
    for path in paths:
        ders = load_certificates(path, passphrase)
        check_count(path, len(ders), "certificates")
        yield from parse_certificates(ders, path)


def _files(chain: Sequence[x509.Certificate], name: str, *, der: bool) -> CredentialFiles:
    leaf, *others = chain
    files = certificate_files(leaf, others, name)
    return files | CredentialFiles({f"{name}.der": der_of(leaf)}, frozenset()) if der else files


def _newest(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Leave out a CA's certificate where the renewed one is there too: same CA, same key, same issuer."""
    kept: dict[object, x509.Certificate] = {}
    for one in certificates:
        der = der_of(one)
        known_by = (one.subject, one.issuer, spki_sha256(der)) if _is_authority(one) else der
        before = kept.get(known_by)
        if before is None or one.not_valid_after_utc > before.not_valid_after_utc:
            kept[known_by] = one
    return list(kept.values())


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return is_authority(certificate)
    except CredentialError:  # damaged: it is kept as it is
        return False


def _leaf(certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """The one that issued none of the others."""
    issuers = {one.issuer for one in certificates if one.issuer != one.subject}
    leaves = [one for one in certificates if one.subject not in issuers]
    if len(leaves) != 1:
        found = "no leaf" if not leaves else f"{len(leaves)} certificates that issued none of the others"
        msg = f"these files hold {found}, so they make no chain"
        raise CredentialError(msg, hints=("give the files of one chain: a leaf and the CAs above it",))
    return leaves[0]
