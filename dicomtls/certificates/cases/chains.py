"""One fault in an authority, or in what is sent: the leaf is good."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

from cryptography import x509

from dicomtls.certificates.cases.case import Case, Purpose
from dicomtls.certificates.cases.forging import as_version_1, with_bad_signature, with_sha1
from dicomtls.certificates.cases.workshop import (
    AUTHORITY_KEY,
    CLIENT_AUTH,
    WEAK_KEY,
    Authority,
    Workshop,
)

_EXPIRED = timedelta(days=-30)


def chain_faults(shop: Workshop) -> Iterator[Case]:
    """All of them; those that matter most for clients too."""
    yield from _authorities(shop)
    yield from _no_authorities(shop)
    yield from _too_long(shop)
    yield from _name_constraints(shop)
    yield from _anchors(shop)


def _below(shop: Workshop, code: str) -> Callable[..., Case]:
    """A case whose leaf was issued by the authority given, which is sent along."""

    def case(name: str, title: str, issuer: Authority, *more: bytes, hosts: Sequence[str] = ("localhost",)) -> Case:
        chain = (shop.leaf(issuer, hosts=hosts), issuer.der, *more)
        return Case(name, title, code, chain, shop.root, host=hosts[0])

    return case


def _authorities(shop: Workshop) -> Iterator[Case]:
    root = shop.root
    expired = shop.authority("expired", root, ends=_EXPIRED)
    yield _below(shop, "expired")("expired-intermediate", "the intermediate expired a month ago", expired)
    weak = shop.authority("weak", root, key_kind=WEAK_KEY)
    yield _below(shop, "weak-key")("weak-intermediate", "the intermediate has an RSA key of 1024 bits", weak)
    old = shop.authority("sha1", root)
    old = replace(old, der=with_sha1(old.der, root))
    yield _below(shop, "weak-signature")("sha1-intermediate", "the intermediate is signed with SHA-1", old)
    bad = shop.authority("bad-signature", root)
    bad = replace(bad, der=with_bad_signature(bad.der))
    yield _below(shop, "bad-signature")("bad-intermediate", "one bit of the intermediate's signature is wrong", bad)
    narrow = shop.authority("clients-only", root, extra=[(x509.ExtendedKeyUsage([CLIENT_AUTH]), False)])
    yield _below(shop, "wrong-purpose")("wrong-intermediate", "the intermediate may issue for clients alone", narrow)


def _no_authorities(shop: Workshop) -> Iterator[Case]:
    root = shop.root
    case = _below(shop, "invalid-ca")
    yield case(
        "not-a-ca", "its issuer is no CA (basicConstraints says so)", shop.authority("not-a-ca", root, is_ca=False)
    )
    plain = shop.key(f"bare {AUTHORITY_KEY}")
    der = shop.certificate("Test set bare", plain, root, ())
    yield case(
        "no-basic-constraints", "its issuer has neither basicConstraints nor keyUsage", Authority("bare", der, plain)
    )
    yield case(
        "version-1-intermediate",
        "the intermediate is X.509 version 1, which cannot say that it is a CA",
        Authority("version-1", as_version_1(der, root), plain),
    )
    yield case(
        "no-key-cert-sign",
        "the intermediate's keyUsage does not allow it to sign certificates",
        shop.authority("no-key-cert-sign", root, usages=("crl_sign",)),
    )


def _too_long(shop: Workshop) -> Iterator[Case]:
    upper = shop.authority("short", shop.root, path_length=0)
    lower = shop.authority("too-deep", upper)
    yield _below(shop, "path-length-exceeded")(
        "path-length-exceeded", "an intermediate below one with path length 0", lower, upper.der
    )


def _name_constraints(shop: Workshop) -> Iterator[Case]:
    case = _below(shop, "name-not-permitted")

    def issuer(
        name: str, permitted: x509.GeneralName | None = None, excluded: x509.GeneralName | None = None
    ) -> Authority:
        constraints = x509.NameConstraints([permitted] if permitted else None, [excluded] if excluded else None)
        return shop.authority(name, shop.root, path_length=0, extra=[(constraints, True)])

    clinic = issuer("clinic-only", x509.DNSName("clinic.example"))
    yield case("name-not-permitted", "the intermediate may only give names below clinic.example", clinic)
    excluding = issuer("excluding", excluded=x509.DNSName("localhost"))
    yield case("name-excluded", "the intermediate may give any name but localhost", excluding)
    network = issuer("network-only", x509.IPAddress(ip_network("192.0.2.0/24")))
    yield case(
        "address-not-permitted",
        "the intermediate may only give addresses in 192.0.2.0/24",
        network,
        hosts=("127.0.0.1",),
    )
    number = x509.RegisteredID(x509.ObjectIdentifier("2.25.1"))
    numbers = issuer("numbers-only", number)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), number])
    leaf = shop.leaf(numbers, hosts=(), extra=[(names, False)])
    yield Case(
        "constraint-not-known",
        "the intermediate constrains a kind of name (registered identifiers) that OpenSSL does not compare",
        "certificate-refused",
        (leaf, numbers.der),
        shop.root,
    )


def _anchors(shop: Workshop) -> Iterator[Case]:
    root, middle, other = shop.root, shop.intermediate, shop.other_root
    yield Case(
        "unknown-root",
        "the chain ends in another root, which is sent too",
        "unknown-issuer",
        (shop.leaf(other), other.der),
        root,
    )
    upper = shop.authority("unsent", root)
    lower = shop.authority("lowest", upper)
    for purpose in Purpose:
        leaf = shop.leaf(lower, subject=f"Test set {purpose}")
        yield Case(
            "missing-upper-intermediate",
            "of two intermediates the upper one is missing",
            "incomplete-chain",
            (leaf, lower.der),
            root,
            purpose=purpose,
            host=purpose.host,
        )
    expired = shop.authority("expired-root", ends=_EXPIRED)
    yield Case("expired-root", "the anchor itself expired a month ago", "expired", (shop.leaf(expired),), expired)
    weak = shop.authority("weak-root", key_kind=WEAK_KEY)
    yield Case("weak-root", "the anchor has an RSA key of 1024 bits", "weak-key", (shop.leaf(weak),), weak)
    mute = shop.authority("mute-root", usages=("crl_sign",))
    title = "the anchor's keyUsage does not allow it to sign certificates"
    yield Case("root-no-key-cert-sign", title, "invalid-ca", (shop.leaf(mute),), mute)
    leaf = shop.leaf(middle)
    yield Case(
        "other-anchor", "a good chain, where another root is trusted", "incomplete-chain", (leaf, middle.der), other
    )
