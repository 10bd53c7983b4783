#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"
#include "check.h"
#include "probe.h"

/* In the pod's own namespaces; the process ends afterwards. */

int check_kernel(struct check_env *env, char *detail, struct err *err)
{
	struct utsname name;

	(void)env;
	if (uname(&name) < 0)
		return err_set(err, errno, "ask for the kernel's version");
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%.120s %.60s", name.release,
	               name.machine);
	return 0;
}

/* A pod's root with its capabilities needs neither ranges nor helpers. */
static bool maps_itself(const struct check_env *env, char *detail)
{
	const struct facts *f = env->facts;

	if (f->uid != 0 || f->node_root)
		return false;
	(void)snprintf(detail, CHECK_DETAIL_MAX,
	               "not needed: root of a user namespace writes its maps itself");
	return true;
}

int check_subids(struct check_env *env, char *detail, struct err *err)
{
	const struct facts *f = env->facts;
	uint64_t uids = 0, gids = 0;

	(void)err;
	if (maps_itself(env, detail))
		return 0;
	for (size_t i = 0; i < f->subuid.n; i++)
		uids += f->subuid.extent[i].count;
	for (size_t i = 0; i < f->subgid.n; i++)
		gids += f->subgid.extent[i].count;
	if (uids == 0 || gids == 0)
		return check_lacks(detail, "no range for user %u in %s", f->uid,
		                   uids == 0 ? "/etc/subuid" : "/etc/subgid");
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%llu user and %llu group IDs",
	               (unsigned long long)uids, (unsigned long long)gids);
	return 0;
}

/* By its setuid bit or a file capability: distributions do either. */
static int may_raise(const char *path, struct err *err)
{
	struct stat st;

	if (access(path, X_OK) < 0 || stat(path, &st) < 0)
		return err_set(err, errno, "find '%s'", path);
	if ((st.st_mode & S_ISUID && st.st_uid == 0) ||
	    getxattr(path, "security.capability", NULL, 0) > 0)
		return 0;
	return err_set(err, EPERM, "'%s' has neither setuid bit nor capability", path);
}

int check_helpers(struct check_env *env, char *detail, struct err *err)
{
	if (maps_itself(env, detail))
		return 0;
	if (env->facts->node_root) {
		(void)snprintf(detail, CHECK_DETAIL_MAX,
		               "not needed by this machine's root");
		return 0;
	}
	if (may_raise("/usr/bin/newuidmap", err) < 0 ||
	    may_raise("/usr/bin/newgidmap", err) < 0)
		return -err->code;
	if (env->facts->no_new_privs)
		return check_lacks(detail, "no_new_privs is set, so they raise nothing");
	if (env->facts->helper_weak) {
		/* Whatever the planner had to say first: it names one obstacle only. */
		(void)snprintf(env->result[CHECK_HELPERS].hint, ERR_HINT_MAX, "%s",
		               plan_helper_weak);
		return check_lacks(detail,
		                   "they are setuid root, and the bounding set lacks "
		                   "CAP_SYS_ADMIN, which root needs to write maps");
	}
	return 0;
}

int check_pidfd(struct check_env *env, char *detail, struct err *err)
{
	cleanup_close int fd = sys_pidfd_open(getpid(), 0);

	(void)env;
	(void)detail;
	if (fd < 0)
		return err_set(err, errno, "pidfd_open");
	if (sys_pidfd_send_signal(fd, 0) < 0)
		return err_set(err, errno, "pidfd_send_signal");
	return 0;
}

int check_clone3(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return sys_has_clone3() ? 0
	                        : err_set(err, errno, "clone3 (clone is used instead)");
}

int check_openat2(struct check_env *env, char *detail, struct err *err)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC,
		                      .resolve =
		                              RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = sys_openat2(root, "proc", &how);

	(void)env;
	(void)detail;
	return fd < 0 ? err_set(err, errno, "openat2") : 0;
}

int check_no_new_privs(struct check_env *env, char *detail, struct err *err)
{
	(void)err;
	return env->facts->no_new_privs
	               ? check_lacks(detail, "no_new_privs is set, and stays so inside")
	               : 0;
}

int check_keyctl(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	/* An anonymous one, which ends with us. */
	if (sys_join_session_keyring() < 0)
		return err_set(err, errno, "join a session keyring");
	return 0;
}

int check_apparmor(struct check_env *env, char *detail, struct err *err)
{
	struct err ignored = { 0 };
	char text[200];

	(void)env;
	(void)err;
	if (file_read(AT_FDCWD, "/proc/self/attr/apparmor/current", text, sizeof(text),
	              &ignored) <= 0) {
		(void)snprintf(detail, CHECK_DETAIL_MAX, "none");
		return 0;
	}
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%s", text);
	return 0;
}

int check_overlay_root(struct check_env *env, char *detail, struct err *err)
{
	const struct facts *f = env->facts;
	const char *fstype = "";

	(void)err;
	for (size_t i = 0; i < f->mount_n; i++)
		if (!strcmp(f->mount[i].point, "/"))
			fstype = f->mount[i].fstype;
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%s", fstype);
	return strcmp(fstype, "overlay") != 0
	               ? 0
	               : check_lacks(detail, "'/' is an overlay itself");
}

int check_manager(struct check_env *env, char *detail, struct err *err)
{
	const struct facts *f = env->facts;

	(void)err;
	if (f->cgroup.ours) {
		(void)snprintf(detail, CHECK_DETAIL_MAX,
		               "not needed: our own group is ours");
		return 0;
	}
	return f->user_manager ? 0 : check_lacks(detail, "none answers");
}

int check_numbers(struct check_env *env, char *detail, struct err *err)
{
	static const char *const files[] = { "max_inotify_watches",
		                             "max_inotify_instances",
		                             "max_user_namespaces" };
	size_t n = 0;

	(void)env;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && n < CHECK_DETAIL_MAX;
	     i++) {
		char path[64], value[32];

		(void)snprintf(path, sizeof(path), "/proc/sys/user/%s", files[i]);
		if (file_read(AT_FDCWD, path, value, sizeof(value), err) < 0)
			return -err->code;
		value[strcspn(value, "\n")] = '\0';
		n += (size_t)snprintf(detail + n, CHECK_DETAIL_MAX - n, "%s%s %s",
		                      n > 0 ? ", " : "", files[i] + 4, value);
	}
	return 0;
}

static int can_open(const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? err_set(err, errno, "open '%s'", path) : 0;
}

int check_tun(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_open("/dev/net/tun", err);
}

int check_pasta(struct check_env *env, char *detail, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };

	(void)env;
	(void)detail;
	return probe_program("pasta", &arena)
	               ? 0
	               : err_set(err, ENOENT, "find the program 'pasta'");
}

int check_fuse(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_open("/dev/fuse", err);
}
