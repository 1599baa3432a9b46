"""Live trading: the runner around the engine, the journal, reconciliation, failover and monitoring."""
