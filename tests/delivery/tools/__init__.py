"""The operator's commands, against an engine that runs."""
