"""The real Kubernetes control plane: where its programs come from and how they are started."""
