"""dicomtls.certificates.names: from what people type to names in a certificate."""

from ipaddress import ip_address

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.names import general_name, general_names
from dicomtls.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("pacs.example", "pacs.example"),
        ("PACS.Example.", "pacs.example"),
        (" pacs ", "pacs"),
        ("*.example", "*.example"),
        ("ct_scanner-1.example", "ct_scanner-1.example"),
        ("röntgen.example", "xn--rntgen-wxa.example"),
        ("*.röntgen.example", "*.xn--rntgen-wxa.example"),
        ("病院。example", "xn--0rys90e.example"),
        ("x" * 63 + ".example", "x" * 63 + ".example"),
    ],
)
def test_dns_names_are_read(typed: str, name: str) -> None:
    """International names become A-labels, a full stop at the end goes, a first label may be `*`."""
    assert general_name(typed) == x509.DNSName(name)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("[::1]", "::1"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ],
)
def test_ip_addresses_are_read(typed: str, address: str) -> None:
    """As bytes of an iPAddress, never as text of a dNSName, with or without the brackets of a peer."""
    assert general_name(typed) == x509.IPAddress(ip_address(address))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        ".",
        "*",
        "*.",
        "a.*.example",
        "a*.example",
        "pacs..example",
        "-pacs.example",
        "pacs-.example",
        "pacs.example:2762",
        "PACS@pacs.example",
        "https://pacs.example",
        "192.0.2.0/24",
        "192.0.2.256",
        "192.0.2",
        "[::1",
        "fe80::1%eth0",
        "pacs example",
        "pacs\n.example",
        "pacs\0.example",
        "x" * 64 + ".example",
        "x." * 200,
        "ö" * 100_000,
        "\ud800.example",
        "\u2488.example",
    ],
)
def test_what_is_no_host_is_refused(typed: str) -> None:
    """Ports, AE titles, URLs, networks and mistyped addresses would make certificates that match nothing."""
    with pytest.raises(UsageError) as caught:
        general_name(typed)
    assert "without a port" in caught.value.hints[0]


def test_names_come_once_and_in_order() -> None:
    """The same host typed twice, or in two ways, is one name."""
    names = general_names(["b.example", "::1", "B.example.", "0:0:0:0:0:0:0:1", "a.example"])
    assert [name.value for name in names] == ["b.example", ip_address("::1"), "a.example"]


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_a_usage_error(text: str) -> None:
    """And a name that comes out is ASCII that a certificate can hold."""
    try:
        name = general_name(text)
    except UsageError:
        return
    assert str(name.value).isascii()
    assert general_name(str(name.value)) == name
