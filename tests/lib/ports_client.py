"""Clients of published ports: ports_client.py TRY HOST PORT [--from HOST PORT] [NUMBER]"""

import socket
import struct
import sys
import threading

words = sys.argv[1:]
own = None
if "--from" in words:
    at = words.index("--from")
    own = (words[at + 1], int(words[at + 2]))
    del words[at : at + 3]
what, host, port = words[0], words[1], int(words[2])
number = int(words[3]) if len(words) > 3 else 0
family = socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(kind=socket.SOCK_STREAM):
    sock = socket.socket(family, kind)
    sock.settimeout(15)
    if own:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(own)
    sock.connect(socket.getaddrinfo(host, port, family, kind)[0][4])
    return sock


def read(sock):
    data = b""
    while more := sock.recv(65536):
        data += more
    return data.decode().strip()


def tcp():
    return read(connect())


def udp():
    sock = connect(socket.SOCK_DGRAM)
    for _ in range(3):
        sock.settimeout(3)
        sock.send(b"?")
        try:
            return sock.recv(65536).decode().strip()
        except TimeoutError:
            pass
        except OSError as error:
            return f"error {error.errno}"
    return "silence"


def datagram():
    """One of NUMBER bytes; the server answers with its length."""
    sock = connect(socket.SOCK_DGRAM)
    sock.send(b"x" * number)
    return sock.recv(65536).decode().strip()


def many_clients():
    """NUMBER sockets ask at once."""
    socks = [connect(socket.SOCK_DGRAM) for _ in range(number)]
    for sock in socks:
        sock.send(b"?")
    good = 0
    for sock in socks:
        sock.settimeout(3)
        own_port = sock.getsockname()[1]
        good += sock.recv(65536).decode().split()[-1] == str(own_port)
    return f"{good} of {number}"


def one_by_one():
    """NUMBER clients, of which none goes."""
    socks = []
    for _ in range(number):
        socks.append(connect(socket.SOCK_DGRAM))
        socks[-1].send(b"?")
        socks[-1].settimeout(3)
        socks[-1].recv(65536)
    return f"{len(socks)} of {number}"


def half_close():
    sock = connect()
    sender = threading.Thread(target=lambda: (sock.sendall(b"x" * number), sock.shutdown(1)))
    sender.start()
    return read(sock)


def reset_us():
    """Who resets inside, after NUMBER bytes."""
    sock = connect()
    sock.send(b"x")
    got = 0
    try:
        while data := sock.recv(65536):
            got += len(data)
        return f"end after {got}"
    except ConnectionResetError:
        return f"reset after {got}"


def reset_it():
    sock = connect()
    sock.sendall(b"x" * 1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return "done"


def leave():
    connect().close()
    return "done"


def stuff():
    """As much as is taken within two seconds of patience."""
    sock = connect()
    sock.settimeout(2)
    sent = 0
    try:
        while True:
            sent += sock.send(b"x" * 65536)
    except TimeoutError:
        return f"stuck after {sent}"


def many():
    """NUMBER connections at a time, each with its own bytes there and back."""
    socks = [connect() for _ in range(number)]
    for i, sock in enumerate(socks):
        sock.sendall(b"%d " % i * 100)
        sock.shutdown(1)
    good = sum(read(sock) == ("%d " % i * 100).strip() for i, sock in enumerate(socks))
    return f"{good} of {number}"


def bulk():
    """NUMBER bytes to an echo, and back."""
    sock = connect()
    sender = threading.Thread(target=lambda: (sock.sendall(b"y" * number), sock.shutdown(1)))
    sender.start()
    got = 0
    while data := sock.recv(1 << 20):
        got += len(data)
    return f"got {got}"


try:
    print(globals()[what.replace("-", "_")]())
except ConnectionRefusedError:
    print("refused")
except ConnectionResetError:
    print("reset")
except TimeoutError:
    print("timeout")
