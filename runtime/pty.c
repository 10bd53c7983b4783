#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/syscall.h"

static int open_ptmx(struct err *err)
{
	const struct open_how to_dir = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	/* NO_XDEV: in a devpts there are nothing but terminals, unless one is hidden
	 * below another mount. */
	const struct open_how to_ptmx = {
		.flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	cleanup_close int dir = sys_openat2(AT_FDCWD, "/dev/pts", &to_dir);
	struct statfs fs;
	int ptmx;

	if (dir < 0)
		return err_set(err, errno, "open '/dev/pts' in the workspace");
	if (fstatfs(dir, &fs) < 0)
		return err_set(err, errno, "look at '/dev/pts' in the workspace");
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_set(err, ENOTTY, "'/dev/pts' in the workspace is no devpts");
	ptmx = sys_openat2(dir, "ptmx", &to_ptmx);
	if (ptmx < 0)
		return err_set(err, errno, "open '/dev/pts/ptmx' in the workspace");
	return ptmx;
}

static int open_both(int *ret_master, int *ret_slave, struct err *err)
{
	cleanup_close int master = open_ptmx(err);
	const int unlock = 0;
	int slave;

	if (master < 0)
		return master;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_set(err, errno, "unlock a pty");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_set(err, errno, "open the other side of a pty");
	*ret_slave = slave;
	*ret_master = take_fd(&master);
	return 0;
}

int pty_open(int *ret_master, int *ret_slave, struct err *err)
{
	return open_both(ret_master, ret_slave, err) < 0 ? err_step(err, "terminal") : 0;
}
