"""`dicomtls certgen`: the group of the commands that make keys and certificates."""

from dicomtls.cli.command import Entry, LazyGroup

certgen = LazyGroup(
    "certgen",
    {
        "pki": Entry("dicomtls.cli.certgen_pki", "make a CA, a server's and a client's certificate in one go"),
        "test-set": Entry("dicomtls.cli.certgen_test_set", "make good chains and one of each fault, to test with"),
    },
    summary="Make keys and certificates.",
    examples=(
        "dicomtls certgen pki pki --name Clinic --host pacs.clinic.example",
        "dicomtls certgen pki pki --name Test --host localhost --host 127.0.0.1",
    ),
)
