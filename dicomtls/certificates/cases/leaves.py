"""One fault in the leaf: dates, name, purpose, key, signature, extensions."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from dicomtls.certificates.cases.case import Case, Purpose
from dicomtls.certificates.cases.forging import as_version_1, with_bad_signature, with_sha1
from dicomtls.certificates.cases.workshop import (
    BEGAN,
    BOTH,
    CLIENT_AUTH,
    HOSTS,
    LEAF_KEY,
    QUICK_KEY,
    SERVER_AUTH,
    WEAK_KEY,
    Authority,
    Workshop,
)

_DAY = timedelta(days=1)
_UNKNOWN = x509.ObjectIdentifier("2.25.27727419705931460798813218804814105335")
"""An arc that a UUID of our own stands for (ITU-T X.667), so that nobody else can have given it a meaning."""


def leaf_faults(shop: Workshop) -> Iterator[Case]:
    """All of them, for servers and for clients."""
    for purpose in Purpose:
        yield from _either_purpose(shop, purpose)
    yield from _names(shop)
    yield from _purposes(shop)


def _either_purpose(shop: Workshop, purpose: Purpose) -> Iterator[Case]:
    """What is the same fault on either side; the chains are the leaf alone."""
    root = shop.root
    hosts, purposes = (HOSTS, BOTH) if purpose is Purpose.SERVER else ((), (CLIENT_AUTH,))
    make = partial(shop.leaf, subject=f"Test set {purpose}", hosts=hosts, purposes=purposes)

    def case(code: str, title: str, der: bytes, *, name: str = "", key: str = LEAF_KEY) -> Case:
        return Case(name or code, title, code, (der,), root, key, purpose, purpose.host)

    yield case("expired", "expired a month ago", make(root, begins=BEGAN, ends=-30 * _DAY))
    yield case("not-yet-valid", "valid from next month on", make(root, begins=30 * _DAY))
    yield case("self-signed", "self-signed, and not among the anchors", make(None))
    yield case("unknown-issuer", "issued by an authority that is not among the anchors", make(shop.other_root))
    yield case("weak-key", "an RSA key of 1024 bits", make(root, key=WEAK_KEY), key=WEAK_KEY)
    yield case("weak-signature", "signed with SHA-1", with_sha1(make(root), root))
    yield case("bad-signature", "one bit of its signature is wrong", with_bad_signature(make(root)))
    unknown = x509.UnrecognizedExtension(_UNKNOWN, b"\x05\x00")
    yield case(
        "unknown-critical-extension",
        "a critical extension that nobody knows",
        make(root, extra=[(unknown, True)]),
    )
    yield case("key-mismatch", "the key beside it belongs to another certificate", make(root), key=QUICK_KEY)
    yield case(
        "incomplete-chain",
        "the intermediate that issued it is missing; the leaf says where it can be fetched",
        make(shop.intermediate, extra=[(_where_to_fetch(shop.intermediate), False)]),
    )
    yield case(
        "unknown-issuer",
        "the intermediate that issued it is missing, and nothing says where it is",
        make(shop.intermediate),
        name="missing-intermediate",
    )


def _names(shop: Workshop) -> Iterator[Case]:
    root = shop.root

    def case(name: str, title: str, der: bytes, host: str = "localhost") -> Case:
        return Case(name, title, "name-mismatch", (der,), root, host=host)

    yield case("name-mismatch", "made out to another name", shop.leaf(root, hosts=("other.example",)))
    yield case(
        "only-common-name",
        "its name stands in the subject alone, which does not count (RFC 9525)",
        shop.leaf(root, subject="localhost", hosts=()),
    )
    yield case(
        "address-missing", "has a name, but not the address", shop.leaf(root, hosts=("localhost",)), host="127.0.0.1"
    )
    as_name = x509.SubjectAlternativeName([x509.DNSName("127.0.0.1")])
    yield case(
        "address-as-name",
        "has the address as a DNS name, which does not count",
        shop.leaf(root, hosts=(), extra=[(as_name, False)]),
        host="127.0.0.1",
    )
    yield case(
        "wildcard-too-deep",
        "a wildcard stands for one label, not for two",
        shop.leaf(root, hosts=("*.clinic.example",)),
        host="pacs.ward.clinic.example",
    )
    yield case("version-1", "X.509 version 1, which has no names but the subject", as_version_1(shop.leaf(root), root))


def _purposes(shop: Workshop) -> Iterator[Case]:
    root = shop.root
    title = "made for a TLS {} alone"
    yield Case(
        "wrong-purpose", title.format("client"), "wrong-purpose", (shop.leaf(root, purposes=(CLIENT_AUTH,)),), root
    )
    server = shop.leaf(root, purposes=(SERVER_AUTH,))
    yield Case(
        "wrong-purpose",
        title.format("server"),
        "wrong-purpose",
        (server,),
        root,
        purpose=Purpose.CLIENT,
        host=None,
    )


def _where_to_fetch(issuer: Authority) -> x509.AuthorityInformationAccess:
    url = x509.UniformResourceIdentifier(f"http://pki.example/{issuer.name}.cer")
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url)])
