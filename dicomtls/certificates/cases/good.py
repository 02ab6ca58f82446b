"""Chains that must pass: every type of key, and what looks odd but is right."""

from collections.abc import Iterator
from dataclasses import replace

from cryptography import x509

from dicomtls.certificates.building import key_usage
from dicomtls.certificates.cases.case import Case, Purpose
from dicomtls.certificates.cases.forging import as_version_1
from dicomtls.certificates.cases.workshop import BOTH, CLIENT_AUTH, SERVER_AUTH, Workshop
from dicomtls.certificates.issue import KeyType


def good(shop: Workshop) -> Iterator[Case]:
    """All of them."""
    for kind in KeyType:
        yield from _of_kind(shop, kind.replace(":", "-"))
    yield from _odd_leaves(shop)
    yield from _odd_chains(shop)
    yield from _odd_authorities(shop)
    yield from _odd_clients(shop)


def _of_kind(shop: Workshop, key: str) -> Iterator[Case]:
    root, middle = shop.root, shop.intermediate
    for issuer, sent, suffix, title in (
        (root, (), "", f"a good leaf with the key {key}, issued by the root"),
        (middle, (middle.der,), "-chain", f"a good leaf with the key {key}, and the intermediate that issued it"),
    ):
        server = shop.leaf(issuer, key=key)
        client = shop.leaf(issuer, key=key, subject="Test set client", hosts=(), purposes=(CLIENT_AUTH,))
        name = f"good-{key}{suffix}"
        yield Case(name, title, None, (server, *sent), root, key)
        yield Case(name, title, None, (client, *sent), root, key, Purpose.CLIENT, host=None)


def _odd_leaves(shop: Workshop) -> Iterator[Case]:
    root = shop.root

    def case(name: str, title: str, der: bytes, host: str = "localhost") -> Case:
        return Case(name, title, None, (der,), root, host=host)

    yield case("server-purpose-only", "a good leaf for servers alone", shop.leaf(root, purposes=(SERVER_AUTH,)))
    yield case("ip-address", "a leaf that has the address of its host", shop.leaf(root), host="127.0.0.1")
    wildcard = shop.leaf(root, hosts=("*.clinic.example",))
    yield case("wildcard", "a leaf for every host of a domain", wildcard, host="pacs.clinic.example")
    yield case(
        "no-subject", "a leaf whose name stands in the subject alternative name only", shop.leaf(root, subject="")
    )
    yield case(
        "other-common-name",
        "a leaf with another name in its subject, which does not count",
        shop.leaf(root, subject="other.example"),
    )


def _odd_chains(shop: Workshop) -> Iterator[Case]:
    root, middle = shop.root, shop.intermediate
    upper = shop.authority("upper", root, path_length=1)
    lower = shop.authority("lower", upper, path_length=0)
    leaf, deep = shop.leaf(middle), shop.leaf(lower)
    yield Case("two-intermediates", "a chain of two intermediates, in order", None, (deep, lower.der, upper.der), root)
    yield Case("wrong-order", "the same intermediates the wrong way round", None, (deep, upper.der, lower.der), root)
    for purpose in Purpose:
        title = "the leaf stands behind its issuer in the file: OpenSSL takes the first for it, dicomtls the key's own"
        chain = (middle.der, shop.leaf(middle, subject=f"Test set {purpose}"))
        yield Case("leaf-last", title, None, chain, root, purpose=purpose, host=purpose.host)
    yield Case("root-sent", "the root is sent along, which is useless", None, (leaf, middle.der, root.der), root)
    yield Case(
        "extra-certificate",
        "an authority that has nothing to do with it is sent along",
        None,
        (leaf, middle.der, shop.other_root.der),
        root,
    )
    yield Case("intermediate-trusted", "the anchor is the intermediate itself", None, (leaf,), middle)
    device = shop.leaf(None, subject="Test set device")
    anchor = replace(root, name="device", der=device)
    yield Case("self-signed-trusted", "a self-signed leaf that is the anchor itself", None, (device,), anchor)


def _odd_authorities(shop: Workshop) -> Iterator[Case]:
    # The same name and key as the root, so that its leaves are issued as the root issues them.
    root = shop.root
    old = replace(root, name="root-version-1", der=as_version_1(root.der, root))
    yield Case("version-1-root", "the root is X.509 version 1, as old ones are", None, (shop.leaf(old),), old)
    extensions = [(key_usage("key_cert_sign", "crl_sign"), True)]
    der = shop.certificate("Test set root without basicConstraints", root.key, None, extensions)
    bare = replace(root, name="root-without-basic-constraints", der=der)
    yield Case(
        "root-without-basic-constraints",
        "the root has keyUsage keyCertSign, but no basicConstraints",
        None,
        (shop.leaf(bare),),
        bare,
    )
    names = x509.NameConstraints(permitted_subtrees=[x509.DNSName("localhost")], excluded_subtrees=None)
    narrow = shop.authority("names-permitted", root, path_length=0, extra=[(names, True)])
    leaf = shop.leaf(narrow, hosts=("localhost",))
    yield Case("names-permitted", "an intermediate that may give this very name", None, (leaf, narrow.der), root)


def _odd_clients(shop: Workshop) -> Iterator[Case]:
    root = shop.root
    both = shop.leaf(root, subject="Test set client", purposes=BOTH)
    yield Case("both-purposes", "a good leaf for both purposes", None, (both,), root, purpose=Purpose.CLIENT, host=None)
    old = as_version_1(shop.leaf(root, subject="Test set client"), root)
    yield Case(
        "version-1",
        "a leaf of X.509 version 1, which cannot say its purpose",
        None,
        (old,),
        root,
        purpose=Purpose.CLIENT,
        host=None,
    )
