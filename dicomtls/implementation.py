"""Who wrote this file, who sent this association: the identity of the implementation (PS3.7 section D.3.3.2)."""

from dicomtls import __version__

IMPLEMENTATION_CLASS_UID = "2.25.288667378163714998035341246224194291432"
"""Made once from a UUID (PS3.5 section B.2); stays the same for all versions."""

IMPLEMENTATION_VERSION_NAME = "DICOMTLS_" + "_".join(__version__.split(".")[:2])
"""At most 16 characters (VR SH): program, major and minor version."""
