"""Methods and paths of openapi.yaml against the rows of Routes.swift. What they carry is held by the contract's tests."""

import pathlib
import re
import sys

ROW = re.compile(r"(?:open|crowded|authenticated|direct|creating|immediate)\(\.(\w+), \"([^\"]+)\"")
METHODS = {"get", "put", "post", "delete", "patch", "options", "head", "trace"}

contract = pathlib.Path("openapi.yaml")
if not contract.is_file():
    print("there is no openapi.yaml")
    sys.exit(1)

routes = {(method, path) for method, path in ROW.findall(pathlib.Path("Sources/APIServer/Routes.swift").read_text())}
operations, path, inside = set(), None, False
for line in contract.read_text().splitlines():
    if re.match(r"\S", line) and not line.startswith("#"):
        inside = line.startswith("paths:")
    elif inside and (match := re.match(r"^ {2}[\"']?(/[^\"':]*)[\"']?:\s*$", line)):
        path = match[1]
    elif inside and path and (match := re.match(r"^ {4}(\w+):", line)) and match[1] in METHODS:
        operations.add((match[1], path))


def parameterless(pairs):
    return {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in pairs}


complaints = [f"{method.upper()} {path} is routed but not in openapi.yaml"
              for method, path in sorted(parameterless(routes) - parameterless(operations))]
complaints += [f"{method.upper()} {path} is in openapi.yaml but not routed"
               for method, path in sorted(parameterless(operations) - parameterless(routes))]
if not routes:
    complaints.append("no route found in Routes.swift: this check no longer reads it")
print("\n".join(complaints) or f"{len(routes)} operations")
sys.exit(bool(complaints))
