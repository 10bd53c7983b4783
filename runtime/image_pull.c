#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "exec.h"
#include "image_gc.h"
#include "image_internal.h"
#include "image_program.h"
#include "image_unpack.h"

/**
 * struct job - A pull under way
 * @store:	open and locked
 * @stage:	of our own, named @name
 * @damaged:	blobs that were not what their digest says
 */
struct job {
	struct image_store *store;
	const struct image_wish *wish;
	const struct image_ids *ids;
	struct progress progress;
	int stage;
	const char *name;
	unsigned int damaged;
	struct arena *arena;
};

/* A layout of our own making for umoci, whose blobs are the store's. */
static int make_layout(struct job *job, const char *digest, size_t size, struct err *err)
{
	static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	cleanup_close int dir = -EBADF;
	const char *index = arena_printf(
		job->arena,
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		"\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
		"\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"%"
		"s\"}}]}",
		digest, size, IMAGE_TAG);
	int r;

	if (mkdirat(job->stage, "unpack", 0755) < 0)
		return err_set(err, errno, "make a layout");
	dir = openat(job->stage, "unpack",
	             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || mkdirat(dir, "blobs", 0755) < 0)
		return err_set(err, errno, "make a layout");
	r = file_create(dir, "oci-layout", 0644, version, strlen(version), err);
	if (r == 0)
		r = file_create(dir, "index.json", 0644, index, strlen(index), err);
	return r;
}

/* tmp/NAME/tree/rootfs, which belongs to root of the ID map. */
static int make_tree(struct job *job, int *ret, struct err *err)
{
	const struct image_ids *ids = job->ids;
	cleanup_close int tree = -EBADF, rootfs = -EBADF;

	if (mkdirat(job->stage, "tree", ids->foreign ? 0710 : 0700) < 0)
		return err_set(err, errno, "make a tree");
	tree = openat(job->stage, "tree",
	              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree < 0 || mkdirat(tree, "rootfs", 0755) < 0)
		return err_set(err, errno, "make a tree");
	rootfs = openat(tree, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rootfs < 0)
		return err_set(err, errno, "make a tree");
	if (ids->foreign &&
	    (fchown(tree, (uid_t)-1, image_owner(ids)) < 0 ||
	     fchown(rootfs, ids->uid.extent[0].outside, ids->gid.extent[0].outside) < 0))
		return err_set(err, errno, "give the tree to root of the ID map");
	*ret = take_fd(&tree);
	return 0;
}

/* Under its name, once it is whole and on the disk. */
static int publish_tree(struct job *job, int tree, const char *path, int64_t size,
                        const char *config, size_t config_n, struct err *err)
{
	const char *above =
		arena_printf(job->arena, "%.*s", (int)(strrchr(path, '/') - path), path);
	cleanup_close int dir = -EBADF;
	char text[32];
	int r;

	(void)snprintf(text, sizeof(text), "%lld\n", (long long)size);
	r = image_file_put(tree, "size", text, strlen(text), err);
	if (r == 0)
		r = image_file_put(tree, "config.json", config, config_n, err);
	if (r < 0)
		return r;
	if (mkdirat(job->store->dir, above, job->ids->foreign ? 0710 : 0700) == 0) {
		cleanup_close int map = image_store_dir(job->store, above, err);

		if (map < 0)
			return map;
		if (job->ids->foreign &&
		    fchown(map, (uid_t)-1, image_owner(job->ids)) < 0)
			return err_set(err, errno, "hand over '%s'", above);
	} else if (errno != EEXIST) {
		return err_set(err, errno, "make '%s/%s'", job->store->path, above);
	}
	dir = image_store_dir(job->store, above, err);
	if (dir < 0)
		return dir;
	if (renameat(job->stage, "tree", job->store->dir, path) < 0 || fsync(dir) < 0)
		return err_set(err, errno, "put the tree in place");
	return 0;
}

/* A line of sha256sum(1), "HEX  .../blobs/sha256/HEX"; @ctx is the job. */
static void check_sum(void *ctx, char *line)
{
	const char *slash = strrchr(line, '/');
	struct job *job = ctx;
	struct err ignored = { 0 };
	cleanup_close int blobs = -EBADF;

	/* So it marks a path that it had to quote: sum(1). */
	line += *line == '\\';
	if (!slash || !strncmp(line, slash + 1, 64))
		return;
	blobs = image_store_dir(job->store, "blobs/sha256", &ignored);
	if (blobs >= 0 && unlinkat(blobs, slash + 1, 0) == 0)
		job->damaged++;
}

