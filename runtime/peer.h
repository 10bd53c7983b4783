#ifndef PEER_H
#define PEER_H

#include "base/err.h"

/**
 * peer_check() - Accept only a peer in our own user namespace
 * @sock:	a connected AF_UNIX socket
 * @err:	says why it is refused
 *
 * Root inside a workspace has the kuid of the user who started it, so that a uid
 * proves nothing (user_namespaces(7)); the user namespace of the process does. It is
 * looked up through a pidfd, so that nobody can step into a freed PID meanwhile.
 *
 * Return: 0; -EACCES for a peer in another user namespace or in a PID namespace that
 * we do not see; -ESRCH for one that is gone; else -errno.
 */
int peer_check(int sock, struct err *err);

/*
 * The two ways to the peer's pidfd, apart for the tests: SO_PEERPIDFD, which answers
 * -ENOPROTOOPT before Linux 6.5, and the number from SO_PEERCRED. A descriptor, owned
 * by the caller, or -errno.
 */
int peer_pidfd(int sock);
int peer_pidfd_by_number(int sock);

/* What peer_check() does with the pidfd. */
int peer_check_pidfd(int pidfd, struct err *err);

#endif
