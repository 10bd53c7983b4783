#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/syscall.h"
#include "base/tree.h"

/*
 * Docker's images without their bytes: what is small is copied, and in the place of a layer's
 * directory is a link into the seed, which overlay takes for a lower layer as well. Of Docker's
 * layout with overlay2 this is known here:
 *
 *	image/overlay2/repositories.json, imagedb/, distribution/   names, configurations
 *	image/overlay2/layerdb/sha256/CHAIN/cache-id                the ID of a layer
 *	overlay2/ID/{link,lower,committed,diff/}                    the layer
 *	overlay2/l/LINK                                             a link to its diff/
 *
 * Containers, volumes, networks and caches of builds stay behind.
 *
 * Where we are: in the workspace's namespaces and root, before anything of the image runs. The
 * seed may be another workspace's work, and the directory this one's: neither is believed.
 *
 * Mustn't: follow a link, or do what root inside could not.
 */

#define IMAGES "image"
#define STAGE "image.berth"
#define LAYERS "overlay2"
#define CHAINS "layerdb/sha256"

/*
 * Of each layer some fifteen files, of which one grows with the files in it, by some eighty bytes
 * of each.
 */
#define FILE_MAX (UINT64_C(128) << 20)
#define BYTES_MAX (UINT64_C(1) << 30)
#define ENTRIES_MAX UINT64_C(262144)

/**
 * struct word - What paths are made of
 * @chars:	nothing else
 * @min, @max:	length
 */
struct word {
	const char *chars;
	size_t min, max;
};

#define WORD_MAX 64
static const struct word chain_word = { "0123456789abcdef", 64, WORD_MAX };
/* Those of BuildKit have 25. */
static const struct word id_word = { "0123456789abcdefghijklmnopqrstuvwxyz", 20,
	                             WORD_MAX };