/* Blobs that are not what they claim go: the next pull fetches them again. */
static void drop_damaged(struct job *job, const char *digest,
                         const struct image_manifest *manifest)
{
	struct program sums = { .package = "coreutils",
		                .out = -EBADF,
		                .watched = -EBADF,
		                .line = check_sum,
		                .ctx = job };
	const char *const fixed[] = { digest, manifest->config.digest };
	const char **argv =
		arena_alloc(job->arena, (manifest->layer_n + 5) * sizeof(*argv));
	struct err ignored = { 0 };
	size_t n = 0;

	if (!argv)
		return;
	argv[n++] = "sha256sum";
	argv[n++] = "--";
	for (size_t i = 0; i < 2 + manifest->layer_n; i++)
		argv[n++] = arena_printf(
			job->arena, "%s/blobs/sha256/%s", job->store->path,
			(i < 2 ? fixed[i] : manifest->layer[i - 2].digest) + 7);
	sums.argv = argv;
	(void)program_run(&sums, &ignored);
}

static int unpack(struct job *job, const char *digest, struct err *err)
{
	const char *path =
		image_tree_path(digest, &job->ids->uid, &job->ids->gid, job->arena);
	cleanup_close int tree = -EBADF;
	struct image_manifest manifest;
	struct image_config config;
	const char *text, *config_text;
	ssize_t n, config_n;
	int r;

	n = image_blob_read(job->store, digest, job->arena, &text, err);
	r = n < 0 ? (int)n
	          : image_manifest_read(text, (size_t)n, job->arena, &manifest, err);
	if (r < 0)
		return r;
	config_n = image_blob_read(job->store, manifest.config.digest, job->arena,
	                           &config_text, err);
	r = config_n < 0 ? (int)config_n
	                 : image_config_read(config_text, (size_t)config_n, job->arena,
	                                     &config, err);
	if (r == 0)
		r = make_layout(job, digest, (size_t)n, err);
	if (r == 0)
		r = make_tree(job, &tree, err);
	if (r < 0)
		return r;
	struct unpack spec = {
		.store = job->store->dir,
		.stage = arena_printf(job->arena, "tmp/%s", job->name),
	};

	progress_step(&job->progress, "unpack", digest);
	r = image_unpack(&spec, err);
	if (r == -EIO || r == -EBADMSG)
		drop_damaged(job, digest, &manifest);
	if (job->damaged > 0) {
		err->code = EBADMSG;
		err->hint[0] = '\0'; /* the layer as it should be may be a good one */
		r = err_hint(err,
		             "%u of its blobs were damaged, and are removed from the "
		             "store: pull it again",
		             job->damaged);
	}
	return r < 0 ? r
	             : publish_tree(job, tree, path, spec.size, config_text,
	                            (size_t)config_n, err);
}

/* One at a time: who waited finds it done. */
static int unpack_once(struct job *job, const char *digest, struct image_tree *ret,
                       struct err *err)
{
	cleanup_close int turn = -EBADF;
	int r;

	turn = image_store_turn(
		job->store, "tree",
		image_tree_path(digest, &job->ids->uid, &job->ids->gid, job->arena), true,
		err);
	if (turn < 0)
		return turn;
	r = image_tree_read(job->store, digest, job->ids, job->arena, ret, err);
	if (r != -ENOENT)
		return r;
	err_clear(err);
	if (job->ids->lacking) {
		(void)err_set(err, EPERM,
		              "an image has files of %d owners, and this user "
		              "fewer IDs",
		              IDMAP_FULL);
		return err_hint(err, "%s", job->ids->lacking);
	}
	r = unpack(job, digest, err);
	return r < 0 ? r
	             : image_tree_read(job->store, digest, job->ids, job->arena, ret,
	                               err);
}

/* What of it is in the store: the digest, or NULL where it has to be fetched. */
static int known_digest(struct job *job, int64_t begun_ms, const char **ret,
                        struct err *err)
{
	const struct image_entry *entry;
	struct image_list list;
	const char *stamp;
	int r = image_store_list(job->store, job->arena, &list, err);

	if (r < 0)
		return r;
	entry = image_list_find(&list, job->wish->ref.text);
	stamp = image_stamp(&job->wish->ref, job->arena);
	/* Whoever we waited for has it from a moment ago. */
	if (entry && !strcmp(stamp, entry->stamp) &&
	    (job->wish->when != IMAGE_ALWAYS || entry->pulled_ms >= begun_ms))
		*ret = entry->digest;
	return 0;
}

