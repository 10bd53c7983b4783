"""Forwards connections of loopback, but for the first ones, which it cuts at their first request.

    flaky.py PORT TO CUTS [HOLD FILE]

Prints "ready" when it listens, and "cut" for each of these. Requests with the text HOLD in them are
held back, with a word of "held" each, until FILE is there.
"""
import os
import socket
import sys
import threading
import time

port, to, cuts = (int(word) for word in sys.argv[1:4])
hold, gate = (sys.argv[4].encode(), sys.argv[5]) if len(sys.argv) > 4 else (None, None)


def wait_for_gate():
    print("held", flush=True)
    while not os.path.exists(gate):
        time.sleep(0.05)


def carry(source, sink, asks):
    try:
        while data := source.recv(1 << 16):
            if asks and hold and hold in data:
                wait_for_gate()
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has gone


listener = socket.create_server(("127.0.0.1", port))
print("ready", flush=True)
while True:
    client = listener.accept()[0]
    if cuts > 0 and client.recv(1):
        cuts -= 1
        client.close()
        print("cut", flush=True)
        continue
    server = socket.create_connection(("127.0.0.1", to))
    for source, sink in ((client, server), (server, client)):
        threading.Thread(target=carry, args=(source, sink, source is client), daemon=True).start()
