#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "gpu.h"

#define GPU_WORDS_MAX 512

/* What belongs to a GPU is told by its name; libicudata holds tables of characters. */
#define GPU_NAME "nvidia|vulkan|(^|[^i])cuda"
#define GPU_LIBRARY "(" GPU_NAME ").*\\.so(\\.[0-9.]+)?$"

struct gpu {
	struct arena *arena;
	const char **word;
	size_t n;
	regex_t name, library;
};

/* A library that is a mount by itself is found twice. */
static void put(struct gpu *gpu, const char *option, const char *value)
{
	for (size_t i = 1; i < gpu->n; i += 2)
		if (!strcmp(gpu->word[i], value))
			return;
	if (gpu->n + 2 > GPU_WORDS_MAX) {
		gpu->arena->failed = true;
		return;
	}
	gpu->word[gpu->n++] = option;
	gpu->word[gpu->n++] = value;
}

static bool matches(const regex_t *pattern, const char *text)
{
	return regexec(pattern, text, 0, NULL, 0) == 0;
}

/* Calls @each for the entries of a directory, in the order of their names. */
static int walk(const char *path, struct gpu *gpu,
                void (*each)(struct gpu *gpu, const char *path, const char *name))
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.')
			each(gpu, path, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return 0;
}

/* Nodes of a directory of GPUs: /dev/dri, /dev/nvidia-caps. */
static void put_node(struct gpu *gpu, const char *dir, const char *name)
{
	const char *path = arena_printf(gpu->arena, "%s/%s", dir, name);
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISCHR(st.st_mode))
		put(gpu, "--device", path);
}

static void put_device(struct gpu *gpu, const char *dir, const char *name)
{
	const char *path = arena_printf(gpu->arena, "%s/%s", dir, name);
	struct stat st;

	if (strncmp(name, "nvidia", 6) != 0 && strcmp(name, "dri") != 0)
		return;
	put_node(gpu, dir, name);
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		(void)walk(path, gpu, put_node);
}

/* What NVIDIA's container toolkit mounted into the pod: programs, firmware, sockets. */
static int put_mounts(struct gpu *gpu, const char *mountinfo, struct err *err)
{
	char *text = arena_alloc(gpu->arena, 1 << 20), *line, *save = NULL;
	int r;

	if (!text)
		return err_set(err, ENOMEM, "read '%s'", mountinfo);
	r = file_read(AT_FDCWD, mountinfo, text, 1 << 20, err);
	if (r < 0)
		return r;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char point[PATH_MAX];

		if (sscanf(line, "%*d %*d %*s %*s %4095s", point) != 1 ||
		    strpbrk(point, ":\\") || !strncmp(point, "/dev/", 5) ||
		    !strncmp(point, "/proc/", 6) || !matches(&gpu->name, point))
			continue;
		put(gpu, "--volume", arena_printf(gpu->arena, "%s:%s:ro", point, point));
	}
	return 0;
}

/* What a path leads to, where that is a library by its own name, too: a link may lead anywhere. */
static bool library_at(const struct gpu *gpu, const char *path, char ret[PATH_MAX])
{
	struct stat st;

	return realpath(path, ret) && !strchr(ret, ':') &&
	       matches(&gpu->library, strrchr(ret, '/') + 1) && stat(ret, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

/* A link leads to the file of that name inside, too: what it stands for comes under its name. */
static int put_libraries(struct gpu *gpu, const char *from, const char *to,
                         struct err *err)
{
	struct dirent **list;
	int n = scandir(from, &list, NULL, alphasort);

	if (n < 0)
		return err_set(err, errno, "list the libraries in '%s'", from);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		char real[PATH_MAX], path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/%s", from, name);
		if (matches(&gpu->library, name) && !strchr(name, ':') &&
		    library_at(gpu, path, real))
			put(gpu, "--volume",
			    arena_printf(gpu->arena, "%s:%s/%s:ro", real, to, name));
		free(list[i]);
	}
	free(list);
	return 0;
}

int gpu_words(const struct gpu_place *place, struct arena *arena, const char *const **ret,
              struct err *err)
{
	struct gpu gpu = { .arena = arena,
		           .word = arena_alloc(arena, GPU_WORDS_MAX * sizeof(char *)) };
	int r;

	if (!gpu.word ||
	    regcomp(&gpu.name, GPU_NAME, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
		return err_set(err, ENOMEM, "look for GPUs");
	if (regcomp(&gpu.library, GPU_LIBRARY, REG_EXTENDED | REG_ICASE | REG_NOSUB) !=
	    0) {
		regfree(&gpu.name);
		return err_set(err, ENOMEM, "look for GPUs");
	}
	(void)walk(place->dev, &gpu, put_device);
	r = put_mounts(&gpu, place->mountinfo, err);
	if (r == 0 && place->libraries)
		r = put_libraries(&gpu, place->libraries,
		                  place->inside ? place->inside : GPU_LIBRARIES, err);
	regfree(&gpu.library);
	regfree(&gpu.name);
	if (r == 0 && arena->failed)
		r = err_set(err, E2BIG, "GPUs with over %d devices and libraries",
		            GPU_WORDS_MAX / 2);
	if (r < 0)
		return r;
	*ret = gpu.word;
	return (int)gpu.n;
}
