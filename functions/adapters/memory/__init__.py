"""The in-process twin of the real adapters, for tests and for functions without a cluster."""
