"""What a program in the workspace sees: prints one line for each thing it tries.

    relay_client.py TRY [ADDRESS [PORT]]

PATIENCE in the environment is how many seconds a connection, or a datagram's answer, may take: fewer
where nobody is to answer.
"""
import errno
import os
import resource
import socket
import struct
import sys
import threading
import time

what, address, port = sys.argv[1], "10.9.0.2", 80
if len(sys.argv) > 2:
    address = sys.argv[2]
if len(sys.argv) > 3:
    port = int(sys.argv[3])
patience = float(os.environ.get("PATIENCE", "10"))
family = socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(to=None, timeout=10):
    sock = socket.socket(family)
    sock.settimeout(timeout)
    sock.connect((address, to or port))
    return sock


def read_all(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


def name_of(error):
    return errno.errorcode.get(error.errno, "?") if error.errno else "timeout"


def attempt():
    try:
        return read_all(connect(timeout=patience)).decode()
    except OSError as error:
        return name_of(error)


def half_close():
    sock = connect(90)
    sock.sendall(bytes(3000000))
    sock.shutdown(socket.SHUT_WR)
    return read_all(sock).decode()


def reset_from_outside():
    sock = connect(91)
    sock.sendall(b"x")
    n = 0
    try:
        while part := sock.recv(65536):
            n += len(part)
        return f"end after {n}"
    except ConnectionResetError:
        return f"reset after {n}"


def reset_from_inside():
    sock = connect(92)
    sock.sendall(b"x")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return "sent"


def end_from_inside():
    sock = connect(92)
    sock.sendall(b"x")
    sock.close()
    return "sent"


def never_read():
    stuck, sent = [], 0
    for _ in range(40):
        sock = connect(93)
        sock.settimeout(0.2)
        stuck.append(sock)
        try:
            while sent < 40 << 30:
                sent += sock.send(bytes(1 << 20))
        except socket.timeout:
            pass
    bounded = "bounded" if sent < 40 * (64 << 20) else f"{sent} bytes"
    return f"{bounded}, then {read_all(connect(80)).decode()[:5]}"


def many():
    n = port
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    socks = [connect(94) for _ in range(n)]
    for i, sock in enumerate(socks):
        sock.sendall(b"%d" % i)
    good = sum(sock.recv(100) == b"%d" % i for i, sock in enumerate(socks))
    print("open", flush=True)
    sys.stdin.readline()
    return f"{good} of {n}"


def echo():
    """A megabyte both ways at once."""
    sock = connect(94)
    data = bytes(i * 7 & 255 for i in range(1 << 20))
    threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR))).start()
    return "same" if read_all(sock) == data else "different"


def extend(sock):
    """From here on IPv6 packets have a header of destination options, which hold padding."""
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes((0, 0, 1, 4, 0, 0, 0, 0)))
    return sock


def extended_connect():
    with extend(socket.socket(family)) as sock:
        sock.settimeout(patience)
        try:
            sock.connect((address, port))
            return read_all(sock).decode()
        except OSError as error:
            return name_of(error)


def datagram(prepare=lambda sock: sock):
    sock = prepare(socket.socket(family, socket.SOCK_DGRAM))
    sock.settimeout(patience)
    sock.connect((address, port))
    try:
        for size in (1, 1200, 9000, 60000):
            sock.send(bytes(size))
            got = len(sock.recv(65536))
            if got != size:
                return f"{got} of {size}"
        return "all"
    except OSError as error:
        return name_of(error)


def burst():
    """A thousand datagrams, fifty at a time, from a socket that is not connected."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(patience)
    got = 0
    for _ in range(20):
        for i in range(50):
            sock.sendto(b"%d" % i, (address, 7))
        for i in range(50):
            data, sender = sock.recvfrom(2000)
            got += sender[:2] == (address, 7)
    return f"{got}"


def silent_flows():
    """As many senders as the third argument says, to where nothing comes back from."""
    for i in range(port):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"%d" % i, (address, 9))
        time.sleep(0.002)
    return "sent"


def answered_flows():
    """The same, one after the other, and each has its answer."""
    got = 0
    for i in range(port):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(b"%d" % i, (address, 7))
            got += sock.recv(100) == b"%d" % i
    return f"{got}"


def flood():
    """SYNs from everywhere to a host that does not answer, then an honest connection."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    for i in range(20000):
        raw.sendto(struct.pack("!HHIIBBHHH", 1024 + i, 9, i, 0, 5 << 4, 2, 1000, 0, 0), ("10.9.0.2", 0))
    return read_all(connect(80)).decode()[:5]


def spoof():
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    me = "10.77.0.1"
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, socket.inet_aton(me),
                       socket.inet_aton(address))
    raw.sendto(head + struct.pack("!HHHH", 9, 7, 12, 0) + b"hey!", (address, 0))
    return "sent"


print({"connect": attempt, "half-close": half_close, "reset-from-outside": reset_from_outside,
       "reset-from-inside": reset_from_inside, "end-from-inside": end_from_inside,
       "never-read": never_read, "many": many, "echo": echo, "datagram": datagram,
       "extended-datagram": lambda: datagram(extend), "extended-connect": extended_connect,
       "silent-flows": silent_flows, "answered-flows": answered_flows,
       "burst": burst, "flood": flood, "spoof": spoof}[what]())
