"""Servers inside a workspace: ports_server.py PROTOCOL:PORT[@ADDRESS]...

Each tells whom it is asked by. "tcp" answers once, "echo" until the end, "sink" counts until
the end and answers with the number, "deaf" never reads, "reset" resets, "udp" answers each
datagram with the sender and the length.
"""

import socket
import struct
import sys
import threading


def name(address):
    host = address[0].removeprefix("::ffff:")
    return f"{host} {address[1]}"


def tcp(connection, peer):
    connection.sendall(f"from {name(peer)}\n".encode())


def echo(connection, _):
    while data := connection.recv(65536):
        connection.sendall(data)


def sink(connection, _):
    total = 0
    while data := connection.recv(65536):
        total += len(data)
    connection.sendall(f"got {total}\n".encode())


def deaf(connection, _):
    threading.Event().wait()
    connection.close()


def reset(connection, _):
    connection.recv(1)
    connection.sendall(b"x" * 1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tell_end(connection, _):
    try:
        while connection.recv(65536):
            pass
        print("end", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)


def one(serve, connection, peer):
    with connection:
        try:
            serve(connection, peer)
        except OSError:
            pass


def listen(serve, listener):
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=one, args=(serve, connection, peer), daemon=True).start()


def udp(sock):
    while True:
        data, peer = sock.recvfrom(65536)
        answer = f"from {name(peer)}\n" if data == b"?" else f"{len(data)}\n"
        sock.sendto(answer.encode(), peer)


def main():
    threads = []
    for word in sys.argv[1:]:
        kind, _, place = word.partition(":")
        port, _, host = place.partition("@")
        host = host or "::"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(
            family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
        )
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        sock.bind((host, int(port)))
        if kind == "udp":
            thread = threading.Thread(target=udp, args=(sock,))
        else:
            sock.listen(1024)
            thread = threading.Thread(target=listen, args=(globals()[kind], sock))
        threads.append(thread)
    for thread in threads:
        thread.start()
    print("ready", flush=True)


main()
