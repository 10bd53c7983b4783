#ifndef EAR_H
#define EAR_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * struct ear - Who reads the workspace's messages of sd_notify(3)
 * @pid:	the process that does, 0 where we may do so ourselves
 *
 * Root inside may send descriptors along. Those that nobody takes the kernel closes in the task
 * that reads the message, and a TCP socket with SO_LINGER then waits for as long as its sender
 * likes (net/ipv4/af_inet.c, inet_release()). Since Linux 6.16 a socket can refuse them
 * (SO_PASSRIGHTS, see apply_notify()). Before that a process of its own reads, and waits in
 * our place; a process that ends does not linger, so it can always be killed.
 */
struct ear {
	pid_t pid;
};

/**
 * struct ear_rate - How many messages were read lately
 *
 * Zero it to begin. Whoever reads does so outside of the workspace's limits, so that a flood of
 * messages would take a processor that root inside was not given.
 */
struct ear_rate {
	int64_t since_ms;
	unsigned int n;
};

/**
 * ear_rest_ms() - Count a message
 * @rate:	of who reads
 * @now_ms:	CLOCK_MONOTONIC, in milliseconds
 *
 * systemd sends some hundred while it boots, and waits where they are not read at once
 * (unix(7), net.unix.max_dgram_qlen).
 *
 * Return: for how many milliseconds not to listen; 0 to go on.
 */
int ear_rest_ms(struct ear_rate *rate, int64_t now_ms);

/**
 * ear_open() - Have messages read where that cannot stop us
 * @ear:	zeroed
 * @sock:	of apply_notify(). Where descriptors can come in by it, it is closed here, and
 *		replaced by a socket that brings "READY=1" and nothing else
 * @err:	filled in on failure
 *
 * Return: 0 or -errno, and @sock is as it was.
 */
int ear_open(struct ear *ear, int *sock, struct err *err);

/* Ends that process. Safe to call twice. */
void ear_close(struct ear *ear);

#endif
