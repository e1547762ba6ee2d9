"""The compliance officer's page: what the verified log says, in a browser on this machine."""
