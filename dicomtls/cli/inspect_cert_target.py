"""One target of inspect-cert after the other: a file, a folder or a peer, read, inspected and reported."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dicomtls.cli.inspect_cert_folder import Row, table
from dicomtls.cli.inspect_cert_view import inspection_lines, other_lines
from dicomtls.cli.output import Output
from dicomtls.cli.running import Report, interruptible, run
from dicomtls.errors import CredentialError, ExitStatus, HandshakeError, NetworkError, UsageError
from dicomtls.peer import DEFAULT_CALLING_AE_TITLE, Peer

if TYPE_CHECKING:
    from dicomtls.certificates.findings import Finding
    from dicomtls.certificates.inventory import Inventory, KeyDescription
    from dicomtls.cli.options.peer import KnownPeers
    from dicomtls.diagnosis.inspection import Inspection
    from dicomtls.tls import TLSSettings


@dataclass
class Inspector:
    """What a command line asks of each of its targets."""

    out: Output
    settings: "TLSSettings"
    known: "KnownPeers"
    host: str | None
    purpose: str | None
    key: Path | None
    min_days: int | None
    save: Path | None
    force: bool = field(kw_only=True)
    timeout: float = field(kw_only=True)

    def run(self, targets: Sequence[str]) -> int:
        """Inspect all targets; the exit status is the highest of theirs."""
        statuses = [self._run_one(target, is_first=number == 0) for number, target in enumerate(targets)]
        return max(statuses)

    def _run_one(self, target: str, *, is_first: bool) -> int:
        report = Report()

        def body(so_far: Report) -> None:
            nonlocal report
            report = so_far
            so_far.values.update(target=target, kind=None, certificates=[], findings=[])
            self._inspect(target, so_far)

        if not is_first:
            self.out.line("")
        status = run(self.out, body)
        return status or (ExitStatus.REFUSED if report.values.get("ok") is False else ExitStatus.SUCCESS)

    def _inspect(self, target: str, report: Report) -> None:
        if not target:
            msg = "the target is empty"
            raise UsageError(msg, hints=("give a file, a folder or a peer: HOST[:PORT]",))
        path = Path(target)
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
            self._refuse_save()
            self._inspect_folder(path, report)
        elif os.path.lexists(path):
            self._refuse_save()
            self._inspect_file(path, report)
        else:
            self._inspect_peer(target, report)

    def _refuse_save(self) -> None:
        if self.save is not None:
            msg = "--save keeps the chain of a peer, and this is a file already"
            raise UsageError(msg, hints=("leave out --save",))

    def _inspect_file(self, path: Path, report: Report) -> None:
        from dicomtls.certificates.inventory import take_inventory

        inventory = take_inventory(path, self.settings.passphrase)
        report.values["kind"] = inventory.kind
        for name in ("keys", "requests", "crls"):
            if getattr(inventory, name):
                report.values[name] = [one.as_json() for one in getattr(inventory, name)]
        if not inventory.certificates and self.key is not None:
            msg = f"{path} holds no certificate that --key could belong to"
            raise CredentialError(msg, code="not-a-certificate", evidence={"path": str(path)})
        if inventory.certificates:
            inspection = self._inspection(inventory.certificates, keys=inventory.keys)
            self._tell(str(path), inspection, report, self._findings_of_others(inventory))
            report.lines += other_lines(inventory)
        else:
            report.lines += [f"{path}:", *other_lines(inventory)]
            self._conclude(self._findings_of_others(inventory), report)

    def _findings_of_others(self, inventory: "Inventory") -> "list[Finding]":
        """What is wrong with what is no certificate."""
        from dicomtls.certificates.checks import crl_findings, request_findings
        from dicomtls.certificates.load import load_certificates

        paths = self.settings.ca if inventory.crls else ()
        authorities = [der for path in paths for der in load_certificates(path, self.settings.passphrase)]
        return [*request_findings(inventory.requests), *crl_findings(inventory.crls, authorities)]

    def _inspect_peer(self, target: str, report: Report) -> None:
        from dicomtls.scu.attempt import Attempt
        from dicomtls.scu.fetch import fetch_chain

        report.values["kind"] = "peer"
        attempt = report.follow(Attempt(self._peer(target), DEFAULT_CALLING_AE_TITLE))
        other_name = self.known.configuration.settings_for(target).get("server-name")
        settings = replace(self.settings, server_name=other_name) if isinstance(other_name, str) else self.settings
        with interruptible() as interrupt:
            try:
                chain = fetch_chain(attempt, settings, timeout=self.timeout, interrupt=interrupt)
            except NetworkError as error:
                if error.code != "name-not-found":
                    raise
                error.hints = (*error.hints, f"if a file was meant: there is none named {target}")
                raise
            except HandshakeError as error:
                # What an echo would be told to try are options that this command does not have.
                error.hints = (f"handshake-probe finds out more: dicomtls handshake-probe {target}",)
                raise
        host = self.host or settings.server_name or attempt.peer.host
        inspection = self._inspection(chain, host=host, purpose=self.purpose or "server", is_peer=True)
        self._tell(f"the chain of {attempt.peer}", inspection, report)
        if self.save is not None:
            self._save(self.save, chain)
            report.lines.append(f"kept in {self.save}")

    def _peer(self, target: str) -> Peer:
        """Read a target that is no file as a peer; raises `UsageError`, which says that it is neither."""
        if target not in self.known.configuration.peers and _looks_like_path(target):
            msg = f"no such file: {target}"
            raise CredentialError(msg, evidence={"path": target})
        return self.known.address(target)

    def _save(self, path: Path, chain: Sequence[bytes]) -> None:
        from ssl import DER_cert_to_PEM_cert

        from dicomtls.files import write_file

        write_file(path, "".join(map(DER_cert_to_PEM_cert, chain)).encode(), force=self.force)

    def _inspect_folder(self, path: Path, report: Report) -> None:
        from dicomtls.certificates.inventory import take_inventory
        from dicomtls.certificates.reading import files_in

        report.values["kind"] = "folder"
        rows: list[Row] = []
        for file in files_in(path):
            try:
                inventory = take_inventory(file, None)  # nobody wants to be asked for each of a folder's keys
            except CredentialError as error:
                if error.code in {"passphrase-needed", "bad-passphrase"}:
                    self.out.warning(error.message)
                continue  # not every file of a folder is meant
            if inventory.certificates:
                rows.append(Row(file, self._inspection(inventory.certificates, keys=inventory.keys)))
        if not rows:
            msg = f"no certificate in any file of {path}"
            raise CredentialError(msg, code="not-a-certificate", evidence={"path": str(path)})
        rows.sort(key=Row.order)
        findings: list[Finding] = []
        certificates: list[dict[str, object]] = []
        for row in rows:
            start = len(certificates)
            certificates += [{**one.as_json(), "path": str(row.path)} for one in row.inspection.certificates]
            findings += [
                one if one.certificate is None else replace(one, certificate=one.certificate + start)
                for one in row.inspection.findings
            ]
        report.values["certificates"] = certificates
        self._conclude(findings, report, with_lines=False)
        report.lines += table(path, rows)

    def _inspection(
        self,
        chain: Sequence[bytes],
        *,
        keys: "Sequence[KeyDescription]" = (),
        host: str | None = None,
        purpose: str | None = None,
        is_peer: bool = False,
    ) -> "Inspection":
        from dicomtls.certificates.describe import describe
        from dicomtls.certificates.inventory import key_of
        from dicomtls.diagnosis.inspection import Expectation, inspect_certificates

        wanted = [key_of(self.key, self.settings.passphrase)] if self.key is not None else list(keys)
        return inspect_certificates(
            [describe(der) for der in chain],
            Expectation(
                settings=self.settings,
                host=host or self.host,
                purpose=purpose or self.purpose or ("server" if self.host else None),
                key_digests=tuple(one.spki_sha256 for one in wanted if one.spki_sha256),
                minimum_days=self.min_days,
            ),
            leaf=0 if is_peer else None,
        )

    def _tell(self, title: str, inspection: "Inspection", report: Report, others: "Sequence[Finding]" = ()) -> None:
        report.values["certificates"] = [one.as_json() for one in inspection.certificates]
        report.lines += inspection_lines(title, inspection)
        self._conclude((*inspection.findings, *others), report)

    def _conclude(self, findings: "Sequence[Finding]", report: Report, *, with_lines: bool = True) -> None:
        from dicomtls.cli.inspect_cert_view import finding_lines

        report.values["findings"] = [finding.as_json() for finding in findings]
        if any(finding.severity == "error" for finding in findings):
            report.values["ok"] = False
        if self.out.quiet:
            for finding in findings:
                if finding.severity == "error":
                    self.out.warning(f"{report.values['target']}: {finding.message}")
        if with_lines:
            report.lines += finding_lines(findings)


def _looks_like_path(target: str) -> bool:
    return "/" in target or target.lower().endswith((".pem", ".crt", ".cer", ".der", ".p12", ".pfx", ".key"))
