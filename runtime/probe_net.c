#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "exec.h"
#include "netns/gateway.h"
#include "netns/loopback.h"
#include "netns/try.h"
#include "probe.h"
#include "spawn.h"

/*
 * What the kernel has of networks is found by trying, in namespaces that go with a child: modules
 * load by themselves, so nothing that can be read tells. Where it cannot be tried the launch
 * will say why.
 */

enum { HAS, LACKS, UNKNOWN };

static int try_divert(void *unused)
{
	struct err err = { 0 };
	int r = gateway_try_divert(&err);

	(void)unused;
	if (r == 0)
		return HAS;
	return gateway_lacks_divert(r) ? LACKS : UNKNOWN;
}

static int try_relay(void *unused)
{
	struct err err = { 0 };
	int r = loopback_up(&err);

	(void)unused;
	if (r == 0)
		r = netns_try_relay(&err);
	if (r == 0)
		return HAS;
	return r == -ENOENT || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT ? LACKS
	                                                                 : UNKNOWN;
}

static bool is_lacking(int (*child)(void *), bool clone3)
{
	const struct spawn spec = { .ns_flags = CLONE_NEWUSER | CLONE_NEWNET,
		                    .cgroup = -EBADF,
		                    .clone3 = clone3,
		                    .child = child };
	cleanup_close int pidfd = -EBADF;
	struct err ignored = { 0 };
	const pid_t pid = spawn(&spec, &pidfd, &ignored);
	int status = 0;

	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == LACKS;
}

bool probe_undiverted(bool clone3)
{
	return is_lacking(try_divert, clone3);
}

const char *probe_program(const char *name, struct arena *arena)
{
	const char *path = EXEC_PATH;

	while (*path) {
		const size_t n = strcspn(path, ":");
		const char *file = arena_printf(arena, "%.*s/%s", (int)n, path, name);

		if (access(file, X_OK) == 0)
			return file;
		path += n + (path[n] == ':');
	}
	return NULL;
}

void probe_pasta(bool automatic, bool foresees, bool clone3, struct arena *arena,
                 struct net_facts *net)
{
	cleanup_close int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct statvfs sysctls;

	net->tun = tun < 0 ? errno : 0;
	net->pasta = probe_program("pasta", arena);
	/* Of a namespace's own the file belongs to its root; a mount may still forbid it. */
	net->forwards6 =
		statvfs("/proc/sys/net", &sysctls) == 0 && !(sysctls.f_flag & ST_RDONLY);
	net->unrelayed = automatic && (foresees || (net->pasta && net->tun == 0)) &&
	                 is_lacking(try_relay, clone3);
}
