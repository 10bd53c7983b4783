"""Forwards connections of loopback, but for the first ones, which it cuts at their first request.

    flaky.py PORT TO CUTS

Prints "ready" when it listens, and "cut" for each of these.
"""
import socket
import sys
import threading

port, to, cuts = (int(word) for word in sys.argv[1:4])


def carry(source, sink):
    try:
        while data := source.recv(1 << 16):
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
    for pair in ((client, server), (server, client)):
        threading.Thread(target=carry, args=pair, daemon=True).start()
