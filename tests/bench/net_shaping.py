"""How well berth keeps a rate: what the gateway's counters show, and what others wait meanwhile.

Imported by tests/bench/network, which made the namespaces.
"""
import json
import re
import subprocess
import time

SETTLE = 2
RATES = (1, 10, 100, 1000)  # Mbit/s
LATENCY_RATE = 10
TRIPS = 400
WAYS = ("download", "upload")


class Load:
    """As much as goes, in one direction, by several connections, until it is stopped."""

    def __init__(self, way, port, down, streams, seconds):
        self.server = subprocess.Popen(["iperf3", "--server", "--one-off", "--forceflush", "--port", str(port)],
                                       text=True, stdout=subprocess.PIPE)
        while "listening" not in self.server.stdout.readline():
            pass
        self.client = subprocess.Popen([*way.enter, "iperf3", "--client", way.server, "--port", str(port), "--time", str(seconds),
                                        "--parallel", str(streams), *(["--reverse"] if down else [])],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        for process in (self.client, self.server):
            process.kill()
            process.wait()


def counted(berth, name, direction):
    """(seconds, bytes, packets) so far."""
    told = json.loads(berth("inspect", name))[0]["network"][direction]
    return time.monotonic(), told["bytes"]


def accuracy(way, berth, name, seconds):
    """Rows (direction, Mbit/s set, percent of it kept)."""
    rows = []
    for rate in RATES:
        berth("update", name, "--rate-down", f"{rate}mbit", "--rate-up", f"{rate}mbit")
        for direction in WAYS:
            load = Load(way, 5400, direction == "download", 4, seconds + SETTLE + 5)
            time.sleep(SETTLE)
            then, before = counted(berth, name, direction)
            time.sleep(seconds)
            now, after = counted(berth, name, direction)
            load.stop()
            rows.append((direction, rate, (after - before) * 8 / (now - then) / rate / 1e4))
    return rows


def latency(way, berth, name, probe, port):
    """p50, p95, p99 of round trips in ms while @LATENCY_RATE is used up, by direction of the load."""
    rate = f"{LATENCY_RATE}mbit"
    berth("update", name, "--rate-down", rate, "--rate-up", rate)
    result = {}
    for what, ways in (("idle", ()), ("download", (True,)), ("upload", (False,)), ("both", (True, False))):
        loads = [Load(way, 5410 + i, down, 4, 60) for i, down in enumerate(ways)]
        time.sleep(SETTLE)
        told = way.run(probe, "trips", way.server, str(port), str(TRIPS))
        for load in loads:
            load.stop()
        result[what] = [float(us) / 1000 for us in re.findall(r"[\d.]+", told)]
    return result
