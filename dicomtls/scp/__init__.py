"""The service class provider: accepting associations, the services on them, and where instances are kept."""
