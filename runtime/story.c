#include "story.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#define TERMINATION_LOG "/dev/termination-log"

void story_start(const struct config *config, const struct plan *plan,
                 const struct record *record)
{
	if (!config->entrypoint)
		return;
	log_info("workspace '%s' runs: tier %s, init %s, root %s, network %s",
	         config->name, plan->tier, record->init_mode, record->rootfs,
	         record->net);
	for (size_t i = 0; i < record->limits_n; i++)
		log_info("limit %s", record->limits[i]);
	if (record->ready)
		story_ready(config, record);
}

void story_ready(const struct config *config, const struct record *record)
{
	int64_t ms;

	if (!config->entrypoint)
		return;
	ms = clock_ms(CLOCK_REALTIME) - record->started_ms;
	log_info("workspace '%s' is ready after %.1f s", config->name, (double)ms / 1000);
}

void story_stop(const struct config *config, int signal)
{
	if (config->entrypoint)
		log_info("SIG%s: workspace '%s' gets %llu s to stop",
		         sigabbrev_np(signal), config->name,
		         (unsigned long long)config->stop_timeout_s);
}

void story_end(const struct config *config, const struct record *record, bool restart)
{
	const char *reason = record->reason ? record->reason : "";
	char text[512];
	int len;

	if (!config->entrypoint)
		return;
	if (restart) {
		log_info("workspace '%s' starts again: %s", config->name, reason);
		return;
	}
	len = snprintf(text, sizeof(text), "workspace '%s' ended with %d%s%s",
	               config->name, record->exit_code, *reason ? ": " : "", reason);
	log_info("%s", text);
	if (record->exit_code != 0 && len > 0)
		story_last(text,
		           (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

void story_last(const char *text, size_t size)
{
	cleanup_close int fd = open(TERMINATION_LOG, O_WRONLY | O_NOFOLLOW | O_NONBLOCK |
	                                                     O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || ftruncate(fd, 0) < 0)
		return;
	(void)write_all(fd, text, size < STORY_LAST_MAX ? size : STORY_LAST_MAX);
}
