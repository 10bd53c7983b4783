"""A proxy for HTTP as HTTP_PROXY means it, which leads all hosts to one port of loopback.

    proxy.py PORT TO

Prints "ready" when it listens, then the first line of each request. Tunnels are refused.
"""
import socket
import sys
import threading

port, to = map(int, sys.argv[1:3])


def carry(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has gone


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(1 << 16)
        if not data:
            return
        head += data
    first, rest = head.split(b"\r\n", 1)
    print(first.decode(), flush=True)
    method, uri, version = first.split(b" ", 2)
    if not uri.startswith(b"http://"):
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        client.close()
        return
    server = socket.create_connection(("127.0.0.1", to))
    path = b"/" + uri[len(b"http://"):].partition(b"/")[2]
    # One request a connection, since the next one might be for another host.
    server.sendall(b" ".join((method, path, version)) + b"\r\nConnection: close\r\n" + rest)
    threading.Thread(target=carry, args=(client, server), daemon=True).start()
    carry(server, client)
    client.close()


listener = socket.create_server(("127.0.0.1", port))
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
