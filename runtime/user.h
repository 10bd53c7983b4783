#ifndef USER_H
#define USER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define USER_GROUPS_MAX 256

/**
 * struct user - Who a command runs as
 * @uid, @gid:	in the workspace
 * @groups:	supplementary groups, @groups_n of them
 * @home:	of the passwd line; "/root" or "/" where there is none
 * @shell:	of the passwd line; "/bin/sh" where there is none
 */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	size_t groups_n;
	char home[256], shell[256];
};

/**
 * user_lookup() - Read "NAME|UID[:GROUP|GID]" as docker(1) does
 * @spec:	an empty user part is root
 * @ret:	set on success only
 * @err:	filled in on failure, with the step "user"
 *
 * Reads /etc/passwd and /etc/group of the current root by itself: the C library would
 * load NSS modules of the workspace into our process. A UID needs no line; its group is
 * 0 then. Supplementary groups are those that list the user's name, none when a group
 * is given.
 *
 * Return: 0; -ENOENT for a name without a line; -ERANGE for a number above 2^31 - 1;
 * -E2BIG for more groups than fit; -EFBIG for a file above 1 MiB; else -errno.
 */
int user_lookup(const char *spec, struct user *ret, struct err *err);

/**
 * user_become() - Change to a user and its groups, for good
 * @user:	who
 * @err:	filled in on failure, with the step "user"
 *
 * Root keeps its capabilities, anybody else loses them. Clears PDEATHSIG where an ID
 * changes, and may make the process dumpable (fs.suid_dumpable): set those afterwards.
 *
 * Where the ID map has one ID only, the kernel denies setgroups(2); for a user without
 * supplementary groups that is no reason to fail: what the caller had cannot be dropped.
 *
 * Return: 0; -EINVAL for an ID that the map does not have; -EPERM where
 * supplementary groups are wanted and denied; else -errno.
 */
int user_become(const struct user *user, struct err *err);

/**
 * user_take_stdio() - Make descriptors 0 to 2 the user's, where they are pipes or a pty
 * @user:	who
 *
 * Without that, "> /dev/stderr" is refused to anybody but root. Failures are ignored: a
 * file that is not of our ID map is none of ours to give away.
 */
void user_take_stdio(const struct user *user);

#endif
