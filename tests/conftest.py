"""What all tests share: where the real captures are, and that in CI nothing is skipped in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.network import network  # noqa: F401  (a fixture)

CORPORA = os.environ.get("LEAKSCAN_CORPORA")
REQUIRE_ALL = os.environ.get("LEAKSCAN_REQUIRE_ALL") == "1"

# Deadlines time single examples: on a busy machine they fail without a cause. CI draws the same examples every time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the real captures the tests that read them are deselected."""
    if CORPORA:
        return
    left_out = [item for item in items if item.get_closest_marker("corpora")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """With LEAKSCAN_REQUIRE_ALL=1 a skip is a failure: CI installs what tests need."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but LEAKSCAN_REQUIRE_ALL=1: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real captures: files/, truth/, manifest.tsv."""
    return Path(CORPORA or "")
