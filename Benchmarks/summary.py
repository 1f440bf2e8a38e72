#!/usr/bin/env python3
"""Medians over repetitions, as Markdown. usage: summary.py RESULTS.jsonl

A ratio is the median over repetitions of (the server's figure / nginx's figure in the same repetition); beside a storm the yardstick is
the quiet before it."""
import json
import sys
from statistics import median

COLUMNS = {
    "stream": ["us_ev", "x us_ev", "ttft_p50", "ttft_p99", "lat_p50", "+ lat_p50", "lat_p99", "+ lat_p99", "cut_reads", "failed"],
    "burst": ["us_ev", "x us_ev", "ev_s", "lat_p50", "lat_p99", "cut_reads", "failed"],
    "open": ["max_open", "kib_stream", "x kib_stream", "us_ev", "x us_ev", "ttft_p99", "lat_p99", "failed"],
    "one-token": ["us_req", "x us_req", "req_s", "ttft_p50", "ttft_p99", "failed"],
    "preset": ["us_req", "x us_req", "req_s", "ttft_p50", "ttft_p99", "failed"],
    "healthz": ["us_req", "x us_req", "req_s", "ttft_p50", "ttft_p99", "failed"],
    "leave": ["drop_p50", "drop_p99", "drop_max", "drop_seen", "drop_missed"],
    "hot-user": ["req_s", "ttft_p50", "ttft_p99", "us_req", "failed", "admit_p50", "admit_p99", "connections"],
    "check": ["streams", "failed"],
    "token": ["us_token"],
    "login-storm": ["req_s", "ttft_p50", "ttft_p99", "x ttft_p99", "hashed", "refused", "refused_p99", "grown_mib", "failed"],
}
ALIASES = {"open-full": "open", "open-tls": "open", "leave-silent": "leave", "many-users": "hot-user"}
SUMMED = {"failed", "drop_missed", "cut_reads"}


def show(value):
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e12:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def middle(values):
    values = [value for value in values if value is not None]
    return median(values) if values else None


def cell(runs, yardstick, column):
    """`x KEY` is the ratio to the yardstick, `+ KEY` the difference, `KEY` the figure itself."""
    if column[:2] not in ("x ", "+ "):
        values = [run.get(column) for run in runs]
        return show(sum(value or 0 for value in values) if column in SUMMED else middle(values))
    key = column[2:]
    pairs = [(mine.get(key), other.get(key)) for mine, other in zip(runs, yardstick)]
    pairs = [(mine, other) for mine, other in pairs if mine is not None and other]
    return show(middle([mine - other if column[0] == "+" else mine / other for mine, other in pairs]))


def main():
    workloads = {}
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            run = json.loads(line)
            workload, _, peer = run["label"].partition(" ")
            workloads.setdefault(workload, {}).setdefault(peer, []).append(run)
    for workload, peers in workloads.items():
        columns = COLUMNS[ALIASES.get(workload, workload)]
        print(f"\n### {workload}\n\n| | runs | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 2))
        for peer, runs in peers.items():
            row = [cell(runs, peers.get("nginx", peers.get("quiet", [])), column) for column in columns]
            print(f"| {peer} | {len(runs)} | " + " | ".join(row) + " |")


main()
