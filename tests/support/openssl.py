"""The `openssl` command: another hand that makes credential files, and another opinion on those that we make."""

import subprocess
from pathlib import Path

PASSPHRASE = b"correct horse"
WRONG_PASSPHRASE = b"battery staple"
_PASSPHRASE_OPTION = f"pass:{PASSPHRASE.decode()}"


def openssl(*arguments: str | Path, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `openssl ARGUMENTS`."""
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        input=stdin,
        check=check,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
    )


def verify(certificate: Path, *options: str | Path) -> str:
    """`openssl verify -x509_strict`: what it says on both streams."""
    completed = openssl("verify", "-x509_strict", *options, certificate, check=False)
    return completed.stdout + completed.stderr


class OpenSSLFiles:
    """One EC identity in every kind of file that OpenSSL writes; what is encrypted is under `PASSPHRASE`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cert = directory / "cert.pem"
        self.key = directory / "key.pem"
        self.other_key = directory / "other.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.other_key)
        openssl("req", "-x509", "-key", self.key, "-subj", "/CN=leaf", "-days", "30", "-out", self.cert)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.convert("x509", "-in", self.cert, "-outform", "DER", name="cert.der").read_bytes()

    def convert(self, *arguments: str | Path, name: str) -> Path:
        """Run `openssl ARGUMENTS -out NAME`, unless that was done before."""
        path = self.directory / name
        if not path.exists():
            openssl(*arguments, "-out", path)
        return path

    def pkcs12(self, *options: str | Path, name: str = "identity.p12") -> Path:
        """Key and certificate in an archive, written with these further options."""
        identity = ("-in", self.cert, "-inkey", self.key, "-passout", _PASSPHRASE_OPTION)
        return self.convert("pkcs12", "-export", *identity, *options, name=name)

    def encrypted_key(self, *options: str, name: str = "encrypted.key") -> Path:
        """The key as encrypted PKCS#8, written with these further options."""
        return self.convert("pkcs8", "-topk8", "-in", self.key, "-passout", _PASSPHRASE_OPTION, *options, name=name)

    def request(self) -> Path:
        """A certificate signing request."""
        return self.convert("req", "-new", "-key", self.key, "-subj", "/CN=leaf", name="request.pem")

    def pkcs7(self, form: str = "PEM") -> Path:
        """The certificate in a PKCS#7 bundle."""
        return self.convert(
            "crl2pkcs7", "-nocrl", "-certfile", self.cert, "-outform", form, name=f"bundle.{form.lower()}.p7b"
        )
