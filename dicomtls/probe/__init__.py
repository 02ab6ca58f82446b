"""The whole road to a peer, looked at stage by stage: where it ends, and why."""
