"""Workers to be killed: ``python -m tests.bot.claimers URL LOG SLOW_S`` forks one for each name that it is told, and
says its process id. A worker claims deliveries and writes down when it handled which."""

import os
import signal
import sys
import time
from datetime import UTC, datetime

from bot.store.records import Records

LEASE_S = 1.0


def work(url, log, slow_s, name):
    records = Records(url)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        for delivery in records.claim(name, 2, LEASE_S, datetime.now(UTC)):
            lease = delivery.lease_until.timestamp()
            os.write(file, f"begin {delivery.id} {name} {time.time()} {lease}\n".encode())
            time.sleep(slow_s)
            os.write(file, f"end {delivery.id} {name} {time.time()} {lease}\n".encode())
            records.handled(delivery, name, datetime.now(UTC))
        time.sleep(0.005)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(sys.argv[1], sys.argv[2], float(sys.argv[3]), line.strip())
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
