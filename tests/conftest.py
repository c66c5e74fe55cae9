"""For all tests: laws are judged by what they find, not by how busy the machine is.

What the continuous writers of the scenarios saw is shown when each is over and at the end.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.distribution import ByWhatIsShared
from tests.outcomes import Scoreboard, attach

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """The terminal is configured before; the processes of `-n 2` have none."""
    if not hasattr(config, "workerinput"):
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        assert terminal is not None, "pytest writes to a terminal"
        config.pluginmanager.register(Scoreboard(terminal), "scoreboard")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByWhatIsShared | None:
    return ByWhatIsShared(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    attach(report)
    return report
