#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"

#define SYSTEMD_RUN "/usr/bin/systemd-run"

bool scope_available(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *runtime = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
	cleanup_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/systemd/private",
	                 runtime ? runtime : "");

	if (sock < 0 || n < 0 || n >= (int)sizeof(address.sun_path))
		return false;
	return connect(sock, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	       access(SYSTEMD_RUN, X_OK) == 0;
}

const char *scope_entered(void)
{
	return getenv(SCOPE_VARIABLE);
}

const char *scope_policy(void)
{
	return scope_entered() ? getenv(SCOPE_POLICY_VARIABLE) : NULL;
}

int scope_enter(const char *name, const char *policy, const char *const *words, size_t n,
                struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	/* By descriptor: by the time it is executed, /proc/self/exe is systemd-run's. */
	cleanup_close int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	const char **argv = arena_alloc(&arena, (n + 10) * sizeof(*argv));
	const char *unit = arena_printf(&arena, "berth-%s-%d.scope", name, (int)getpid());
	size_t k = 0;

	if (scope_entered()) {
		(void)err_set(
			err, EPERM,
			"the scope '%s' of the service manager is not delegated to us",
			scope_entered());
		(void)err_hint(
			err, "see what is wrong with systemd-run --scope -p Delegate=yes "
			     "cat /proc/self/cgroup");
		return err_step(err, "scope");
	}
	if (!argv || self < 0) {
		(void)err_set(err, self < 0 ? errno : ENOMEM, "enter a scope");
		return err_step(err, "scope");
	}
	argv[k++] = SYSTEMD_RUN;
	if (geteuid() != 0)
		argv[k++] = "--user";
	argv[k++] = "--scope";
	argv[k++] = arena_printf(&arena, "--unit=%s", unit);
	argv[k++] = "--quiet";
	argv[k++] = "--collect";
	argv[k++] = "--property=Delegate=yes";
	argv[k++] = "--";
	argv[k++] = arena_printf(&arena, "/proc/self/fd/%d", self);
	for (size_t i = 0; i < n; i++)
		argv[k++] = words[i];
	argv[k] = NULL;
	if (arena.failed) {
		(void)err_set(err, ENOMEM, "enter a scope");
		return err_step(err, "scope");
	}
	(void)setenv(SCOPE_VARIABLE, unit, 1);
	(void)(policy ? setenv(SCOPE_POLICY_VARIABLE, policy, 1)
	              : unsetenv(SCOPE_POLICY_VARIABLE));
	(void)fcntl(self, F_SETFD, 0);
	(void)execv(argv[0], (char *const *)argv);
	(void)err_set(err, errno, "execute '%s'", argv[0]);
	return err_step(err, "scope");
}
