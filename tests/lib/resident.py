#!/usr/bin/env python3
"""What berth's own processes hold in memory while it works: resident.py BERTH ARG...

Runs it and prints "KIB NAME...": the most KiB that all processes called as BERTH had resident at one time,
pages that they share counted for each; and the names of the other programs that were seen beside them."""
import pathlib
import subprocess
import sys
import time

LOOK_S = 0.005


def look(pid, name, others):
    """KiB of those below one that have the name; who is executed has another, which goes to others."""
    total, todo = 0, [pid]
    while todo:
        at = todo.pop()
        try:
            status = dict(line.split(":\t", 1) for line in
                          pathlib.Path(f"/proc/{at}/status").read_text().splitlines() if ":\t" in line)
            todo += map(int, pathlib.Path(f"/proc/{at}/task/{at}/children").read_text().split())
        except (OSError, ValueError):
            continue
        if status.get("Name") != name:
            others.add(status.get("Name", ""))
        elif "VmRSS" in status:
            total += int(status["VmRSS"].split()[0])
    return total


def main():
    name, others, most = pathlib.Path(sys.argv[1]).name[:15], set(), 0
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while child.poll() is None:
        most = max(most, look(child.pid, name, others))
        time.sleep(LOOK_S)
    print(most, *sorted(others))
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
