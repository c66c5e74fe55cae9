"""What a cold start pays for: the adapters load the big libraries only when they need them."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "functions.adapters.kubernetes",
        "functions.adapters.zookeeper",
        "functions.adapters.memory",
        "functions.adapters.stores.connect",
    ],
)
def test_importing_an_adapter_loads_no_client_library(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted({'kubernetes', 'kazoo', 'boto3', 'oss2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
