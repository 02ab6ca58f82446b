"""The test set: good chains of every kind, and one of each fault, to try TLS software with.

    workshop   keys, authorities, leaves and revocation lists in memory
    forging    what `cryptography` rightly refuses to sign: SHA-1, X.509 v1, signatures that are wrong
    case       one case, and where its files lie
    good       what must pass
    leaves     one fault in the leaf
    chains     one fault in an authority, or in what is sent
    revocation certificates against revocation lists
    layout     all cases as files, and `index.json`

As in the workshop, nothing here reads a file or writes one.
"""
