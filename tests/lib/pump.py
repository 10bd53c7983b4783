"""Sends to whoever connects to one port, and drains whoever connects to another.

    pump.py ADDRESS SEND_PORT DRAIN_PORT

Prints "ready" when both listen.
"""
import socket
import sys
import threading

CHUNK = bytes(1 << 16)


def send(connection):
    try:
        while True:
            connection.sendall(CHUNK)
    except OSError:
        pass  # the other side has had enough


def drain(connection):
    try:
        while connection.recv(len(CHUNK)):
            pass
    except OSError:
        pass


def serve(address, port, what):
    listener = socket.create_server((address, port))

    def accept():
        while True:
            threading.Thread(target=what, args=(listener.accept()[0],), daemon=True).start()

    return threading.Thread(target=accept)


threads = [serve(sys.argv[1], int(sys.argv[2]), send), serve(sys.argv[1], int(sys.argv[3]), drain)]
for thread in threads:
    thread.start()
print("ready", flush=True)
