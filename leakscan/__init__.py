"""leakscan finds the identifiers that mobile networks and apps put into plain HTTP requests.

`scan(captures, **settings)` gives the leaks of captures and at last the Summary, `scan_headers(pairs, **settings)` what
a list of header lines gives away. Values are masked unless `show_values=True`. Both are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leakscan import errors

if TYPE_CHECKING:
    from leakscan.library import Finding, scan, scan_headers
    from leakscan.model import Leak
    from leakscan.summary import Summary

__all__ = ["Finding", "Leak", "Summary", "__version__", "errors", "scan", "scan_headers"]
__version__ = "0.1.0"

_HOMES = {"Finding": "library", "Leak": "model", "Summary": "summary", "scan": "library", "scan_headers": "library"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'leakscan' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"leakscan.{_HOMES[name]}"), name)
