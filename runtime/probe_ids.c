#include "probe.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/syscall.h"
#include "seal.h"

static bool setuid_root(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_mode & S_ISUID && st.st_uid == 0;
}

/* Neither this nor probe_map() is inlined: their buffers are for one after another. */
__attribute__((noinline)) static int probe_status(struct facts *facts, struct err *err)
{
	const uint64_t need =
		1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETFCAP;
	struct err ignored = { 0 };
	const char *caps, *bounding, *nnp;
	char text[8192];

	if (file_read(AT_FDCWD, "/proc/self/status", text, sizeof(text), err) < 0)
		return -err->code;
	caps = strstr(text, "\nCapEff:\t");
	bounding = strstr(text, "\nCapBnd:\t");
	nnp = strstr(text, "\nNoNewPrivs:\t");
	facts->can_map = caps && (strtoull(caps + 9, NULL, 16) & need) == need;
	facts->helper_weak = (setuid_root("/usr/bin/newuidmap") ||
	                      setuid_root("/usr/bin/newgidmap")) &&
	                     bounding &&
	                     !(strtoull(bounding + 9, NULL, 16) & 1ULL << CAP_SYS_ADMIN);
	facts->no_new_privs = nnp && nnp[13] == '1';
	facts->setgroups_denied = file_read(AT_FDCWD, "/proc/self/setgroups", text,
	                                    sizeof(text), &ignored) >= 0 &&
	                          !strncmp(text, "deny", 4);
	return 0;
}

__attribute__((noinline)) static int probe_map(const char *path, struct idmap *ret,
                                               struct err *err)
{
	char text[12288]; /* the kernel's 340 lines, as it pads them */

	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -err->code;
	return idmap_parse(text, ret, err);
}

/*
 * Our login name: by /etc/passwd, without the C library, which would load modules of
 * other name services and, linked statically, may not. Those who are known there only
 * go by $USER: newuidmap asks properly, and refuses what is not lent to us.
 */
static const char *login(struct arena *arena, uid_t uid)
{
	struct err ignored = { 0 };
	const char *slurped;
	char *text, *save = NULL;

	if (file_slurp(AT_FDCWD, "/etc/passwd", 16 << 20, arena, &slurped, &ignored) < 0)
		return getenv("USER");
	text = (char *)arena_dup(arena, slurped);
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *password = strchr(line, ':');
		char *number = password ? strchr(password + 1, ':') : NULL;
		char *end;

		if (!number || number[1] < '0' || number[1] > '9' ||
		    strtoul(number + 1, &end, 10) != uid || *end != ':')
			continue;
		*password = '\0';
		return line;
	}
	return getenv("USER");
}

static void probe_lent(struct arena *arena, struct facts *facts)
{
	const struct {
		const char *path;
		struct idmap *ret;
	} files[] = {
		{ "/etc/subuid", &facts->subuid },
		{ "/etc/subgid", &facts->subgid },
	};
	const char *name = login(arena, facts->uid);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct err ignored = { 0 };
		const char *text;

		if (file_slurp(AT_FDCWD, files[i].path, 16 << 20, arena, &text,
		               &ignored) >= 0)
			idmap_subids(text, name, facts->uid, files[i].ret);
	}
	facts->newuidmap = access("/usr/bin/newuidmap", X_OK) == 0 &&
	                   access("/usr/bin/newgidmap", X_OK) == 0;
}

int probe_ids(struct arena *arena, struct facts *ret, struct err *err)
{
	struct stat st;
	int r;

	ret->uid = geteuid();
	ret->gid = getegid();
	r = probe_status(ret, err);
	if (r == 0)
		r = probe_map("/proc/self/uid_map", &ret->own_uid, err);
	if (r == 0)
		r = probe_map("/proc/self/gid_map", &ret->own_gid, err);
	if (r < 0)
		return err_hint(err, "berth needs /proc: mount it");
	/* /proc/sys belongs to the node's root, whoever looks: mapped to us or not. */
	ret->node_root = ret->uid == 0 && stat("/proc/sys/kernel/ostype", &st) == 0 &&
	                 st.st_uid == 0;
	if (ret->uid != 0 || ret->node_root)
		probe_lent(arena, ret);
	ret->self = seal_look();
	ret->clone3 = sys_has_clone3();
	return 0;
}
