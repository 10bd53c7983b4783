#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ports_internal.h"

/*
 * Ports that are opened and closed while the workspace runs. Nothing here waits for the relay: a
 * change is begun, and answered when the relay has done the last thing of it, or was given up.
 */

/* The relay may have those ports, or will, and nobody would know of it. */
static void take_back_added(struct ports *ports, const struct ports_change *change)
{
	for (size_t i = ports->n; change->adding && i-- > 0;)
		if (ports->port[i].id >= change->first &&
		    ports->port[i].id <= change->last)
			(void)ports_withdraw(ports, i);
	ports_flush(ports);
}

/* The first one is due first: all have the same time. */
static void set_timer(struct ports *ports)
{
	struct itimerspec when = { 0 };
	int64_t left = 0;

	if (ports->changes > 0) {
		left = ports->change[0].until_ms - clock_ms(CLOCK_MONOTONIC);
		left = left > 0 ? left : 1;
	}
	when.it_value.tv_sec = left / 1000;
	when.it_value.tv_nsec = left % 1000 * 1000000;
	if (ports->patience >= 0)
		(void)timerfd_settime(ports->patience, 0, &when, NULL);
}

static void answer(struct ports *ports, size_t at, const struct err *err)
{
	const struct ports_change change = ports->change[at];

	memmove(&ports->change[at], &ports->change[at + 1],
	        (--ports->changes - at) * sizeof(change));
	set_timer(ports);
	if (err->code) {
		take_back_added(ports, &change);
		ports->changed(ports->ctx);
	}
	ports->answer(ports->ctx, change.who, err);
}

void ports_change_done(struct ports *ports, uint32_t id)
{
	const struct err none = { 0 };

	for (size_t i = ports->changes; i-- > 0;)
		if (ports->change[i].last == id)
			answer(ports, i, &none);
}

void ports_change_lost(struct ports *ports)
{
	struct err err = { 0 };

	(void)err_set(&err, ECONNRESET, "the relay died");
	while (ports->changes > 0)
		answer(ports, ports->changes - 1, &err);
}

void ports_change_stop(struct ports *ports)
{
	if (ports->patience >= 0)
		loop_remove(ports->loop, ports->patience);
	drop_fd(&ports->patience);
	ports->changes = 0;
}

static int on_patience(void *ctx, int fd, short revents, struct err *err)
{
	struct ports *ports = ctx;
	struct err late = { 0 };
	uint64_t ticks;

	(void)revents;
	(void)err;
	(void)!read(fd, &ticks, sizeof(ticks));
	(void)err_set(&late, ETIMEDOUT, "wait for the relay");
	while (ports->changes > 0 &&
	       ports->change[0].until_ms <= clock_ms(CLOCK_MONOTONIC))
		answer(ports, 0, &late);
	set_timer(ports);
	return LOOP_GO;
}

/* Before anything is begun. */
static int make_room(struct ports *ports, struct err *err)
{
	if (ports->changes == PORTS_CHANGES)
		return err_set(err, EBUSY, "%d changes of ports wait for the relay",
		               PORTS_CHANGES);
	if (ports->patience >= 0)
		return 0;
	ports->patience = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ports->patience < 0)
		return err_set(err, errno, "set a timer");
	return loop_add(ports->loop, ports->patience, POLLIN, on_patience, ports, err);
}

/* Return: 1. */
static int await_answer(struct ports *ports, const struct ports_change *change)
{
	struct ports_change *at = &ports->change[ports->changes++];

	*at = *change;
	at->until_ms = clock_ms(CLOCK_MONOTONIC) + PORTS_ANSWER_MS;
	set_timer(ports);
	return 1;
}

static int add_automatic(struct ports *ports, const struct publish *publish,
                         struct err *err)
{
	int r;

	if (ports->automatic.automatic)
		return err_set(err, EEXIST, "'auto' is on already");
	r = ports_open(ports, publish, err);
	if (r == 0)
		r = ports_follow_start(ports, err);
	if (r < 0) {
		ports_follow_stop(ports);
		ports->automatic = (struct publish){ 0 };
	}
	return r;
}

static int add(struct ports *ports, const struct publish *publish, uint64_t who,
               struct err *err)
{
	const size_t before = ports->n;
	struct ports_change change = { .who = who, .adding = true };
	int r;

	if (publish->automatic)
		return add_automatic(ports, publish, err);
	r = ports_open(ports, publish, err);
	for (size_t i = before; r == 0 && i < ports->n; i++)
		r = ports_hand_over(ports, &ports->port[i], err);
	if (r < 0) {
		ports_shut(ports, before);
		return r;
	}
	ports_flush(ports);
	change.first = ports->port[before].id;
	change.last = ports->port[ports->n - 1].id;
	return await_answer(ports, &change);
}

/* Of those that are in the list: one that is being opened is not there yet. */
static size_t find(const struct ports *ports, const struct publish *one)
{
	size_t i = 0;

	while (i < ports->n && (ports->port[i].publish.out != one->out ||
	                        ports->port[i].publish.in != one->in ||
	                        (ports->port[i].asked_ms && !ports->port[i].automatic) ||
	                        !publish_overlap(&ports->port[i].publish, one)))
		i++;
	return i;
}

static int remove_automatic(struct ports *ports, uint32_t *ret_last, struct err *err)
{
	if (!ports->automatic.automatic)
		return err_set(err, ENOENT, "'auto' is not on");
	*ret_last = ports_follow_clear(ports);
	ports_follow_stop(ports);
	ports->automatic = (struct publish){ 0 };
	return 0;
}

static int take_back_all(struct ports *ports, const struct publish *publish,
                         uint32_t *ret_last, struct err *err)
{
	char text[PUBLISH_TEXT_MAX];

	for (unsigned int i = 0; i < publish->n; i++) {
		const struct publish one = publish_nth(publish, i);
		const size_t at = find(ports, &one);

		if (at == ports->n || ports->port[at].automatic) {
			(void)err_set(err, ENOENT, "port '%s' is not published%s",
			              publish_text(&one, text),
			              at < ports->n ? " but by auto" : "");
			return err_hint(err, "berth port NAME lists those that are");
		}
	}
	for (unsigned int i = 0; i < publish->n; i++) {
		const struct publish one = publish_nth(publish, i);

		const uint32_t id = ports_withdraw(ports, find(ports, &one));

		*ret_last = id ? id : *ret_last;
	}
	return 0;
}

static int drop(struct ports *ports, const struct publish *publish, uint64_t who,
                struct err *err)
{
	struct ports_change change = { .who = who };
	int r = publish->automatic ? remove_automatic(ports, &change.last, err)
	                           : take_back_all(ports, publish, &change.last, err);

	if (r < 0)
		return r;
	ports_flush(ports);
	/* It does them in order, so the last answer stands for all. */
	return change.last ? await_answer(ports, &change) : 0;
}

int ports_change(struct ports *ports, bool adding, const char *text, uint64_t who,
                 struct err *err)
{
	struct publish publish;
	int r = publish_parse(text, &publish, err);

	if (r < 0)
		return r;
	if (ports->link[0] < 0) {
		(void)err_set(err, ENONET, "the workspace has no relay");
		return err_hint(err, "published ports take --net relay or pasta, or "
		                     "auto where one of them can be had");
	}
	r = make_room(ports, err);
	if (r == 0)
		r = adding ? add(ports, &publish, who, err)
		           : drop(ports, &publish, who, err);
	ports->changed(ports->ctx);
	return r;
}
