"""All I/O: Kubernetes, ZooKeeper and (in `memory`) their in-process twin."""
