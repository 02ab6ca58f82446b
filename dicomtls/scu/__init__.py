"""The service class users: one function and one result type each, and no printing."""

from dicomtls.scu.attempt import Attempt
from dicomtls.scu.settings import AssociationSettings

__all__ = ["AssociationSettings", "Attempt"]
