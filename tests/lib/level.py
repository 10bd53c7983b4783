#!/usr/bin/env python3
"""Runs a command one level above a workspace, as whoever started it could.

	level.py ENTRY outer|gateway COMMAND...

ENTRY is the workspace's directory of berth's runtime directory. "outer" is the user namespace
above the workspace's; "gateway" that and the gateway's network namespace. Both are only to be
had by the supervisor's descriptors, since the warden hides what is in its /proc.
"""
import array
import ctypes
import fcntl
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True
import control  # noqa: E402 (beside this file)

NS_GET_PARENT, SIOCGSKNS = 0xB702, 0x894C
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

libc = ctypes.CDLL(None, use_errno=True)

def setns(fd, kind):
    if libc.setns(fd, kind) < 0:
        raise OSError(ctypes.get_errno(), "setns")

def main():
    entry, where, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(os.path.join(entry, "control"))
    sock.send(control.request(control.PLAN))
    data, beside, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(32 * 4))
    present = struct.unpack_from("=I", data, 4)[0]
    fds = array.array("i", beside[0][2])
    at = dict(zip([i for i in range(32) if present & 1 << i], fds))
    setns_to = fcntl.ioctl(at[control.NS_USER], NS_GET_PARENT)
    gateway = fcntl.ioctl(at[control.ROUTES], SIOCGSKNS) if where == "gateway" else None
    setns(setns_to, CLONE_NEWUSER)
    if gateway is not None:
        setns(gateway, CLONE_NEWNET)
    os.execvp(command[0], command)

main()
