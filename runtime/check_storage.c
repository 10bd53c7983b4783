#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "exec.h"
#include "image_program.h"
#include "storage.h"

/* In the pod's own namespaces: what images need, and where --state is. */

static int find(const char *program, const char *path, struct err *err)
{
	return program_found(program, path)
	               ? 0
	               : err_set(err, ENOENT, "find the program '%s'", program);
}

int check_skopeo(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return find("skopeo", getenv("PATH"), err);
}

int check_umoci(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	/* Whatever the caller's PATH: image_unpack.c gives it a root of its own. */
	return find("umoci", EXEC_PATH, err);
}

/* Return: 0; CHECK_SKIP where there is no such directory; -errno. */
static int look(const struct check_env *env, char *detail, struct storage_fact *ret,
                struct err *err)
{
	if (!env->state) {
		(void)snprintf(detail, CHECK_DETAIL_MAX,
		               "neither --state nor BERTH_STATE says where");
		return CHECK_SKIP;
	}
	return storage_look(env->state, ret)
	               ? 0
	               : err_set(err, errno, "look at '%s'", env->state);
}

int check_state_layers(struct check_env *env, char *detail, struct err *err)
{
	struct storage_fact fact;
	int r = look(env, detail, &fact, err);

	if (r != 0)
		return r;
	if (storage_refuses_layers(&fact))
		return check_lacks(detail, "'%s' lies on %s", env->state, fact.fstype);
	if (fact.read_only)
		return err_set(err, EROFS, "write to '%s'", env->state);
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%s", env->state);
	return 0;
}

int check_state_room(struct check_env *env, char *detail, struct err *err)
{
	struct storage_fact fact;
	int r = look(env, detail, &fact, err), n;

	if (r != 0)
		return r;
	n = fact.bytes == UINT64_MAX
	            ? 0
	            : snprintf(detail, CHECK_DETAIL_MAX, "%" PRIu64 " MiB are free",
	                       fact.bytes >> 20);
	if (fact.inodes != UINT64_MAX)
		(void)snprintf(detail + n, CHECK_DETAIL_MAX - (size_t)n,
		               "%s%" PRIu64 " inodes", n > 0 ? ", " : "", fact.inodes);
	return fact.bytes < STORAGE_LAYERS_BYTES || fact.inodes < STORAGE_LAYERS_INODES
	               ? CHECK_LACKS
	               : 0;
}

int check_state_exec(struct check_env *env, char *detail, struct err *err)
{
	struct storage_fact fact;
	int r = look(env, detail, &fact, err);

	if (r != 0)
		return r;
	return fact.noexec ? check_lacks(detail, "'%s' is mounted noexec", env->state)
	                   : 0;
}
