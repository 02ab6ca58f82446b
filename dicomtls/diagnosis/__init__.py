"""A failure turned into what the user reads: what happened, who refused, what to do.

`handshake` says which code OpenSSL's reasons, alerts and verify codes stand for, `causes` what each code means; a
reason that is in no table stays visible as it is.
"""

from dicomtls.diagnosis.handshake import classify
from dicomtls.diagnosis.record import Diagnosis, diagnose

__all__ = ["Diagnosis", "classify", "diagnose"]
