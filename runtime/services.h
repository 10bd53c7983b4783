#ifndef SERVICES_H
#define SERVICES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define SERVICES_MAX 4

/**
 * struct service - A daemon that berth's own init keeps running
 * @name:	of the program, and for people
 * @argv:	its words, NULL-terminated; looked up in PATH
 * @needs:	name of the service that has to be ready first, NULL for none
 * @notify:	path of the socket at which it says READY=1 (sd_notify(3)); its directory
 *		is there
 */
struct service {
	const char *name;
	const char *const *argv;
	const char *needs, *notify;
};

/* When a service that ended starts again: at once, then ever later up to the maximum;
 * who lived so long begins anew. */
#define SERVICE_PAUSE_MS 100
#define SERVICE_PAUSE_MAX_MS 30000
#define SERVICE_LIFE_MS 30000
/* systemd's own patience is 90 s; dockerd may have many containers to look after. */
#define SERVICE_START_MS 180000
/* For what is left when the services have ended. */
#define SERVICE_REST_MS 2000

/**
 * service_pause() - How long to wait before a service is started again
 * @last_ms:	the pause before this life, 0 for the first
 * @lived_ms:	this life
 *
 * Return: milliseconds, SERVICE_PAUSE_MS to SERVICE_PAUSE_MAX_MS.
 */
int service_pause(int last_ms, int64_t lived_ms);

/**
 * services_open() - Make the socket at which a service says that it is ready
 * @service:	whose
 * @err:	quotes the path on failure
 *
 * Return: the socket, owned by the caller; -errno.
 */
int services_open(const struct service *service, struct err *err);

/**
 * services_run() - PID 1 of a workspace that is nothing but its services
 * @service, @n: in the order of their needs
 * @sock:	from services_open(), one each; owned
 * @env:	of all of them, NULL-terminated
 * @airlock:	what each child becomes before its program (airlock.h), or -EBADF; owned
 * @ready:	path of a socket: READY=1 goes there, once, when all are ready; may be NULL
 *
 * Starts each when what it needs is ready, starts it again when it ends, reaps
 * orphans. SIGTERM, SIGINT, SIGHUP and SIGQUIT end it: SIGTERM to the services, the
 * last one first, each after the one before has ended; then to whatever is left. There
 * is no time limit on a service: whoever wants us gone kills us.
 *
 * Standard output and error are the services' too; every other descriptor is closed.
 *
 * Return: exit status of PID 1.
 */
int services_run(const struct service *service, size_t n, const int *sock,
                 const char *const *env, int airlock, const char *ready);

#endif
