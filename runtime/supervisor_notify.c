#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "story.h"
#include "supervisor_internal.h"

/* init's messages, sd_notify(3): only about itself, so anybody inside may lie. */

static void hear(struct supervisor *sup, char *text)
{
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "READY=1") != 0 || sup->ws->record.ready)
			continue;
		sup->ws->record.ready = true;
		supervisor_write_record(sup);
		story_ready(sup->ws->config, &sup->ws->record);
		supervisor_ready(sup);
	}
}

static int on_notify(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	struct itimerspec when = { 0 };
	char text[4096];
	int rest_ms;
	ssize_t n;

	(void)revents;
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n < 0)
		return LOOP_GO;
	text[n] = '\0';
	if (!sup->exited)
		hear(sup, text);
	rest_ms = ear_rest_ms(&sup->notify_rate, clock_ms(CLOCK_MONOTONIC));
	if (rest_ms == 0)
		return LOOP_GO;
	when.it_value.tv_nsec = rest_ms * 1000000L;
	if (timerfd_settime(sup->notify_rest, 0, &when, NULL) < 0)
		return err_set(err, errno, "set a timer");
	loop_set_events(&sup->loop, fd, 0);
	return LOOP_GO;
}

static int on_rested(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	uint64_t times;

	(void)revents;
	(void)err;
	if (read(fd, &times, sizeof(times)) == (ssize_t)sizeof(times))
		loop_set_events(&sup->loop, sup->notify, POLLIN);
	return LOOP_GO;
}

int supervisor_listen_notify(struct supervisor *sup, struct err *err)
{
	if (sup->notify < 0)
		return 0;
	if (ear_open(&sup->ear, &sup->notify, err) < 0)
		return -err->code;
	sup->notify_rest = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (sup->notify_rest < 0)
		return err_set(err, errno, "make a timer");
	if (loop_add(&sup->loop, sup->notify, POLLIN, on_notify, sup, err) < 0 ||
	    loop_add(&sup->loop, sup->notify_rest, POLLIN, on_rested, sup, err) < 0)
		return -err->code;
	return 0;
}
