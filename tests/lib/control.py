"""What a client of the control socket says and gets: runtime/control.h."""
import struct

VERSION = 5
JOIN, PLAN = 4, 10
NS_USER, ROUTES = 2, 17  # enum control_fd: CONTROL_NS + NS_USER, CONTROL_ROUTES


def request(verb, signal=0, text=b""):
    return struct.pack("=IIi4xQII2048s48s", VERSION, verb, signal, 0, 0, 0, text, b"")
