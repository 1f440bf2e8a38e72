"""Adds up what several replicas say of their admissions.

usage: admissions.py WORKLOAD CONNECTIONS RESULTS < the replicas' /metrics, one after the other
"""

import json
import re
import sys

workload, connections, results = sys.argv[1:]
counts: dict[float, int] = {}
for line in sys.stdin:
    found = re.match(r'admission_duration_seconds_bucket\{le="([^"]+)"\} (\d+)', line)
    if found:
        bound = float(found[1].replace("+Inf", "inf"))
        counts[bound] = counts.get(bound, 0) + int(found[2])
total = counts.get(float("inf"), 0)
bounds = sorted(counts)


def quantile(share: float) -> float:
    """Milliseconds, by a straight line through the bucket that it falls into."""
    wanted, below, start = share * total, 0, 0.0
    for bound in bounds:
        if counts[bound] >= wanted:
            inside = counts[bound] - below
            return 1000 * (start + (bound - start) * (wanted - below) / inside) if bound < float("inf") else float("inf")
        below, start = counts[bound], bound
    return float("nan")


figures = {f"admit_p{name}": round(quantile(share), 2) for name, share in (("50", 0.5), ("99", 0.99))}
shares = ", ".join(f"{100 * counts[bound] / total:.2f} % within {1000 * bound:g} ms" for bound in bounds if 0.005 <= bound <= 0.05)
print(f"    admissions {total}: " + " ".join(f"{name}={value} ms" for name, value in figures.items()), file=sys.stdout)
print(f"    {shares}; {connections} connections to the database")
with open(results, "a") as file:
    file.write(json.dumps({"label": f"{workload} admissions", "connections": int(connections), **figures}) + "\n")
