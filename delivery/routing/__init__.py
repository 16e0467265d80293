"""routing - addresses are rewritten, expanded, classified and given a transport and next hop."""
