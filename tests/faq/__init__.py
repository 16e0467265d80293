"""The examples of docs/FAQ.md, carried out: requests to the API, then questions to the engine."""
