"""What is built and installed is all that there is: packages, walks, and the sources that tests run them as."""

from __future__ import annotations

import os
import tomllib
from importlib import import_module

import pytest

from analyzer.cli.about import WALKS
from tests.conftest import ROOT, PlainWalks, module_is_plain

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


def dotted(pattern: str) -> set[str]:
    """Names of the modules or packages that own files, in the two trees."""
    paths = [path for tree in ("analyzer", "dissectors") for path in (ROOT / tree).rglob(pattern)]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}


def test_every_package_is_installed() -> None:
    packages = {name.removesuffix(".__init__") for name in dotted("__init__.py")}
    assert packages | {"analyzer.samples"} == set(PROJECT["packages"])


def test_every_walk_is_compiled_and_tested_plain() -> None:
    walks = dotted("*.pxd")
    assert walks == {module["name"] for module in PROJECT["ext-modules"]} == set(PlainWalks.NAMES) == set(WALKS)
    assert all(module["optional"] for module in PROJECT["ext-modules"]), "without a compiler the build must go on"


@pytest.mark.skipif(not os.environ.get("FRAMESCOPE_PLAIN"), reason="the walks run as they were installed")
@pytest.mark.parametrize("name", PlainWalks.NAMES)
def test_the_plain_suite_runs_plain_sources(name: str) -> None:
    assert module_is_plain(import_module(name))
