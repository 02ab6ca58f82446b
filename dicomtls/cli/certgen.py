"""`dicomtls certgen`: the group of the commands that make keys and certificates."""

from dicomtls.cli.command import Entry, LazyGroup

certgen = LazyGroup(
    "certgen",
    {
        "pki": Entry("dicomtls.cli.certgen_pki", "make a CA, a server's and a client's certificate in one go"),
        "ca": Entry("dicomtls.cli.certgen_ca", "make a certificate authority: a root, or one below another"),
        "issue": Entry("dicomtls.cli.certgen_issue", "make a key and a certificate for one device"),
        "self-signed": Entry("dicomtls.cli.certgen_self_signed", "make a certificate that peers trust by itself"),
        "request": Entry("dicomtls.cli.certgen_request", "make a key and a request (CSR) for somebody else's CA"),
        "sign": Entry("dicomtls.cli.certgen_sign", "sign a device's request (CSR)"),
        "renew": Entry("dicomtls.cli.certgen_renew", "issue a certificate again, with the same key or a new one"),
        "revoke": Entry("dicomtls.cli.certgen_revoke", "take a certificate back"),
        "crl": Entry("dicomtls.cli.certgen_crl", "write the list of the certificates that were taken back"),
        "bundle": Entry("dicomtls.cli.certgen_bundle", "put certificates together: a chain in order, PKCS#12, DER"),
        "test-set": Entry("dicomtls.cli.certgen_test_set", "make good chains and one of each fault, to test with"),
    },
    summary="Make keys and certificates.",
    examples=(
        "dicomtls certgen pki pki --name Clinic --host pacs.clinic.example",
        "dicomtls certgen issue --ca-dir pki --name ct2 --host ct2.example --out ct2",
        "dicomtls certgen renew pki/server.pem --ca-dir pki --force",
    ),
)
