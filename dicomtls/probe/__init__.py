"""Looking at a peer beyond what an association needs: why it failed, stage by stage, and what would work."""
