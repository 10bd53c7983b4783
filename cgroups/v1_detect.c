#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cgroups/v1.h"

/* Whether a list with commas has @word of @len bytes. */
static bool has(const char *list, const char *word, size_t len)
{
	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, word, len) && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

/*
 * The line of /proc/self/cgroup whose controllers @options has: "4:cpu,cpuacct:/x". Cuts
 * it in two.
 */
static bool find_line(char *text, const char *options, const char **ret_controllers,
                      const char **ret_path)
{
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path || path == ++controllers)
			continue;
		*path++ = '\0';
		if (!has(options, controllers, strcspn(controllers, ",")))
			continue;
		*ret_controllers = controllers;
		*ret_path = path;
		return true;
	}
	return false;
}

static bool in_table(const char *controllers)
{
	for (enum knob knob = 0; knob < KNOB_N; knob++) {
		const char *name = knob_info[knob].controller_v1;

		if (name && has(controllers, name, strlen(name)))
			return true;
	}
	return false;
}

bool cgroup1_detect(const char *mount, const char *root, const char *options,
                    struct arena *arena, struct cgroup1_fact *ret)
{
	const char *controllers, *own, *dir;
	struct err ignored = { 0 };
	char text[8192];
	size_t len;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text), &ignored) < 0 ||
	    !find_line(text, options, &controllers, &own) || !in_table(controllers))
		return false;
	*ret = (struct cgroup1_fact){ .controllers = arena_dup(arena, controllers),
		                      .mount = mount };
	/* A bind of a part of the hierarchy shows only what lies below that part. */
	len = strcmp(root, "/") ? strlen(root) : 0;
	if (!strncmp(own, "/..", 3) || strncmp(own, root, len) ||
	    (own[len] != '/' && own[len] != '\0'))
		return true;
	own = own[len] ? own + len : "/";
	ret->own = arena_dup(arena, own);
	dir = arena_printf(arena, "%s%s", mount, own);
	ret->ours = faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0;
	ret->swap = access(arena_printf(arena, "%s/memory.memsw.limit_in_bytes", dir),
	                   F_OK) == 0;
	return true;
}

const struct cgroup1_fact *cgroup1_find(const struct cgroup1_fact *fact, size_t n,
                                        const char *controller)
{
	for (size_t i = 0; i < n; i++)
		if (has(fact[i].controllers, controller, strlen(controller)))
			return &fact[i];
	return NULL;
}
