"""ZooKeeper ensembles on Kubernetes, run by small idempotent functions.

Each module directly inside this package is one deployed function; the packages beside them are
the layers they stand on: runtime > adapters > planning, manifests > api.
"""
