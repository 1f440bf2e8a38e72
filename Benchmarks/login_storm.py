"""Logs in from many addresses at one moment, and watches the server's memory meanwhile.

usage: login_storm.py URL COUNT PID RESULTS

Every log-in is of an account of its own that does not exist, which costs as much as any other. The server has to trust 127.0.0.1 as a
proxy. It waits for SIGUSR1; half a second later connections are opened, and half a second after that all log-ins are sent. Each answer has to
be a refusal for the credentials (hashed) or for want of room (refused). Plain sockets, and requests that are made before: this program
shares the server's cores, and its own work shall not be what is measured.
"""

import json
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
url, count, pid, results = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
address = urlsplit(url)


def resident_mib() -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def request(number: int) -> bytes:
    body = json.dumps({"email": f"storm-{number}@example.com", "password": "the quick onyx goblin"})
    return (
        f"POST /api/auth/login HTTP/1.1\r\nHost: {address.netloc}\r\nX-Forwarded-For: 2001:db8:{number:x}::1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())


signal.sigwait([signal.SIGUSR1])
time.sleep(0.5)
base = most = resident_mib()
log_ins = []
selector = selectors.EpollSelector()
for number in range(count):
    connection = socket.create_connection((address.hostname, address.port))
    log_ins.append((connection, request(number)))
    selector.register(connection, selectors.EVENT_READ, number)
time.sleep(0.5)

sent = [0.0] * count
for number, (connection, message) in enumerate(log_ins):
    sent[number] = time.monotonic()
    connection.sendall(message)
answers: dict[int, tuple[int, float]] = {}
end = time.monotonic() + 60
while len(answers) < count and time.monotonic() < end:
    for key, _ in selector.select(timeout=0.02):
        elapsed = time.monotonic() - sent[key.data]
        head = key.fileobj.recv(4096)
        answers[key.data] = (int(head.split(b" ", 2)[1]) if head else 0, 1000 * elapsed)
        selector.unregister(key.fileobj)
    most = max(most, resident_mib())

statuses = Counter(status for status, _ in answers.values())
refused = sorted(elapsed for status, elapsed in answers.values() if status == 503)
figures = {
    "label": "login-storm logins", "hashed": statuses[401], "refused": statuses[503],
    "refused_p99": round(refused[int(0.99 * (len(refused) - 1))], 2) if refused else None,
    "grown_mib": round(most - base, 1), "failed": count - statuses[401] - statuses[503],
}
print("    " + " ".join(f"{name}={value}" for name, value in figures.items() if name != "label"), file=sys.stderr)
with open(results, "a", encoding="utf-8") as file:
    file.write(json.dumps(figures) + "\n")
sys.exit(1 if figures["failed"] else 0)
