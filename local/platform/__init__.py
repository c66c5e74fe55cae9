"""One platform: a set of namespaces in which the control plane, the nodes and the pods live.

`outside` is the only process on the host; it owns the host's ports and ends with the platform.
`init` is the first process inside; it starts and restarts all parts.
"""
