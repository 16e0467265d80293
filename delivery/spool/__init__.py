"""spool - the queue on disk and its clockwork: durable entry, leases, retry times."""
