"""The files of the set-up parse and agree with each other. (CI runs them.)"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pointcontrast.doctor.machine import SUPPORTED_PYTHON
from pointcontrast.doctor.parts import LIBRARY_PACKAGES
from tests.conftest import LONG
from tests.helpers.repository import REPOSITORY

ROOT = REPOSITORY
SCRIPTS = [*sorted((ROOT / "tools" / "setup").glob("*.sh")), ROOT / ".ci" / "run"]
TARGETS = [
    "help", "setup", "demo", "check", "test", "test-slow", "minkowski", "doctor", "lint", "types",
    "format", "clean",
]  # fmt: skip

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def dry_run(*arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    run = subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def declared(section: str) -> dict[str, Requirement]:
    """The requirements of a list in pyproject.toml, by name (tomllib came with Python 3.11)."""
    body = re.search(rf"^{section} = \[(.*?)\]\n", read("pyproject.toml"), re.MULTILINE | re.DOTALL)
    assert body is not None
    found = map(Requirement, re.findall(r'^[^#"\n]*"([^"]+)"', body[1] + "\n", re.MULTILINE))
    return {requirement.name: requirement for requirement in found}


def torch_of_the_makefile() -> Requirement:
    line = re.search(r"^TORCH \?= (\S+)$", read("Makefile"), re.MULTILINE)
    assert line is not None
    return Requirement(line[1])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_parse(script: Path):
    run = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_there_are_scripts_and_they_may_be_run():
    assert len(SCRIPTS) > 3
    for script in SCRIPTS:
        assert script.name == "stamp.sh" or os.access(script, os.X_OK), script


@needs_make
@pytest.mark.parametrize("target", TARGETS)
def test_targets_exist(target: str):
    assert dry_run(target).strip()


@needs_make
def test_make_alone_prints_help():
    assert dry_run() == dry_run("help")


@needs_make
def test_targets_run_what_they_need_first():
    demo, test = dry_run("demo"), dry_run("test", "WORKERS=3")
    assert demo.index("environment.sh") < demo.index("tools/pretrain.py")
    assert "minkowski" not in demo
    assert test.index("minkowski.sh") < test.index("extras.sh test") < test.index("-m pytest")
    assert "-n 3" in test
    assert '-m "not slow"' in test
    assert "-m slow" in dry_run("test-slow")
    check = dry_run("check")
    assert check.index("-m ruff check") < check.index("-m pyright") < check.index("--fast")
    assert "minkowski.sh" not in check


def test_files_that_take_long_are_there():
    """A moved file would be among the fast ones."""
    assert [path for path in LONG if not (ROOT / "tests" / path).exists()] == []


def test_an_extra_is_installed_without_the_package():
    """Each build of the package compiles the kernels, which takes a minute."""
    script = read("tools/setup/extras.sh")
    assert "--requirement" in script
    assert "--editable" not in script


def test_ci_runs_lint_types_and_tests():
    assert re.search(r"^make lint types test\b", read(".ci/run"), re.MULTILINE)
    assert "set -euo pipefail" in read(".ci/run")


@needs_make
def test_commands_of_the_readme_are_targets():
    code = re.findall(r"```.*?```|`[^`\n]+`", read("README.md"), re.DOTALL)
    commands = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(code)))
    assert {"demo", "test"} <= commands
    for command in commands:
        dry_run(command)


def test_the_torch_that_is_installed_satisfies_the_metadata():
    torch = torch_of_the_makefile()
    (pin,) = torch.specifier
    assert pin.operator == "=="
    assert declared("dependencies")["torch"].specifier.contains(pin.version)


def test_conda_installs_the_same():
    conda = read("environment.yml")
    assert f"- {torch_of_the_makefile()}\n" in conda
    assert re.search(r"^ +- --editable \.\[test\]$", conda, re.MULTILINE)
    assert f'" {declared("minkowski")["MinkowskiEngine"]}\n' in conda
    (first_major, first), (_, last) = SUPPORTED_PYTHON
    assert f"- python >={first_major}.{first},<{first_major}.{last + 1}\n" in conda
    assert f'requires-python = ">={first_major}.{first}"' in read("pyproject.toml")
    flags = re.findall(r"--global-option=--blas=\w+", conda)
    assert flags
    assert all(flag in read("tools/setup/minkowski.sh") for flag in flags)


def test_no_dependency_is_declared_twice():
    names = [
        name.lower().replace("_", "-")
        for section in ("dependencies", "minkowski", "test", "dev")
        for name in declared(section)
    ]
    assert len(names) == len(set(names))


def test_doctor_and_set_up_know_the_same_libraries():
    pairs = re.findall(r"^ +(lib\S+\.so\.\d+)=(\S+)$", read("tools/setup/system_packages.sh"), re.M)
    assert dict(pairs) == LIBRARY_PACKAGES


def test_pre_commit_has_local_hooks_only():
    repositories = re.findall(r"^ *- repo: (\S+)$", read(".pre-commit-config.yaml"), re.MULTILINE)
    assert repositories == ["local"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo 3.9", "is Python 3.9 and 3.10-3.13 is needed"),
        ("echo 3.14", "is Python 3.14 and 3.10-3.13 is needed"),
        ("echo 4.0", "is Python 4.0 and 3.10-3.13 is needed"),
        ("exit 1", "does not run"),
    ],
)
def test_a_python_that_will_not_do_is_refused(tmp_path: Path, body: str, message: str):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{body}\n")
    python.chmod(0o755)
    run = subprocess.run(
        [ROOT / "tools" / "setup" / "system_packages.sh"],
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert message in run.stderr
    assert "make PYTHON=" in run.stderr


def test_missing_packages_end_in_the_one_line_to_run(tmp_path: Path):
    """With an administrator's rights out of reach (id and sudo are stand-ins)."""
    python = tmp_path / "python"  # of a version that will do, without ensurepip and libraries
    python.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        "  *ensurepip*) exit 1 ;;\n"
        "  *print*) echo 3.12 ;;\n"
        "esac\n"
        '[ "$1" != - ] || echo libgl1\n'
    )
    for name, body in (("id", "echo 1000"), ("sudo", "exit 1"), ("apt-get", "exit 99")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    run = subprocess.run(
        [ROOT / "tools" / "setup" / "system_packages.sh", "runtime"],
        env={**os.environ, "PYTHON": str(python), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    line = "sudo apt-get update && sudo apt-get install -y python3.12-venv libgl1"
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].strip() == line
