"""How the examples are loaded: from their files, as a reader runs them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def load_example(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Return a function that imports ``examples/NAME/app.py``; skipped where its framework is not installed."""

    def load(name: str, framework: str) -> ModuleType:
        pytest.importorskip(framework)
        module = f"example_{name}"
        if module not in sys.modules:
            spec = importlib.util.spec_from_file_location(module, EXAMPLES / name / "app.py")
            assert spec
            assert spec.loader
            sys.modules[module] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[module])
        return sys.modules[module]

    return load
