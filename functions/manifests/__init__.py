"""Pure builders: one cluster to the Kubernetes objects it needs."""
