"""The least that a C-ECHO over mutual TLS takes with pynetdicom: arguments PORT CA CERT KEY."""

import ssl
import sys

from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import time from a table

port, ca, cert, key = sys.argv[1:]
ssl_context = ssl.create_default_context(cafile=ca)
ssl_context.load_cert_chain(cert, key)
ae = AE()
ae.add_requested_context(Verification)
association = ae.associate("127.0.0.1", int(port), tls_args=(ssl_context, "127.0.0.1"))
if not association.is_established:
    sys.exit("no association")
status = association.send_c_echo()
association.release()
sys.exit(status.Status)
