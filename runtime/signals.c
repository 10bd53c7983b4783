#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/number.h"

/* Names beside those that the C library knows. */
static const struct {
	const char *name;
	int number;
} aliases[] = {
	{ "CLD", SIGCHLD },
	{ "IO", SIGIO },
	{ "IOT", SIGABRT },
	{ "POLL", SIGPOLL },
};

/* "RTMIN", "RTMIN+3", "RTMAX-2": the number, or 0. */
static int parse_realtime(const char *name)
{
	struct err ignored = { 0 };
	uint64_t offset = 0;
	char sign;
	int base;

	if (!strncasecmp(name, "RTMIN", 5))
		base = SIGRTMIN;
	else if (!strncasecmp(name, "RTMAX", 5))
		base = SIGRTMAX;
	else
		return 0;
	sign = name[5];
	if (sign == '\0')
		return base;
	if (sign != (base == SIGRTMIN ? '+' : '-') ||
	    number_parse(name + 6, 0, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset,
	                 &ignored) < 0)
		return 0;
	return sign == '+' ? base + (int)offset : base - (int)offset;
}

static int parse_name(const char *name)
{
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *known = sigabbrev_np(i);

		if (known && !strcasecmp(known, name))
			return i;
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcasecmp(aliases[i].name, name))
			return aliases[i].number;
	return parse_realtime(name);
}

int signal_parse(const char *text, int *ret, struct err *err)
{
	struct err ignored = { 0 };
	uint64_t number = 0;

	if (number_parse(text, 1, (uint64_t)SIGRTMAX, &number, &ignored) < 0)
		number = (uint64_t)parse_name(!strncasecmp(text, "SIG", 3) ? text + 3
		                                                           : text);
	if (number == 0) {
		(void)err_set(err, EINVAL, "'%s' is not a signal", text);
		return err_hint(err,
		                "a signal is a number of 1 to %d, or a name such as "
		                "TERM, SIGUSR1 or RTMIN+3",
		                SIGRTMAX);
	}
	*ret = (int)number;
	return 0;
}

bool signals_end_pending(void)
{
	sigset_t set;

	if (sigpending(&set) < 0)
		return false;
	return sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1 ||
	       sigismember(&set, SIGHUP) == 1 || sigismember(&set, SIGQUIT) == 1;
}

void signals_unblock(const sigset_t *mask)
{
	const struct timespec now = { 0 };
	sigset_t all;

	(void)sigfillset(&all);
	while (sigtimedwait(&all, NULL, &now) > 0)
		continue;
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}
