"""Storage of the platform: a folder per volume, bound to the node its first pod was sent to."""
