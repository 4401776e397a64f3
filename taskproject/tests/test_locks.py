"""What is installed: the lock files agree with the requirements, and every file in them has its hash."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
#: What only the other solvers of OR-Tools import, and what only those require; see decision 28.
LEFT_OUT = {"absl-py", "immutabledict", "pandas", "protobuf"}


def required(name):
    """The pins of a requirements file and of those that it includes: name to version."""
    pins = {}
    for line in (ROOT / name).read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            pins |= required(line[3:])
        elif line:
            requirement = Requirement(line)
            pins[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return pins


def locked(name):
    """The entries of a lock: (name, version) to (hashes, names of what requires it)."""
    entries = {}
    for block in re.split(r"^(?=[A-Za-z0-9])", (ROOT / name).read_text(), flags=re.M)[1:]:
        pin, _, rest = block.partition("\n")
        requirement = Requirement(pin.rstrip(" \\"))
        key = canonicalize_name(requirement.name), str(requirement.specifier).removeprefix("==")
        via = set(re.findall(r"^    #(?: via)? +(?!via$)([A-Za-z0-9][A-Za-z0-9._-]*)$", rest, re.M))
        entries[key] = re.findall(r"--hash=sha256:([0-9a-f]{64})(?=[ \n])", rest), {canonicalize_name(n) for n in via}
    return entries


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_lock_agrees_with_the_requirements(name):
    pins, lock = required(f"{name}.txt"), locked(f"{name}.lock")
    missing = [f"{package}=={version}" for package, version in pins.items() if (package, version) not in lock]
    assert missing == [], "run `make lock`"
    names = {package for package, _ in lock}
    assert not names & LEFT_OUT
    # What nobody requires any more is gone from the lock.
    for (package, _), (_, via) in lock.items():
        assert package in pins or via & names, f"{package}: run `make lock`"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_of_a_lock_has_hashes(name):
    assert [package for package, (hashes, _) in locked(name).items() if not hashes] == []


def test_tests_run_with_the_versions_that_are_shipped():
    assert locked("requirements.lock").keys() <= locked("requirements-dev.lock").keys()
