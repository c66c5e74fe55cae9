"""What is raised when a backup is not what it should be."""

from __future__ import annotations

from typing import ClassVar

from functions.api.errors import FunctionError


class Unproven(FunctionError):
    """A backup, or the files of one, cannot be trusted: the sentence names the object and why."""

    is_final: ClassVar[bool] = True
