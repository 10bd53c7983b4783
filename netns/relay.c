#include "netns/relay.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "netns/relay_internal.h"

#define EVENTS_PER_TURN 256
#define BREAKING_MS 10 /* until what breaks is looked at again */
#define EXPIRE_MS 1000

/* Descriptors beside those of connections and flows: the large pipes, our sockets. */
#define OTHER_FILES 128

static int watch(struct relay *relay, int op, int fd, struct source *source,
                 enum watched what)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
		                     .data.ptr = source };

	if (what == WATCH_BOTH)
		event.events |= EPOLLOUT;
	return epoll_ctl(relay->epoll, op, fd, &event) < 0 ? -errno : 0;
}

int relay_watch(struct relay *relay, int fd, struct source *source, enum watched what)
{
	return watch(relay, EPOLL_CTL_ADD, fd, source, what);
}

void relay_watch_again(struct relay *relay, int fd, struct source *source,
                       enum watched what)
{
	(void)watch(relay, EPOLL_CTL_MOD, fd, source, what);
}

static int listen_to(struct relay *relay, int fd, struct source *source,
                     void (*ready)(struct relay *, struct source *, uint32_t),
                     struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	source->ready = ready;
	if (fd >= 0 && epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_set(err, errno, "watch a socket of the gateway");
	return 0;
}

static unsigned int least(rlim_t a, unsigned int b)
{
	return a < b ? (unsigned int)a : b;
}

/*
 * A flow has one descriptor. A connection has two, and a pipe each way when it is stuck: a
 * pipe for every second one is enough for all but who wants to be stuck.
 */
static void set_bounds(struct relay *relay)
{
	const struct relay_config *config = relay->config;
	struct rlimit files = { .rlim_cur = 1024, .rlim_max = 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	relay->flows_max = least(files.rlim_cur / 4, config->flows);
	relay->ports.flows_max = least(files.rlim_cur / 8, config->flows / 2);
	relay->connections_max = least((files.rlim_cur - relay->flows_max -
	                                least(files.rlim_cur / 4, OTHER_FILES)) /
	                                       3,
	                               config->connections);
}

static int patience(const struct relay *relay)
{
	if (!TAILQ_EMPTY(&relay->ready))
		return 0;
	if (!TAILQ_EMPTY(&relay->paced)) {
		const int most = TAILQ_EMPTY(&relay->breaking) ? EXPIRE_MS : BREAKING_MS;
		const int wait = pace_wait_ms(relay);

		return wait < most ? wait : most;
	}
	if (!TAILQ_EMPTY(&relay->breaking))
		return BREAKING_MS;
	if (!TAILQ_EMPTY(&relay->connecting) || !TAILQ_EMPTY(&relay->standing) ||
	    !TAILQ_EMPTY(&relay->asked) || !TAILQ_EMPTY(&relay->answered) ||
	    published_are_busy(relay) || egress_waits(relay) ||
	    !TAILQ_EMPTY(&relay->starved) || relay->paused)
		return EXPIRE_MS;
	return -1;
}

/* Those that were ready at the beginning of the turn; others come after the events. */
static void pump_ready(struct relay *relay)
{
	const struct tcp *last = TAILQ_LAST(&relay->ready, tcp_list);
	struct tcp *tcp;

	while ((tcp = TAILQ_FIRST(&relay->ready))) {
		const bool end = tcp == last;

		tcp_move(tcp, NULL);
		tcp_pump(relay, tcp);
		if (end)
			return;
	}
}

/* Until now an event of this turn might have referred to them. */
static void bury(struct relay *relay)
{
	while (relay->doomed) {
		struct tcp *tcp = relay->doomed;

		relay->doomed = tcp->doomed;
		free(tcp);
	}
	while (relay->doomed_udp) {
		struct udp *udp = relay->doomed_udp;

		relay->doomed_udp = udp->doomed;
		free(udp);
	}
	published_bury(relay);
}

static int serve(struct relay *relay, struct err *err)
{
	struct epoll_event event[EVENTS_PER_TURN];
	uint64_t expired = 0;

	for (;;) {
		int n = epoll_wait(relay->epoll, event, EVENTS_PER_TURN, patience(relay));

		if (n < 0 && errno != EINTR)
			return err_set(err, errno, "wait for packets");
		relay->now = (uint64_t)clock_ms(CLOCK_MONOTONIC);
		for (int i = 0; i < n; i++) {
			struct source *source = event[i].data.ptr;

			source->ready(relay, source, event[i].events);
		}
		if (!TAILQ_EMPTY(&relay->paced) && pace_open(relay))
			pace_resume(relay);
		pump_ready(relay);
		/* Who was woken for the last one may have had no use for it any more. */
		if (pipes_spare(&relay->pipes))
			tcp_feed(relay, false);
		tcp_finish_breaking(relay);
		if (relay->now - expired >= EXPIRE_MS) {
			tcp_expire(relay);
			udp_expire(relay);
			published_expire(relay);
			egress_tick(relay);
			/* Descriptors or memory may be there again, which nobody tells. */
			tcp_feed(relay, true);
			tcp_accept_again(relay);
			expired = relay->now;
		}
		bury(relay);
	}
}

int relay_main(const struct relay_config *config, const int sockets[RELAY_SOCKETS],
               const struct relay_links *links, struct err *err)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	const struct {
		enum relay_socket socket;
		struct source *source;
		void (*ready)(struct relay *, struct source *, uint32_t);
	} row[] = {
		{ RELAY_QUEUE, &relay->queue, syn_ready },
		{ RELAY_TCP4, &relay->listen4, tcp_accept },
		{ RELAY_TCP6, &relay->listen6, tcp_accept },
		{ RELAY_UDP4, &relay->udp4, udp_ready },
		{ RELAY_UDP6, &relay->udp6, udp_ready },
	};
	int r = 0;

	if (!relay)
		return err_set(err, ENOMEM, "start the relay");
	/* Who writes to a connection that was reset is told so by the error. */
	(void)signal(SIGPIPE, SIG_IGN);
	relay->config = config;
	relay->mtu = config->mtu;
	relay->sockets = sockets;
	TAILQ_INIT(&relay->connecting);
	TAILQ_INIT(&relay->standing);
	TAILQ_INIT(&relay->ready);
	TAILQ_INIT(&relay->starved);
	TAILQ_INIT(&relay->breaking);
	TAILQ_INIT(&relay->paced);
	pace_set(relay, config->pace);
	TAILQ_INIT(&relay->asked);
	TAILQ_INIT(&relay->answered);
	set_bounds(relay);
	pipes_fill(&relay->pipes, relay->connections_max / 2);
	if (egress_start(relay) < 0)
		r = err_set(err, ENOMEM, "start the relay");
	if (getrandom(&relay->seed, sizeof(relay->seed), 0) < 0)
		relay->seed = (uint32_t)clock_ms(CLOCK_MONOTONIC);
	relay->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r == 0 && relay->epoll < 0)
		r = err_set(err, errno, "start the relay");
	for (size_t i = 0; r == 0 && i < sizeof(row) / sizeof(row[0]); i++)
		r = listen_to(relay, sockets[row[i].socket], row[i].source, row[i].ready,
		              err);
	if (r == 0)
		r = published_start(relay, links, err);
	if (r == 0)
		r = serve(relay, err);
	close_fdp(&relay->epoll);
	free(relay->egress.begun);
	free(relay);
	return r;
}
