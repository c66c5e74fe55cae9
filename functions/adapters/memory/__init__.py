"""The in-process twin of the real adapters, for tests and for functions without a cluster."""

from __future__ import annotations

from functions.adapters.memory.faults import Faults
from functions.adapters.memory.job_programs import MemoryAdminServers, MemoryJobPrograms
from functions.adapters.memory.kube import MemoryKube, Write
from functions.adapters.memory.object_store import MemoryObject, MemoryObjectStore
from functions.adapters.memory.zookeeper import MemoryEnsemble, MemoryServer, MemoryZooKeeper

__all__ = [
    "Faults",
    "MemoryAdminServers",
    "MemoryEnsemble",
    "MemoryJobPrograms",
    "MemoryKube",
    "MemoryObject",
    "MemoryObjectStore",
    "MemoryServer",
    "MemoryZooKeeper",
    "Write",
]
