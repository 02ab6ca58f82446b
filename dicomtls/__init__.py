"""DICOM over TLS: associations, certificates, and a plain answer to why two systems do not talk."""

__version__ = "0.1.0"
