/*
 * Who writes to berth's records, to its images or to upper layers has berth start, execute and
 * remove what he likes, as the launcher. Where a volume shows them that can only be read, an empty
 * mount lies over them, locked a level above the workspace (mount_namespaces(7)). Where it can be
 * written nothing helps: in a mount namespace of his own root inside gets rid of all mounts at
 * once (pivot_root(2) gives the lock of the old root to the new one), and renames what lies above
 * the cover. So that is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "apply.h"
#include "base/fd.h"

/* What was looked at, or what was made since by us. */
static int check_same(const struct launch *launch, const char *path, int dir,
                      struct err *err)
{
	const struct hidden_fact *fact = launch->facts->hidden;
	struct stat st;

	if (fstat(dir, &st) < 0)
		return err_set(err, errno, "look at '%s'", path);
	for (int i = 0; i < HIDDEN_N; i++)
		if (fact[i].path && !strcmp(fact[i].path, path) && fact[i].ino != 0 &&
		    (fact[i].ino != st.st_ino || fact[i].dev != st.st_dev))
			return err_set(err, ESTALE, "'%s' was replaced meanwhile", path);
	return 0;
}

int apply_hide(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int mnt = -EBADF;
	cleanup_close int dir =
		open(step->target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (dir < 0)
		return err_set(err, errno, "open '%s'", step->target);
	r = check_same(launch, step->target, dir, err);
	if (r < 0)
		return r;
	mnt = new_mount("tmpfs", "mode=0755", step->flags, err);
	return mnt < 0 ? mnt : mount_attach(mnt, dir, step->target, err);
}
