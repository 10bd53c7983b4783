#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "config_internal.h"
#include "gpu.h"
#include "storage.h"

/* -v, --device, and what --gpus stands for. */

static int parse_volume_word(struct arena *arena, const char *word, size_t len,
                             struct volume *ret)
{
	if (len == 2 && !strncmp(word, "ro", 2))
		ret->read_only = true;
	else if (len == 1 && *word == 'U')
		ret->own = true;
	else if (len == 3 && !strncmp(word, "own", 3))
		ret->top = "";
	else if (len > 4 && !strncmp(word, "own=", 4))
		ret->top = arena_printf(arena, "%.*s", (int)len - 4, word + 4);
	else if (len == 4 && !strncmp(word, "seed", 4))
		ret->seed = ret->read_only = true;
	else
		return len == 2 && !strncmp(word, "rw", 2) ? 0 : -EINVAL;
	return 0;
}

/* "ro", "U", "rw,U": docker's and podman's; "own" and "seed" are ours. */
static int parse_volume_options(struct arena *arena, const char *text,
                                const char *options, struct volume *ret, struct err *err)
{
	for (const char *p = options;;) {
		const size_t len = strcspn(p, ",");

		if (parse_volume_word(arena, p, len, ret) < 0)
			return err_set(err, EINVAL,
			               "-v '%s': '%.*s' is not ro, rw, U, own or seed",
			               text, (int)len, p);
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	if (ret->own && ret->top) {
		(void)err_set(err, EINVAL, "-v '%s': U and own", text);
		return err_hint(err, "U is for all that is in it, own for the directory "
		                     "alone: leave one of them out");
	}
	if (!ret->read_only || (!ret->own && !ret->top))
		return 0;
	(void)err_set(err, EINVAL, "-v '%s': %s and %s", text, ret->seed ? "seed" : "ro",
	              ret->own ? "U" : "own");
	return err_hint(err, "what is only read keeps its owner: leave one of them out");
}

static int parse_volume(struct arena *arena, const char *text, struct volume *ret,
                        struct err *err)
{
	const char *colon = strchr(text, ':');
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	int r;

	if (!colon || colon == text) {
		(void)err_set(err, EINVAL, "-v '%s' is not SRC:DST", text);
		return err_hint(err,
		                "behind SRC:DST may stand :ro, :rw, :U, :own or :seed");
	}
	*ret = (struct volume){ .read_only = false };
	if (second && parse_volume_options(arena, text, second + 1, ret, err) < 0)
		return -err->code;
	ret->source = config_absolute(
		arena, arena_printf(arena, "%.*s", (int)(colon - text), text));
	ret->target = arena_printf(
		arena, "%.*s", second ? (int)(second - colon - 1) : INT_MAX, colon + 1);
	r = config_check_path("volume source", ret->source, err);
	if (r == 0)
		r = config_check_path("volume target", ret->target, err);
	ret->target = config_absolute(arena, ret->target);
	if (r == 0 && !strcmp(ret->target, "/"))
		r = err_set(err, EINVAL, "-v '%s': the root is --rootfs", text);
	return r;
}

/* A Docker directory holds images of one origin. */
static int check_seeds(const struct volume *volume, size_t n, struct err *err)
{
	const struct volume *seed = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!volume[i].seed)
			continue;
		if (storage_has_layers(volume[i].target)) {
			(void)err_set(err, EINVAL, "the seed '%s' on '%s'",
			              volume[i].source, volume[i].target);
			return err_hint(err, "Docker's own directories are to be filled "
			                     "from it: attach it beside them, on "
			                     "/var/lib/docker-seed");
		}
		if (seed) {
			(void)err_set(err, EINVAL, "two seeds, '%s' and '%s'",
			              seed->source, volume[i].source);
			return err_hint(err, "one seed can hold all images: leave one of "
			                     "them out");
		}
		seed = &volume[i];
	}
	return 0;
}

static int parse_device(struct arena *arena, const char *text, struct device *ret,
                        struct err *err)
{
	const char *colon = strchr(text, ':');
	int r;

	if (colon && strchr(colon + 1, ':')) {
		(void)err_set(err, EINVAL, "--device '%s' is not PATH or PATH:INSIDE",
		              text);
		return err_hint(err,
		                "the node's permissions hold: there is no r, w or m");
	}
	ret->source =
		colon ? arena_printf(arena, "%.*s", (int)(colon - text), text) : text;
	ret->target = colon ? colon + 1 : text;
	r = config_check_path("--device", ret->source, err);
	if (r == 0)
		r = config_check_path("--device inside", ret->target, err);
	if (r < 0)
		return r;
	ret->source = config_absolute(arena, ret->source);
	ret->target = config_absolute(arena, ret->target);
	if (!strncmp(ret->target, "/dev/", 5))
		return 0;
	(void)err_set(err, EINVAL, "--device '%s': '%s' is not below /dev", text,
	              ret->target);
	return err_hint(err, "elsewhere a node does not work: say PATH:/dev/NAME");
}

/* Debian's directory, or Fedora's; Debian has that one, too, without the drivers. */
static const char *pod_libraries(void)
{
	static const char *const dirs[] = { GPU_LIBRARIES, GPU_LIBRARIES_64 };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (access(dirs[i], R_OK | X_OK) == 0)
			return dirs[i];
	return NULL;
}

