#!/usr/bin/env python3
"""Everything for working on volunteerkit, with nothing but Python >= 3.11 and pip.

    python3 dev.py setup                  make .venv with the pinned packages
    python3 dev.py demo [--small]         a fictitious city from records to stars; writes report.html here
    python3 dev.py test [--quick] [...]   lint, types, import contract, tests, plugins, executed docs
    python3 dev.py docs                   build the documentation into site/
    python3 dev.py bench [NAME] [--json] [--quick]

--quick leaves slow tests out, or makes benchmarks small; other arguments of `test` go to pytest.
A second run skips what is done already.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PINS = ROOT / "constraints.txt"
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
EXE = ".exe" if os.name == "nt" else ""
PYTHON = BIN / f"python{EXE}"
CALLERS = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")
UV = ROOT / ".tools" / "bin" / f"uv{EXE}"


def chinese() -> bool:
    """Return whether the reader's language is Chinese."""
    names = ("VOLUNTEERKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    return next((os.environ[name] for name in names if os.environ.get(name)), "").lower().startswith("zh")


def say(zh: str, en: str) -> None:
    """Tell the reader something on stderr: stdout belongs to the commands."""
    print(zh if chinese() else en, file=sys.stderr, flush=True)


def stop(zh: str, en: str, detail: str = "") -> None:
    """End with a message and exit code 1."""
    say(f"{detail}\n{zh}".lstrip(), f"{detail}\n{en}".lstrip())
    sys.exit(1)


def call(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command with none of the caller's Python in its environment, and ``more`` added to it."""
    env = {name: value for name, value in os.environ.items() if name not in CALLERS}
    env |= {"PYTHONUTF8": "1", "UV_PYTHON_DOWNLOADS": "never", **options.pop("more", {})}
    sys.stdout.flush()
    return subprocess.run([str(part) for part in command], env=env, check=False, encoding="utf-8", **options)


def quiet(*command: str | Path, **more: str) -> tuple[int, str]:
    """Run a command and return its exit code and all that it printed."""
    options = {"more": more, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"}
    done = call(*command, **options) if Path(command[0]).exists() else None
    return (done.returncode, done.stdout) if done else (1, "")


def requirements(groups: tuple[str, ...]) -> list[str]:
    """Return what stands in the dependency groups; pip < 25.1 cannot read them itself."""
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return [requirement for group in groups for requirement in declared[group]]


def state() -> str:
    """Return a digest of all that the environment is made from."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for path in (PINS, ROOT / "pyproject.toml", *(plugin / "pyproject.toml" for plugin in PLUGINS)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def settings_of_pip() -> dict[str, str]:
    """Return uv's settings for the package index and the certificate that pip was told to use."""
    found: dict[str, str] = {}
    for line in quiet(sys.executable, "-m", "pip", "config", "list")[1].splitlines():
        name, _, value = line.partition("=")
        theirs = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}.get(name.rpartition(".")[2])
        if theirs and theirs not in os.environ:
            found.setdefault(theirs, value.strip("'\""))
    return found


def have_uv() -> bool:
    """Return whether uv is in .tools, after bringing it there if need be."""
    if quiet(UV, "--version")[1].startswith("uv 0.13."):
        return True
    into = ("install", "-q", "--upgrade", "--target", UV.parents[1])
    quiet(sys.executable, "-m", "pip", *into, "uv>=0.13,<0.14")
    if failed := quiet(UV, "--version")[0]:
        say("取不到 uv，改用 venv 和 pip（慢一些）。", "uv cannot be had; venv and pip do the same, slowly.")
    return not failed


def make_venv(with_uv: bool, made_here: bool) -> None:
    """Make .venv with this Python, unless it is there already; one that was moved would not run."""
    made_with = quiet(PYTHON, "-c", "import sys; print(sys.version, sys.prefix)")[1].strip()
    made_here &= with_uv or quiet(PYTHON, "-m", "pip", "--version")[0] == 0
    if made_here and made_with == f"{sys.version} {VENV}":
        return
    with_tool = (UV, "venv", "-q", "--clear", "--python", sys.executable, VENV)
    failed, detail = quiet(*with_tool) if with_uv else quiet(sys.executable, "-m", "venv", "--clear", VENV)
    if failed:
        mend = "apt-get install python3-pip python3-venv"
        stop(f"建不了 .venv。在 Debian 上先运行：{mend}", f"No .venv. On Debian run first: {mend}", detail)


def install(*groups: str) -> None:
    """Install the library with all extras, the plugins and the groups, unless nothing changed since."""
    stamp, now = VENV / "installed.json", state()
    have = json.loads(stamp.read_text("utf-8")) if stamp.exists() and PYTHON.exists() else {}
    before = {"", *have["groups"]} if have.get("state") == now else set()
    if before >= {"", *groups}:
        return
    started = time.monotonic()
    say("准备环境……", "Preparing the environment …")
    make_venv(with_uv := have_uv(), have.get("root", str(ROOT)) == str(ROOT))
    wanted = ["-c", PINS, "-e", f"{ROOT}[all]", *(part for each in PLUGINS for part in ("-e", each))]
    wanted += requirements(groups)
    if with_uv:
        first = (UV, "pip", "install", "-q", "--python", PYTHON, "--build-constraints", PINS)
        failed, detail = quiet(*first, *wanted, **settings_of_pip())
    else:
        failed, detail = quiet(PYTHON, "-m", "pip", "install", "-q", *wanted)
    if failed:
        mend = "python3 -m pip config set global.index-url URL"
        stop(f"安装失败。若网络不通，请换软件源：{mend}", f"Not installed. No network? Try {mend}", detail)
    make_pointers_relative()
    made = {"root": str(ROOT), "state": now, "groups": sorted(before | {*groups})}
    stamp.write_text(json.dumps(made), "utf-8")
    took = time.monotonic() - started
    say(f"环境就绪，用时 {took:.1f} 秒。", f"Ready after {took:.1f} s.")


def make_pointers_relative() -> None:
    """Let Python < 3.13, which reads these files in the locale's encoding, start in a folder with any name."""
    for pointer in VENV.glob("**/site-packages/_editable_impl_*.pth"):
        sources = pointer.parent / pointer.read_text("utf-8").strip()
        pointer.write_text(os.path.relpath(sources, pointer.parent) + "\n", "utf-8")


def setup(arguments: list[str]) -> int:
    """Make the environment for working on the library."""
    install("dev")
    say("接着试试：python3 dev.py demo --small", "Try next: python3 dev.py demo --small")
    return 0


def demo(arguments: list[str]) -> int:
    """Run the demonstration in the reader's own folder."""
    install()
    return call(BIN / f"volunteerkit{EXE}", "demo", *arguments).returncode


def test(arguments: list[str]) -> int:
    """Run every check; pytest comes last so that its closing line is the last."""
    install("dev")
    given = [each for each in arguments if each != "--quick"]
    chosen = ["-m", "not campaign and not slow"] if "--quick" in arguments else []
    steps: dict[str, list[str | Path]] = {
        "ruff check": [BIN / f"ruff{EXE}", "check", "-q"],
        "ruff format": [BIN / f"ruff{EXE}", "format", "--check", "-q"],
        "lint-imports": [BIN / f"lint-imports{EXE}", "--no-logo"],
        "mypy": [BIN / f"mypy{EXE}"],
    }
    failed: list[str] = []
    for name, command in steps.items():
        started = time.monotonic()
        failed += [name] if call(*command, cwd=ROOT).returncode else []
        print(f"== {name}: {'FAILED, ' * (name in failed)}{time.monotonic() - started:.1f} s", flush=True)
    print(f"== pytest{' (failed before: ' + ', '.join(failed) + ')' if failed else ''}", flush=True)
    tests = call(PYTHON, "-m", "pytest", "-q", "-n2", *chosen, *given, cwd=ROOT).returncode
    return tests or int(bool(failed))


def docs(arguments: list[str]) -> int:
    """Build the documentation; a broken link is an error."""
    install("docs")
    return call(BIN / f"zensical{EXE}", "build", "--clean", "--strict", *arguments, cwd=ROOT).returncode


def bench(arguments: list[str]) -> int:
    """Run the benchmarks whose file begins with NAME, each in a process of its own."""
    install("dev")
    names = [each for each in arguments if not each.startswith("-")]
    found = sorted(ROOT.glob(f"tests/benchmarks/{names[0] if names else '[!_]'}*.py"))
    if not found:
        known = ", ".join(sorted(path.stem for path in ROOT.glob("tests/benchmarks/[!_]*.py")))
        stop(f"没有基准测试 {names}；现有：{known}", f"No benchmark {names}; there are: {known}")
    rows, failed = list[dict[str, Any]](), False
    for path in found:
        say(f"== {path.stem}", f"== {path.stem}")
        made = call(PYTHON, ROOT / "dev.py", "one-benchmark", path, *arguments, stdout=subprocess.PIPE)
        failed |= made.returncode != 0
        rows += [] if made.returncode else json.loads(made.stdout)
    if "--json" in arguments:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    for row in () if "--json" in arguments else rows:
        print("{name:42} {ours_s:10.5f} s  {contender:36} {contender_s:10.5f} s".format(**row), end="")
        print("  ratio {ratio:7.3f}  same answer {same_answer}".format(**row))
    return 1 if failed or not all(row["same_answer"] for row in rows) else 0


def one_benchmark(arguments: list[str]) -> int:
    """Print one module's rows as JSON; whatever else it prints goes to stderr."""
    import importlib

    path, answers = Path(arguments[0]), os.dup(1)
    os.dup2(2, 1)
    sys.path.insert(0, str(path.parent))
    rows = importlib.import_module(path.stem).run("--quick" in arguments)
    return 0 if os.write(answers, json.dumps(rows).encode()) else 1


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    **{each.__name__: each for each in (setup, demo, test, docs, bench)},
    "one-benchmark": one_benchmark,
}


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    if sys.version_info < (3, 11):
        this = ".".join(map(str, sys.version_info[:3]))
        stop(f"需要 Python 3.11 以上，这是 {this}。", f"Python 3.11 or newer is needed; this is {this}.")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__)
        return 0 if not arguments or arguments[0] in ("-h", "--help", "help") else 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
