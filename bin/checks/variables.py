"""Names of environment variables, as the server reads them and as the README tells them."""

import pathlib
import re


def sources():
    return "".join(path.read_text() for path in sorted(pathlib.Path("Sources/APIServer/Configuration").glob("*.swift")))


def read_by_server():
    """Every name that the configuration asks the environment for."""
    return set(re.findall(r"\.(?:text|secret|requiredSecret|integer|optionalInteger|seconds|choice|parsed)\(\s*\"([A-Z][A-Z0-9_]+)\"", sources()))


def secrets():
    """Those that may also stand in a file named by NAME_FILE."""
    return set(re.findall(r"(?:requiredSecret|secret)\(\s*\"([A-Z_]+)\"", sources()))


def told_by_readme():
    """The first column of the README's table under its heading `Configuration`."""
    section = re.search(r"^## Configuration$(.*?)^## ", pathlib.Path("README.md").read_text(), re.M | re.S)
    names = set()
    for row in re.findall(r"^\| *(.*?) *\|", section[1] if section else "", re.M):
        names |= set(re.findall(r"`([A-Z][A-Z0-9_]+)`", row))
    return names
