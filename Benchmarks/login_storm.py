"""Logs in from many addresses at one moment, and watches the server's memory meanwhile.

usage: login_storm.py URL COUNT PID RESULTS

Every log-in is of an account of its own that does not exist, which costs as much as any other. The server has to trust 127.0.0.1 as a
proxy. A second after the start all are sent; each answer has to be a refusal for the credentials (hashed) or for want of room (refused).
"""

import asyncio
import json
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

url, count, pid, results = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
address = urlsplit(url)


def resident_mib() -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


async def log_in(number: int, begin: asyncio.Event) -> tuple[int, float]:
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    body = json.dumps({"email": f"storm-{number}@example.com", "password": "the quick onyx goblin"})
    await begin.wait()
    started = time.monotonic()
    writer.write(
        f"POST /api/auth/login HTTP/1.1\r\nHost: {address.netloc}\r\nX-Forwarded-For: 2001:db8:{number:x}::1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
    head = await reader.readline()
    elapsed = time.monotonic() - started
    await reader.read()
    writer.close()
    return int(head.split()[1]), 1000 * elapsed


async def main() -> None:
    base = most = resident_mib()
    begin = asyncio.Event()
    log_ins = [asyncio.create_task(log_in(number, begin)) for number in range(count)]
    await asyncio.sleep(1)
    begin.set()
    waiting = asyncio.gather(*log_ins)
    while not waiting.done():
        most = max(most, resident_mib())
        await asyncio.wait([waiting], timeout=0.02)
    answers = waiting.result()
    statuses = Counter(status for status, _ in answers)
    refused = sorted(elapsed for status, elapsed in answers if status == 503)
    figures = {
        "label": "login-storm logins", "hashed": statuses[401], "refused": statuses[503],
        "refused_p99": round(refused[int(0.99 * (len(refused) - 1))], 2) if refused else None,
        "grown_mib": round(most - base, 1), "failed": count - statuses[401] - statuses[503],
    }
    print("    " + " ".join(f"{name}={value}" for name, value in figures.items() if name != "label"), file=sys.stderr)
    with open(results, "a", encoding="utf-8") as file:
        file.write(json.dumps(figures) + "\n")
    sys.exit(1 if figures["failed"] else 0)


asyncio.run(main())
