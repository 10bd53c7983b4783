/*
 * berth-cgroup1 - Write one value to a group of cgroup v1
 *
 *	berth-cgroup1 CONTROLLER GROUP FILE VALUE	3: the group's directory
 *
 * The only program that links libcgroup, executed by berth where a limit is to be held
 * by cgroup v1, and nowhere else: berth itself is static, and would pay 0.2 ms at each
 * start.
 *
 * Exit status: 0, or an errno, with a line on standard error.
 */
#include <errno.h>
#include <libcgroup.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroups/v1_program.h"

/* The library's own would print to standard output. */
static void no_log(void *userdata, int level, const char *format, va_list args)
{
	(void)userdata;
	(void)level;
	(void)format;
	(void)args;
}

static int fail(const char *what, int lib, int code)
{
	(void)fprintf(stderr, "%s: libcgroup says '%s'\n", what, cgroup_strerror(lib));
	/* 1 to 255 is what an exit status can say. */
	return code > 0 && code < 256 ? code : EIO;
}

/* Whether the library's idea of the group is the directory that berth made. */
static int compare(const char *controller, const char *group)
{
	struct stat its, ours;
	char path[8192];
	char *mount = NULL;
	int r = cgroup_get_subsys_mount_point(controller, &mount);

	if (r != 0)
		return fail("find the mount point", r, ENODEV);
	if (snprintf(path, sizeof(path), "%s/%s", mount, group) >= (int)sizeof(path))
		return ENAMETOOLONG;
	free(mount);
	if (stat(path, &its) < 0 || fstat(CGROUP1_DIR_FD, &ours) < 0) {
		(void)fprintf(stderr, "look at '%s'\n", path);
		return errno;
	}
	if (its.st_dev == ours.st_dev && its.st_ino == ours.st_ino)
		return 0;
	(void)fprintf(stderr, "libcgroup would write to '%s', another group\n", path);
	return ESTALE;
}

int main(int argc, char **argv)
{
	struct cgroup_controller *controller;
	struct cgroup *group;
	int r;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: berth-cgroup1 CONTROLLER GROUP FILE VALUE, "
		                      "executed by berth\n");
		return EINVAL;
	}
	cgroup_set_logger(no_log, CGROUP_LOG_ERROR, NULL);
	r = cgroup_init();
	if (r != 0)
		return fail("look for hierarchies", r, errno);
	r = compare(argv[1], argv[2]);
	if (r != 0)
		return r;
	group = cgroup_new_cgroup(argv[2]);
	controller = group ? cgroup_add_controller(group, argv[1]) : NULL;
	if (!controller)
		return ENOMEM;
	r = cgroup_add_value_string(controller, argv[3], argv[4]);
	if (r != 0)
		return fail("take the value", r, EINVAL);
	errno = 0;
	r = cgroup_modify_cgroup(group);
	if (r != 0)
		return fail("write it", r, errno);
	cgroup_free(&group);
	return 0;
}
