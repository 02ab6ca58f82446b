"""The association layer: PDUs, presentation context negotiation, command sets, the association (PS3.7, PS3.8)."""
