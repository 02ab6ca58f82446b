"""The JSON documents of the command line's contract as they must be: every key, and the type of every value."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Check = Callable[[Any], bool]

SHA256 = re.compile(r"[0-9a-f]{64}")
STATUS = re.compile(r"0x[0-9A-F]{4}")
STAGES = {"name", "tcp", "tls", "association", "dimse", "local"}
PARTIES = {"us", "peer", "neither"}


def _is(*types: type) -> Check:
    """Of one of these types; a truth value is no number."""
    return lambda value: isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _one_of(*values: object) -> Check:
    return lambda value: value in values


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def list_of(check: Check) -> Check:
    """A list with such items."""
    return lambda value: isinstance(value, list) and all(map(check, value))


def item(shape: Mapping[str, Check]) -> Check:
    """An object with exactly these keys."""

    def check(value: object) -> bool:
        assert_shape(value, shape)
        return True

    return check


def _is_date(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


def _is_sentence(value: object) -> bool:
    """Lower case and without a full stop, unless it begins with a name in capitals."""
    return isinstance(value, str) and not value.endswith(".") and (value[:1].islower() or not value[:2].istitle())


TEXT, NUMBER, FLAG = _is(str), _is(int, float), _is(bool)
MAYBE_TEXT, MAYBE_NUMBER, MAYBE_FLAG = _maybe(TEXT), _maybe(NUMBER), _maybe(FLAG)
WHOLE_NUMBER = _is(int)
IS_STATUS = _matches(STATUS)
MAYBE_STATUS = _maybe(IS_STATUS)

CERTIFICATE: Mapping[str, Check] = {
    "subject": TEXT,
    "issuer": TEXT,
    "serial": TEXT,
    "not_before": _is_date,
    "not_after": _is_date,
    "days_left": WHOLE_NUMBER,
    "dns_names": list_of(TEXT),
    "ip_addresses": list_of(TEXT),
    "key": item({"type": TEXT, "bits": WHOLE_NUMBER}),
    "signature_hash": MAYBE_TEXT,
    "fingerprint_sha256": _matches(SHA256),
    "spki_sha256": _matches(SHA256),
    "is_ca": FLAG,
    "self_signed": FLAG,
    "key_usage": _maybe(list_of(TEXT)),
    "extended_key_usage": _maybe(list_of(TEXT)),
}
PEER: Mapping[str, Check] = {
    "host": TEXT,
    "port": WHOLE_NUMBER,
    "address": MAYBE_TEXT,
    "called_aet": TEXT,
    "calling_aet": TEXT,
}
TLS: Mapping[str, Check] = {
    "protocol": _one_of("TLSv1.2", "TLSv1.3"),
    "cipher": TEXT,
    "cipher_openssl": TEXT,
    "bits": WHOLE_NUMBER,
    "group": MAYBE_TEXT,
    "alpn": _one_of("dicom", None),
    "resumed": FLAG,
    "client_certificate": _one_of("sent", "requested", "not requested", None),
    "verified": FLAG,
    "name_matched": MAYBE_FLAG,
    "peer": item(CERTIFICATE),
    "chain": list_of(item(CERTIFICATE)),
}
TIMES: Mapping[str, Check] = dict.fromkeys(("resolve", "connect", "handshake", "associate", "total"), MAYBE_NUMBER)
ERROR: Mapping[str, Check] = {
    "code": TEXT,
    "stage": _one_of(*STAGES),
    "by": _one_of(*PARTIES),
    "message": _is_sentence,
    "hints": list_of(_is_sentence),
    "evidence": _is(dict),
}
ENVELOPE: Mapping[str, Check] = {
    "command": TEXT,
    "ok": FLAG,
    "version": TEXT,
    "peer": _maybe(item(PEER)),
    "tls": _maybe(item(TLS)),
    "timing_ms": _maybe(item(TIMES)),
    "error": _maybe(item(ERROR)),
}
ECHO: Mapping[str, Check] = {
    "status": MAYBE_STATUS,
    "status_meaning": MAYBE_TEXT,
    "round_trip_ms": list_of(NUMBER),
}
FAILED: Mapping[str, Check] = {
    "path": TEXT,
    "sop_instance_uid": MAYBE_TEXT,
    "status": MAYBE_STATUS,
    "status_meaning": TEXT,
}
STORE: Mapping[str, Check] = {
    "sent": WHOLE_NUMBER,
    "failed": list_of(item(FAILED)),
    "skipped": list_of(item({"path": TEXT, "reason": TEXT})),
    "bytes": WHOLE_NUMBER,
    "seconds": NUMBER,
}
ROAD = ("name", "tcp", "tls", "association", "echo")
PROBE: Mapping[str, Check] = {
    "target": MAYBE_TEXT,
    "stages": list_of(item({"name": _one_of(*ROAD), "ok": MAYBE_FLAG, "ms": MAYBE_NUMBER, "detail": TEXT})),
    "client_authentication": _one_of("required", "optional", "none", "unknown"),
    "certificate_authorities": list_of(TEXT),
    "certificate_fits": MAYBE_FLAG,
    "follow_up": list_of(item({"attempt": TEXT, "outcome": TEXT})),
}
OWN: Mapping[str, Mapping[str, Check]] = {"echo": ECHO, "store": STORE, "serve": {}, "handshake-probe": PROBE}


def assert_shape(value: object, shape: Mapping[str, Check]) -> None:
    """Assert that an object has exactly these keys, each with a value as it must be."""
    assert isinstance(value, dict), value
    assert set(value) == set(shape)
    for key, check in shape.items():
        assert check(value[key]), f"{key} is {value[key]!r}"


def assert_document(document: dict[str, Any], command: str) -> None:
    """Assert that this is the document of one run of a command, as the contract has it."""
    assert_shape(document, {**ENVELOPE, **OWN[command]})
    assert document["command"] == command
    assert document["ok"] is (document["error"] is None)
    tls = document["tls"]
    assert tls is None or tls["peer"] == (tls["chain"][0] if tls["chain"] else None)