/* What of a path is below one of those directories; NULL for another one. */
static const char *below_libraries(const char *path)
{
	static const char *const dirs[] = { GPU_LIBRARIES "/", GPU_LIBRARIES_64 "/" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (!strncmp(path, dirs[i], strlen(dirs[i])))
			return path + strlen(dirs[i]);
	return NULL;
}

/* What --gpus means is looked for at each start: devices come and go with the pod. */
static int look_for_gpus(struct config *c, bool reading, struct arena *arena,
                         const char *const **ret, struct err *err)
{
	struct gpu_place place = { .dev = "/dev", .mountinfo = "/proc/self/mountinfo" };
	const char *colon;
	int n;

	if (!c->gpus)
		return 0;
	if (strcmp(c->gpus, "all") != 0) {
		colon = strchr(c->gpus, ':');
		place.inside = colon ? colon + 1 : NULL;
		place.libraries = colon ? arena_printf(arena, "%.*s",
		                                       (int)(colon - c->gpus), c->gpus)
		                        : c->gpus;
		if (config_check_path("--gpus", place.libraries, err) < 0 ||
		    (colon && config_check_path("--gpus", place.inside, err) < 0))
			return -err->code;
	} else {
		place.libraries = pod_libraries();
	}
	c->gpu_libraries = place.libraries;
	if (reading)
		return 0;
	n = gpu_words(&place, arena, ret, err);
	if (n < 0)
		return err_wrap(err, "--gpus '%s'", c->gpus);
	for (int i = 0; i < n; i += 2)
		if (!strcmp((*ret)[i], "--device"))
			return n;
	if (config_best_effort(c, "device"))
		return 0;
	(void)err_set(err, ENODEV, "--gpus '%s': /dev has none", c->gpus);
	return err_hint(err, "ask for one in the pod's resources.limits, as "
	                     "nvidia.com/gpu: 1, with the cluster's device plugin; or "
	                     "--best-effort device");
}

/* What was named itself is not given twice, and what the caller cannot reach is not there. */
static void add_gpu_volume(struct config *c, struct volume *list, const char *text,
                           struct arena *arena, struct err *err)
{
	struct volume *v = &list[c->volume_n];

	if (parse_volume(arena, text, v, err) < 0 || access(v->source, F_OK) < 0)
		return;
	for (size_t i = 0; i < c->volume_n; i++)
		if (!strcmp(list[i].target, v->target))
			return;
	v->gpu = true;
	/* Unless somebody said where. */
	v->library = !strchr(c->gpus, ':') && below_libraries(v->target);
	c->volume_n++;
}

static void add_gpu_device(struct config *c, struct device *list, const char *text,
                           struct arena *arena, struct err *err)
{
	struct device *d = &list[c->device_n];

	if (parse_device(arena, text, d, err) < 0)
		return;
	for (size_t i = 0; i < c->device_n; i++)
		if (!strcmp(list[i].target, d->target))
			return;
	d->gpu = true;
	c->device_n++;
}

int config_volumes(struct config *c, const struct words *words, struct arena *arena,
                   struct err *err)
{
	const char *const *gpu = NULL;
	const int n = look_for_gpus(c, words->reading, arena, &gpu, err);
	const size_t more = n < 0 ? 0 : (size_t)n / 2;
	struct volume *volume =
		arena_alloc(arena, (words->volume_n + more + 1) * sizeof(*volume));
	struct device *device =
		arena_alloc(arena, (words->device_n + more + 1) * sizeof(*device));

	if (n < 0)
		return n;
	if (!volume || !device)
		return err_set(err, ENOMEM, "read the options");
	for (; !err->code && c->volume_n < words->volume_n; c->volume_n++)
		(void)parse_volume(arena, words->volume[c->volume_n],
		                   &volume[c->volume_n], err);
	for (; !err->code && c->device_n < words->device_n; c->device_n++)
		(void)parse_device(arena, words->device[c->device_n],
		                   &device[c->device_n], err);
	for (size_t i = 0; !err->code && i < more; i++) {
		if (!strcmp(gpu[2 * i], "--volume"))
			add_gpu_volume(c, volume, gpu[2 * i + 1], arena, err);
		else
			add_gpu_device(c, device, gpu[2 * i + 1], arena, err);
	}
	c->volume = volume;
	c->device = device;
	return err->code ? -err->code : check_seeds(volume, c->volume_n, err);
}

int config_place_gpus(struct config *c, struct arena *arena, struct err *err)
{
	const bool host = !strcmp(c->rootfs, "host");
	struct volume *list;
	const char *inside;
	size_t n = 0;

	if (!c->gpus || strchr(c->gpus, ':'))
		return 0;
	inside = gpu_inside(host ? "/" : c->rootfs);
	list = arena_alloc(arena, (c->volume_n + 1) * sizeof(*list));
	if (!list)
		return err_set(err, ENOMEM, "place the libraries of --gpus");
	for (size_t i = 0; i < c->volume_n; i++) {
		bool taken = false;

		list[n] = c->volume[i];
		if (list[n].library)
			list[n].target = arena_printf(arena, "%s/%s", inside,
			                              below_libraries(list[n].target));
		/* The pod's two directories become one, and what was named itself wins. */
		for (size_t j = 0; list[n].library && !taken && j < n; j++)
			taken = !strcmp(list[j].target, list[n].target);
		n += !taken;
	}
	c->volume = list;
	c->volume_n = n;
	return arena->failed ? err_set(err, ENOMEM, "place the libraries of --gpus") : 0;
}
