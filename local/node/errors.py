"""What keeps a pod from starting, in the words a kubelet uses for it."""

from __future__ import annotations


class CannotStart(Exception):
    """A container cannot be started (yet): `reason` is what `kubectl get pods` shows."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class CannotMount(Exception):
    """A volume cannot be made available (yet); the pod stays in ContainerCreating."""


class PodGone(Exception):
    """The API server no longer has this pod (or has another one of the same name)."""
