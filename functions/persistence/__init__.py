"""Reading ZooKeeper's own files: transaction logs and snapshots, as its `persistence` writes them.

Everything here reads binary streams, block by block, and needs nothing but the standard library:
the agent, the copier of a backup and the check of one share it. Nothing here opens a file.
"""