/* Who lacks one of them is told before gigabytes have come, and not after. */
static int require_programs(struct err *err)
{
	int r = program_require("skopeo", "skopeo", getenv("PATH"), err);

	/* Whatever the caller's PATH: it is executed in a root of its own. */
	return r < 0 ? r : program_require("umoci", "umoci", EXEC_PATH, err);
}

static int pull(struct job *job, int64_t begun_ms, struct image_tree *ret,
                struct err *err)
{
	struct image_entry entry = { .ref = job->wish->ref.text };
	const char *digest = NULL;
	int r = known_digest(job, begun_ms, &digest, err);

	if (r == 0 && digest) {
		r = unpack_once(job, digest, ret, err);
		if (r == 0)
			progress_step(&job->progress, "done", digest);
		if (r != -ENOENT || !program_found("umoci", EXEC_PATH))
			return r;
		err_clear(err); /* its blobs are gone: from the start */
	}
	if (r < 0 && r != -ENOENT)
		return r;
	r = require_programs(err);
	if (r < 0)
		return r;
	entry.stamp = image_stamp(&job->wish->ref, job->arena);
	progress_step(&job->progress, "pull", NULL);
	r = image_copy(job->store, job->wish, job->name, &job->progress, job->arena,
	               &digest, err);
	if (r == 0)
		r = unpack_once(job, digest, ret, err);
	if (r < 0)
		return r;
	entry.digest = digest;
	entry.pulled_ms = clock_ms(CLOCK_REALTIME);
	r = image_store_put(job->store, &entry, err);
	if (r == 0)
		progress_step(&job->progress, "done", digest);
	return r;
}

static int pull_staged(struct job *job, int64_t begun_ms, struct image_tree *ret,
                       struct err *err)
{
	cleanup_close int stage =
		image_stage(job->store, job->ids, job->arena, &job->name, err);
	struct err ignored = { 0 };
	int r;

	if (stage < 0)
		return stage;
	job->stage = stage;
	r = pull(job, begun_ms, ret, err);
	(void)image_stage_remove(job->store, job->name, &ignored);
	return r;
}

/* Whether what a full disk holds was of no use to anybody, and has gone. */
static bool make_room(struct job *job, const struct err *why)
{
	struct err err = { 0 };
	int n = image_trim(job->store, 0, NULL, job->arena, &err);

	if (n < 0)
		log_warn("make room: %s: %s", err.text, strerror(err.code));
	if (n > 0)
		log_warn("%s: %s: what nobody uses was removed (%d), and it is tried "
		         "again",
		         why->text, strerror(why->code), n);
	return n > 0;
}

/* A store that stays too large is no failure: what it holds is used. */
static void keep_bound(struct job *job, const char *digest)
{
	struct err err = { 0 };

	if (job->wish->keep != UINT64_MAX &&
	    image_trim(job->store, job->wish->keep, digest, job->arena, &err) < 0)
		log_warn("keep the store below its size: %s: %s", err.text,
		         strerror(err.code));
}

int image_pull(const struct image_wish *wish, const struct image_ids *ids,
               struct arena *arena, struct image_tree *ret, struct err *err)
{
	cleanup_image_store struct image_store store = IMAGE_STORE_NONE;
	cleanup_close int turn = -EBADF;
	const int64_t begun_ms = clock_ms(CLOCK_REALTIME);
	struct job job = { .wish = wish, .ids = ids, .store = &store, .arena = arena };
	int r;

	if (strchr(wish->store, ':')) {
		(void)err_set(err, EINVAL, "the store '%s' has a ':' in its path",
		              wish->store);
		return err_step(err, "image");
	}
	progress_begin(&job.progress, wish->progress, wish->ref.text);
	r = image_store_open(wish->store, true, image_owner(ids), arena, &store, err);
	if (r == 0)
		r = image_sweep(&store, err);
	if (r < 0)
		return err_step(err, "image");
	turn = image_store_turn(&store, "ref", wish->ref.text, false, err);
	if (turn == -EAGAIN) {
		progress_step(&job.progress, "wait", NULL);
		turn = image_store_turn(&store, "ref", wish->ref.text, true, err);
	}
	if (turn < 0)
		return err_step(err, "image");
	r = pull_staged(&job, begun_ms, ret, err);
	if ((r == -ENOSPC || r == -EDQUOT) && make_room(&job, err)) {
		err_clear(err);
		r = pull_staged(&job, begun_ms, ret, err);
	}
	if (r == 0)
		keep_bound(&job, ret->digest);
	if (r == 0 && arena->failed)
		r = err_set(err, ENOMEM, "pull the image");
	return r < 0 ? err_step(err, "image") : 0;
}
