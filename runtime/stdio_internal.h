#ifndef STDIO_INTERNAL_H
#define STDIO_INTERNAL_H

/* The caller's terminal, stdio_terminal.c; for stdio.c. */

#include "stdio.h"

/* Whether we are in the background of the terminal at @fd. One that is not our controlling
 * terminal knows no background for us. */
bool stdio_in_background(int fd);

/* Takes the terminal: raw, unless it is not ours at the moment, or none. Return: 0 or -errno. */
int stdio_go_raw(struct stdio *io, struct err *err);

/* The terminal's size, to the workspace's pty. */
void stdio_send_size(struct stdio *io);

#endif
