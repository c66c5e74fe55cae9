"""A small kubelet: the pods of several nodes run as sandboxed processes of this machine."""
