"""Somebody outside the pod, who behaves differently at each port.

    relay_peer.py ADDRESS...

Prints "ready" when all listen, and what it sees of port 92.
"""
import socket
import struct
import sys
import threading
import time

held = []


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hello(connection):
    connection.sendall(b"hello from " + connection.getpeername()[0].encode())
    connection.close()


def count_then_tell(connection):
    n = 0
    while data := connection.recv(65536):
        n += len(data)
    connection.sendall(b"got %d" % n)
    connection.close()


def reset_after_answer(connection):
    connection.recv(1)
    connection.sendall(bytes(100000))
    reset(connection)


def tell_the_end(connection):
    try:
        while connection.recv(65536):
            pass
        print("end", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)


def hold(connection):
    held.append(connection)


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()


def serve(listener, behave):
    while True:
        connection = listener.accept()[0]
        if behave is hold:
            hold(connection)
        else:
            threading.Thread(target=behave, args=(connection,), daemon=True).start()


def echo_datagrams(sock):
    while True:
        data, sender = sock.recvfrom(65536)
        sock.sendto(data, sender)


for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port, behave in {80: hello, 90: count_then_tell, 91: reset_after_answer,
                         92: tell_the_end, 93: hold, 94: echo}.items():
        listener = socket.create_server((address, port), family=family, backlog=4096)
        threading.Thread(target=serve, args=(listener, behave), daemon=True).start()
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    datagrams.bind((address, 7))
    threading.Thread(target=echo_datagrams, args=(datagrams,), daemon=True).start()
print("ready", flush=True)
time.sleep(3600)
