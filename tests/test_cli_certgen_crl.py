"""`dicomtls certgen crl`."""

from tests.support.authority import Certgen
from tests.support.openssl import openssl


def test_list_is_written_into_the_folder_of_the_ca(certgen: Certgen) -> None:
    """Numbered, dated, and replaced only by force."""
    document = certgen.document("crl", "--ca-dir", certgen.ca, "--days", "7")
    assert (document["number"], document["revoked"]) == (1, 0)
    assert document["files"] == [str(certgen.ca / "crl.pem")]
    assert "crl.pem exists already" in certgen.run("crl", "--ca-dir", certgen.ca, status=2)
    certgen.run("revoke", certgen.issue("ct"), "--ca-dir", certgen.ca)
    said = certgen.run("crl", "--ca-dir", certgen.ca, "--force")
    assert "number 2, 1 revoked, next update due by" in said
    assert "CRL Number" in openssl("crl", "-in", certgen.ca / "crl.pem", "-noout", "-text").stdout


def test_list_goes_where_it_is_wanted(certgen: Certgen) -> None:
    """A web server's folder, say."""
    certgen.run("crl", "--ca-dir", certgen.ca, "--out", certgen.directory / "www")
    assert certgen.files(certgen.directory / "www") == {"crl.pem"}
