"""Certificates, keys and CRLs: load (by content), describe, issue.

Nothing is imported here on purpose: `cryptography` costs half of a whole `echo`, so each
user imports the module it needs.
"""
