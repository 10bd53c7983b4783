#include "hook.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define BLANKS " \t\n"

/* clang-format off */
const char *const hook_kind_name[HOOK_KINDS] = {
	[HOOK_PRESTART]  = "prestart",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP]  = "poststop",
};
/* clang-format on */

/* It is opened at the launch, and what was looked at by its name has to be that. */
static int check_program(const char *path, struct err *err)
{
	if (path[0] != '/') {
		(void)err_set(err, EINVAL, "'%s' is not absolute", path);
		return err_hint(err, "a hook is a program of the pod, and no command "
		                     "that is looked up: /usr/local/bin/NAME");
	}
	if (strlen(path) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "'%.60s...'", path);
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return err_set(err, EINVAL, "'%s' goes through '%.*s'", path,
			               (int)len, p);
	}
	return 0;
}

int hook_parse(enum hook_kind kind, const char *text, struct arena *arena,
               struct hook *ret, struct err *err)
{
	const char **argv = arena_alloc(arena, (strlen(text) / 2 + 2) * sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return err_set(err, ENOMEM, "read a hook");
	if (strpbrk(text, "'\"\\")) {
		(void)err_set(err, EINVAL, "'%s' has quotes or a backslash", text);
		return err_hint(err, "no shell reads it: its words have blanks between "
		                     "them; put what needs more into a script");
	}
	for (const char *p = text + strspn(text, BLANKS); *p; p += strspn(p, BLANKS)) {
		const size_t len = strcspn(p, BLANKS);

		argv[n++] = arena_printf(arena, "%.*s", (int)len, p);
		p += len;
	}
	argv[n] = NULL;
	if (arena->failed)
		return err_set(err, ENOMEM, "read a hook");
	if (n == 0)
		return err_set(err, EINVAL, "'%s' names no program", text);
	if (check_program(argv[0], err) < 0)
		return -err->code;
	*ret = (struct hook){ .kind = kind, .text = text, .argv = argv };
	return 0;
}

const char *hook_interpreter(const char *head, size_t n, struct arena *arena)
{
	size_t begin = 2, end;

	if (n < 2 || head[0] != '#' || head[1] != '!')
		return NULL;
	while (begin < n && (head[begin] == ' ' || head[begin] == '\t'))
		begin++;
	for (end = begin; end < n && head[end] && !strchr(BLANKS, head[end]);)
		end++;
	if (begin == n || head[begin] != '/')
		return "";
	return arena_printf(arena, "%.*s", (int)(end - begin), head + begin);
}
