"""Who may associate, judged by AE titles and certificates."""

import hashlib

import pytest

from dicomtls.association.contexts import ProposedContext
from dicomtls.association.establish import Rejection
from dicomtls.association.pdu import AssociateRequest
from dicomtls.association.user_information import UserInformation
from dicomtls.certificates.fields import spki_sha256
from dicomtls.errors import UsageError
from dicomtls.scp.access import AccessRules, Allowed
from dicomtls.tls import Negotiated
from dicomtls.tls.negotiated import PeerCertificate
from tests.support.pki import PKI, Identity

DIGEST = "ab" * 32
REQUEST = AssociateRequest(
    called_ae_title="PACS",
    calling_ae_title="MODALITY",
    contexts=(ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),),
    user_information=UserInformation(maximum_length=16384, implementation_class_uid="1.2.3"),
)


def shown_by(identity: Identity | None) -> Negotiated:
    """A connection on which this client certificate, or none, was shown."""
    peer = None
    if identity is not None:
        der = identity.cert_der.read_bytes()
        peer = PeerCertificate("CN=x", "CN=ca", None, None, (), (), der)
    return Negotiated(
        protocol="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        cipher_openssl="TLS_AES_256_GCM_SHA384",
        bits=256,
        group=None,
        alpn=None,
        resumed=False,
        client_certificate=None,
        verified=peer is not None,
        verified_by="chain" if peer is not None else None,
        name_matched=None,
        peer=peer,
    )


def numbers(rejection: Rejection | None) -> tuple[int, int, int] | None:
    """Result, source and reason of a rejection."""
    return None if rejection is None else (rejection.pdu.result, rejection.pdu.source, rejection.pdu.reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MODALITY", Allowed("MODALITY")),
        (" WS 1 ", Allowed("WS 1")),
        (f"MODALITY=sha256:{DIGEST}", Allowed("MODALITY", DIGEST)),
        (f"MODALITY=SHA256:{DIGEST.upper()}", Allowed("MODALITY", DIGEST)),
    ],
)
def test_allowed_is_an_ae_title_with_or_without_a_fingerprint(text: str, expected: Allowed) -> None:
    """Letters of hexadecimal digits may be of either case."""
    assert Allowed.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "A\\B",
        "SEVENTEEN-LETTERS",
        "MODALITY=",
        f"MODALITY={DIGEST}",
        f"MODALITY=sha1:{DIGEST}",
        f"MODALITY=sha256:{DIGEST[:-1]}",
        f"MODALITY=sha256:{DIGEST}0",
        f"MODALITY=sha256:{'x' * 64}",
        f"=sha256:{DIGEST}",
        f"MODALITY=sha256:{DIGEST}\n",
    ],
)
def test_allowed_that_is_none_is_refused_with_a_hint(text: str) -> None:
    """Neither an AE title nor a fingerprint is guessed at."""
    with pytest.raises(UsageError) as caught:
        Allowed.parse(text)
    assert caught.value.hints


def test_everybody_may_associate_where_there_are_no_rules() -> None:
    """The default of a server that was told nothing."""
    assert AccessRules().refuse(REQUEST, None) is None


@pytest.mark.parametrize(
    ("rules", "request_", "expected"),
    [
        (AccessRules(), REQUEST._replace(protocol_version=2), (1, 2, 2)),
        (AccessRules(), REQUEST._replace(protocol_version=3), None),
        (AccessRules(), REQUEST._replace(application_context="1.2.3"), (1, 1, 2)),
        (AccessRules(ae_title="PACS"), REQUEST, None),
        (AccessRules(ae_title="OTHER"), REQUEST, (1, 1, 7)),
        (AccessRules(ae_title="pacs"), REQUEST, (1, 1, 7)),
        (AccessRules(allowed=[Allowed("MODALITY")]), REQUEST, None),
        (AccessRules(allowed=[Allowed("OTHER"), Allowed("MODALITY")]), REQUEST, None),
        (AccessRules(allowed=[Allowed("OTHER")]), REQUEST, (1, 1, 3)),
        (AccessRules(allowed=[Allowed("MODALITY", DIGEST)]), REQUEST, (1, 1, 3)),
        (AccessRules(ae_title="OTHER", allowed=[Allowed("OTHER")]), REQUEST, (1, 1, 7)),
    ],
)
def test_request_is_judged_by_what_it_says(
    rules: AccessRules, request_: AssociateRequest, expected: tuple[int, int, int] | None
) -> None:
    """Each reason is the one that PS3.8 table 9-21 has for it."""
    rejection = rules.refuse(request_, None)
    assert numbers(rejection) == expected
    assert rejection is None or rejection.comment


def test_fingerprint_admits_the_certificate_or_its_key(pki: PKI) -> None:
    """A pin of either kind names the client; another certificate, or none, does not get in under its AE title."""
    der = pki.client.cert_der.read_bytes()
    for digest in (hashlib.sha256(der).hexdigest(), spki_sha256(der)):
        rules = AccessRules(allowed=[Allowed("MODALITY", digest), Allowed("ELSE")])
        assert rules.refuse(REQUEST, shown_by(pki.client)) is None
        for other in (shown_by(pki.client_ec), shown_by(None), None):
            assert numbers(rules.refuse(REQUEST, other)) == (1, 1, 3)
        assert rules.refuse(REQUEST._replace(calling_ae_title="ELSE"), shown_by(pki.client_ec)) is None


def test_comment_says_why_a_title_does_not_help(pki: PKI) -> None:
    """It is unknown, it wants a certificate, or another one; what `--allow` would need stands there."""
    rules = AccessRules(allowed=[Allowed("MODALITY", DIGEST)])
    fingerprint = hashlib.sha256(pki.client.cert_der.read_bytes()).hexdigest()
    comments = [
        rejection.comment if rejection is not None else None
        for rejection in (
            rules.refuse(REQUEST._replace(calling_ae_title="ELSE"), shown_by(pki.client)),
            rules.refuse(REQUEST, None),
            rules.refuse(REQUEST, shown_by(pki.client)),
        )
    ]
    assert comments == [
        "the calling AE title ELSE is not allowed",
        "the calling AE title MODALITY is allowed with its certificate only, and the client showed none",
        (
            "the calling AE title MODALITY is allowed with another certificate only: "
            f"this one is CN=x, sha256:{fingerprint}"
        ),
    ]


def test_fingerprint_belongs_to_its_own_ae_title(pki: PKI) -> None:
    """The right certificate under another's AE title is not enough."""
    digest = hashlib.sha256(pki.client.cert_der.read_bytes()).hexdigest()
    rules = AccessRules(allowed=[Allowed("OTHER", digest), Allowed("MODALITY", DIGEST)])
    assert numbers(rules.refuse(REQUEST, shown_by(pki.client))) == (1, 1, 3)


def test_several_fingerprints_admit_one_ae_title(pki: PKI) -> None:
    """While a certificate is being renewed both are good."""
    digests = [hashlib.sha256(one.cert_der.read_bytes()).hexdigest() for one in (pki.client, pki.client_ec)]
    rules = AccessRules(allowed=[Allowed("MODALITY", digest) for digest in digests])
    assert rules.refuse(REQUEST, shown_by(pki.client)) is None
    assert rules.refuse(REQUEST, shown_by(pki.client_ec)) is None