static const struct word link_word = { "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 26, 26 };

/**
 * struct seeding - One run
 * @seed:	the seed's directory inside, which links into it begin with
 * @from, @to:	it, and Docker's directory; owned
 * @layers_from, @layers_to: where layers are in them; owned
 * @left:	of what may be copied
 */
struct seeding {
	const char *seed;
	int from, to, layers_from, layers_to;
	struct copy_bound left;
};

static void seeding_end(const struct seeding *s)
{
	close_fdp(&s->from);
	close_fdp(&s->to);
	close_fdp(&s->layers_from);
	close_fdp(&s->layers_to);
}
#define cleanup_seeding __attribute__((cleanup(seeding_end)))

static int open_in(int dir, const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC,
		                      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	return sys_openat2(dir, path, &how);
}

static int open_directory(int dir, const char *path, struct err *err)
{
	int fd = open_in(dir, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? err_set(err, errno, "open '%s'", path) : fd;
}

static int make_directory(int dir, const char *name, mode_t mode, struct err *err)
{
	if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s'", name);
	return open_directory(dir, name, err);
}

/* What an earlier run left is made anew. */
static int make_link(const char *text, int dir, const char *name, struct err *err)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_set(err, errno, "replace '%s'", name);
	if (symlinkat(text, dir, name) < 0)
		return err_set(err, errno, "make the link '%s'", name);
	return 0;
}

typedef int entry_fn(void *ctx, int dir, const char *name, struct err *err);

static int each_entry(int dir, entry_fn *fn, void *ctx, struct err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int r = 0;

	if (!list) {
		r = err_set(err, errno, "list a directory");
		close_fdp(&fd);
		return r;
	}
	while (r == 0 && (entry = readdir(list)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = fn(ctx, dir, entry->d_name, err);
	(void)closedir(list);
	return r;
}

static bool is_word(const char *text, const struct word *word)
{
	const size_t len = strspn(text, word->chars);

	return text[len] == '\0' && len >= word->min && len <= word->max;
}

static int read_word(int dir, const char *name, const struct word *word,
                     char ret[WORD_MAX + 2], struct err *err)
{
	cleanup_close int fd = open_in(dir, name, O_RDONLY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, WORD_MAX + 1);

	if (n < 0)
		return err_set(err, errno, "read '%s'", name);
	ret[n] = '\0';
	return is_word(ret, word)
	               ? 0
	               : err_set(err, EINVAL, "read '%s': it is not Docker's", name);
}

static int link_layer(const struct seeding *s, int to, const char *id, const char *link,
                      struct err *err)
{
	cleanup_close int links = make_directory(s->layers_to, "l", 0700, err);
	char text[PATH_MAX];
	int r;

	if (links < 0)
		return links;
	if ((size_t)snprintf(text, sizeof(text), "%s/" LAYERS "/%s/diff", s->seed, id) >=
	    sizeof(text))
		return err_set(err, ENAMETOOLONG, "make a link to '%s'", s->seed);
	r = make_link(text, to, "diff", err);
	(void)snprintf(text, sizeof(text), "../%s/diff", id);
	return r < 0 ? r : make_link(text, links, link, err);
}

static int seed_layer(struct seeding *s, const char *id, struct err *err)
{
	cleanup_close int from = open_directory(s->layers_from, id, err), to = -EBADF;
	cleanup_close int diff = -EBADF, committed = -EBADF;
	char link[WORD_MAX + 2];
	int r;

	if (from < 0 || read_word(from, "link", &link_word, link, err) < 0)
		return -err->code;
	diff = open_directory(from, "diff", err);
	if (diff == -ELOOP)
		(void)err_hint(err, "these images came from a seed themselves: make a "
		                    "seed in a directory that was begun without one");
	to = diff < 0 ? diff : make_directory(s->layers_to, id, 0710, err);
	if (to < 0)
		return to;
	r = link_layer(s, to, id, link, err);
	if (r == 0)
		r = copy_tree(from, "link", to, "link", &s->left, err);
	if (r == 0)
		r = copy_tree(from, "lower", to, "lower", &s->left, err);
	if (r < 0)
		return r;
	/* Docker takes a layer without this for one that it may write to. */
	committed = file_anew(to, "committed", 0600);
	if (committed < 0 || (mkdirat(to, "work", 0700) < 0 && errno != EEXIST))
		return err_set(err, errno, "make a layer");
	return 0;
}

struct chains {
	struct seeding *s;
	int to;
};

static int seed_chain(void *ctx, int dir, const char *name, struct err *err)
{
	const struct chains *chains = ctx;
	cleanup_close int chain = -EBADF;
	char id[WORD_MAX + 2];
	int r;

	if (chains->s->left.entries == 0)
		return err_set(err, E2BIG, "too many layers");
	chains->s->left.entries--;
	/* Not one that Docker was removing when it ended. */
	if (!is_word(name, &chain_word))
		return 0;
	chain = open_directory(dir, name, err);
	r = chain < 0 ? chain : read_word(chain, "cache-id", &id_word, id, err);
	if (r == 0)
		r = seed_layer(chains->s, id, err);
	if (r == 0)
		r = copy_tree(dir, name, chains->to, name, &chains->s->left, err);
	return r < 0 ? err_wrap(err, "layer '%.12s'", name) : 0;
}

static int seed_chains(struct seeding *s, int from, int to, struct err *err)
{
	cleanup_close int chains = open_directory(from, CHAINS, err), above = -EBADF;
	cleanup_close int below = -EBADF;
	struct chains ctx = { .s = s };

	if (chains < 0)
		return chains;
	above = make_directory(to, "layerdb", 0700, err);
	below = above < 0 ? above : make_directory(above, "sha256", 0700, err);
	ctx.to = below;
	return below < 0 ? below : each_entry(chains, seed_chain, &ctx, err);
}

/* All that says what images there are, into a directory of its own. */
static int fill_stage(struct seeding *s, int from, struct err *err)
{
	static const char *const others[] = { "imagedb", "distribution",
		                              "repositories.json" };
	cleanup_close int stage = make_directory(s->to, STAGE, 0700, err);
	cleanup_close int to =
		stage < 0 ? stage : make_directory(stage, LAYERS, 0700, err);
	int r = to < 0 ? to : seed_chains(s, from, to, err);

	for (size_t i = 0; r == 0 && i < sizeof(others) / sizeof(others[0]); i++)
		r = copy_tree(from, others[i], to, others[i], &s->left, err);
	if (r == -EFBIG || r == -E2BIG)
		return err_hint(err,
		                "of a seed %d MiB a file, %d MiB and %d files are copied "
		                "at most: what is more is not what Docker keeps beside "
		                "its layers",
		                (int)(FILE_MAX >> 20), (int)(BYTES_MAX >> 20),
		                (int)ENTRIES_MAX);
	if (r == 0 && syncfs(to) < 0)
		r = err_set(err, errno, "write the images");
	return r;
}

/* Nothing there is nothing to remove. */
static int remove_stage(const struct seeding *s, struct err *err)
{
	int r = tree_remove(s->to, STAGE, err);

	if (r != -ENOENT)
		return r;
	err_clear(err);
	return 0;
}

/* What says that images are there comes last, by one rename: who is killed before begins again. */
static int seed_images(struct seeding *s, struct err *err)
{
	cleanup_close int from = open_directory(s->from, IMAGES "/" LAYERS, err);
	struct err ignored = { 0 };
	int r = from < 0 ? from : remove_stage(s, err);

	if (r < 0)
		return r;
	r = fill_stage(s, from, err);
	if (r == 0 && renameat(s->to, STAGE, s->to, IMAGES) < 0)
		r = err_set(err, errno, "put the images in their place");
	if (r < 0)
		(void)remove_stage(s, &ignored);
	return r;
}

static int count_lost(void *ctx, int dir, const char *name, struct err *err)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		                      .resolve = RESOLVE_NO_SYMLINKS };
	cleanup_close int layer = open_in(dir, name, O_PATH | O_DIRECTORY);
	cleanup_close int diff = -EBADF;
	unsigned int *lost = ctx;
	char text[PATH_MAX];
	ssize_t n;

	(void)err;
	n = layer < 0 ? -1 : readlinkat(layer, "diff", text, sizeof(text) - 1);
	if (n < 0)
		return 0;
	text[n] = '\0';
	diff = text[0] == '/' ? sys_openat2(AT_FDCWD, text, &how) : -EBADF;
	*lost += diff < 0;
	return 0;
}

/* Images of an earlier start, whose layers the seed has to have still. */
static int check_layers(const struct seeding *s, const char *docker, struct err *err)
{
	unsigned int lost = 0;

	if (each_entry(s->layers_to, count_lost, &lost, err) < 0)
		return -err->code;
	if (lost == 0)
		return 0;
	(void)err_set(err, ENOENT, "find %u layers of images in '%s' in the seed '%s'",
	              lost, docker, s->seed);
	return err_hint(err,
	                "a seed may grow, but not lose layers: attach the one that this "
	                "directory was begun with, or do without those images: "
	                "--best-effort seed");
}

static int open_both(const struct step *step, struct seeding *s, struct err *err)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		                      .resolve = RESOLVE_NO_SYMLINKS };
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	s->from = sys_openat2(AT_FDCWD, step->source, &how);
	if (s->from < 0)
		return err_set(err, errno, "open the seed '%s'", step->source);
	s->layers_from = open_directory(s->from, LAYERS, err);
	if (s->layers_from < 0) {
		(void)err_wrap(err, "the seed '%s'", step->source);
		return err_hint(err, "a seed is what dockerd, with overlay2, left in its "
		                     "/var/lib/docker when its workspace ended");
	}
	s->to = target_open(root, step->target, S_IFDIR, err);
	if (s->to >= 0)
		s->layers_to = make_directory(s->to, LAYERS, 0710, err);
	return s->layers_to < 0 ? -err->code : 0;
}

int apply_seed(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_seeding struct seeding s = {
		step->source, -EBADF, -EBADF,
		-EBADF,       -EBADF, { FILE_MAX, BYTES_MAX, ENTRIES_MAX },
	};

	(void)launch;
	if (open_both(step, &s, err) < 0)
		return -err->code;
	if (faccessat(s.to, IMAGES, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return check_layers(&s, step->target, err);
	if (seed_images(&s, err) < 0)
		return err_wrap(err, "put images of '%s' into '%s'", step->source,
		                step->target);
	return 0;
}
