"""The README's table of variables against the names that Configuration.swift reads."""

import sys

from variables import read_by_server, told_by_readme

server, readme = read_by_server(), told_by_readme()
complaints = [f"{name} is read by the server but not in README.md" for name in sorted(server - readme)]
complaints += [f"{name} is in README.md but not read by the server" for name in sorted(readme - server)]
if len(server) < 10:
    complaints.append("hardly any variable found in Configuration.swift: this check no longer reads it")
print("\n".join(complaints) or f"{len(server)} variables")
sys.exit(bool(complaints))
