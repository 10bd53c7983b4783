#!/usr/bin/env python3
"""What stands on a terminal in the end: screen.py <BYTES. Only what progress bars send is known to it:
carriage return, line feed, backspace, and CSI A, B, C, D, G, J, K and m; anything else of ESC fails."""
import re
import sys

text = sys.stdin.buffer.read().decode("utf-8", "replace")
lines, row, column = [[]], 0, 0
at = 0
while at < len(text):
    c = text[at]
    at += 1
    if c == "\r":
        column = 0
    elif c == "\n":
        row += 1
    elif c == "\b":
        column = max(0, column - 1)
    elif c == "\033":
        found = re.compile(r"\[(\??)([0-9;]*)([A-Za-z])").match(text, at)
        if not found:
            sys.exit(f"unknown: {text[at - 1:at + 8]!r}")
        at = found.end()
        private, number, what = found.group(1), found.group(2).split(";")[0], found.group(3)
        count = int(number or 1)
        if what == "A":
            row = max(0, row - count)
        elif what == "B":
            row += count
        elif what == "C":
            column += count
        elif what == "D":
            column = max(0, column - count)
        elif what == "G":
            column = count - 1
        elif what == "J" and number in ("", "0"):
            del lines[row][column:], lines[row + 1:]
        elif what == "K" and number in ("", "0"):
            del lines[row][column:]
        elif what == "K" and number == "2":
            lines[row] = []
        elif what != "m" and not private:
            sys.exit(f"unknown: {found.group()!r}")
    elif c >= " ":
        lines[row] += " " * (column - len(lines[row]))
        lines[row][column:column + 1] = c
        column += 1
    while len(lines) <= row:
        lines.append([])
for line in lines:
    print("".join(line).rstrip())
