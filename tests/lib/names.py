"""Answers questions for IPv4 addresses on 127.0.0.53, by UDP: everything is 192.0.2.1."""
import socket
import struct

ANSWER = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
print("ready", flush=True)
while True:
    question, asker = server.recvfrom(2000)
    end = 12
    while question[end]:
        end += question[end] + 1
    kind = struct.unpack(">H", question[end + 1 : end + 3])[0]
    body = question[12 : end + 5]
    count, answer = (1, ANSWER) if kind == 1 else (0, b"")
    server.sendto(
        question[:2] + b"\x81\x80" + struct.pack(">4H", 1, count, 0, 0) + body + answer, asker
    )
