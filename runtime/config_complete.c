#include "config_complete.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "state.h"

/* An absolute path without "." and ".." components, or what is wrong with it. */
static int check_path(const char *what, const char *path, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, EINVAL, "%s '%s' is not absolute", what, path);
	if (strlen(path) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "%s '%.60s...'", what, path);
	for (const char *p = path; p; p = strchr(p, '/')) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return err_set(err, EINVAL, "%s '%s' goes through '%.*s'", what,
			               path, (int)len, p);
	}
	return 0;
}

/* A path of the pod as the caller means it: relative to the working directory. */
static const char *absolute(struct arena *arena, const char *path)
{
	char cwd[PATH_MAX];
	const char *full;
	char *out, *p;

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		full = path;
	else if (!strncmp(path, "./", 2))
		full = arena_printf(arena, "%s/%s", cwd, path + 2);
	else
		full = arena_printf(arena, "%s/%s", cwd, strcmp(path, ".") ? path : "");
	/* "//" and a "/" at the end are what a shell's completion leaves behind. */
	out = p = (char *)arena_dup(arena, full);
	for (const char *in = full; *in; in++)
		if (*in != '/' || p == out || p[-1] != '/')
			*p++ = *in;
	if (p > out + 1 && p[-1] == '/')
		p--;
	*p = '\0';
	return out;
}

static int parse_volume(struct arena *arena, const char *text, struct volume *ret,
                        struct err *err)
{
	const char *colon = strchr(text, ':');
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	int r;

	if (!colon || colon == text)
		return err_set(err, EINVAL, "-v '%s' is not SRC:DST or SRC:DST:ro", text);
	if (second && strcmp(second, ":ro") != 0 && strcmp(second, ":rw") != 0)
		return err_set(err, EINVAL, "-v '%s': '%s' is not ro or rw", text,
		               second + 1);
	ret->source =
		absolute(arena, arena_printf(arena, "%.*s", (int)(colon - text), text));
	ret->target = arena_printf(
		arena, "%.*s", second ? (int)(second - colon - 1) : INT_MAX, colon + 1);
	ret->read_only = second && !strcmp(second, ":ro");
	r = check_path("volume source", ret->source, err);
	if (r == 0)
		r = check_path("volume target", ret->target, err);
	ret->target = absolute(arena, ret->target);
	if (r == 0 && !strcmp(ret->target, "/"))
		r = err_set(err, EINVAL, "-v '%s': the root is --rootfs", text);
	return r;
}

static int parse_rootfs(struct arena *arena, struct config *config, struct err *err)
{
	size_t len;

	if (!config->rootfs)
		config->rootfs = "host";
	if (!strcmp(config->rootfs, "host"))
		return 0;
	len = strlen(config->rootfs);
	if (!strcmp(config->rootfs, ":O"))
		return err_set(err, EINVAL, "--rootfs ':O' names no directory");
	if (len > 2 && !strcmp(config->rootfs + len - 2, ":O")) {
		config->overlay = true;
		config->rootfs =
			arena_printf(arena, "%.*s", (int)len - 2, config->rootfs);
	}
	config->rootfs = absolute(arena, config->rootfs);
	if (check_path("--rootfs", config->rootfs, err) < 0)
		return -err->code;
	if (!strcmp(config->rootfs, "/")) {
		(void)err_set(err, EINVAL, "--rootfs '/'");
		return err_hint(
			err, "--rootfs host makes a workspace of the host's own files");
	}
	return 0;
}

static const char *random_name(struct arena *arena)
{
	uint32_t number = 0;

	(void)!getrandom(&number, sizeof(number), 0);
	return arena_printf(arena, "ws-%08" PRIx32, number);
}

/* RFC 1123 labels; sethostname(2) takes 64 bytes. */
static int check_hostname(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > 64 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRS"
	                 "TUVWXYZ0123456789.-_") != len ||
	    name[0] == '-' || name[0] == '.')
		return err_set(err, EINVAL, "'%s' is no host name", name);
	return 0;
}

/* What is given twice, too, since one of them would not listen. */
static int check_publish(const struct config *c, struct err *err)
{
	char text[PUBLISH_TEXT_MAX], other[PUBLISH_TEXT_MAX];
	unsigned int n = 0;
	bool automatic = false;

	for (size_t i = 0; i < c->publish_n; i++) {
		automatic |= c->publish[i].automatic;
		n += c->publish[i].n;
		for (size_t j = 0; j < i; j++) {
			if (!publish_overlap(&c->publish[i], &c->publish[j]))
				continue;
			(void)err_set(err, EINVAL, "-p '%s' and -p '%s' overlap",
			              publish_text(&c->publish[j], other),
			              publish_text(&c->publish[i], text));
			return err_hint(err,
			                "a port of the pod leads to one place: leave "
			                "one of them out");
		}
	}
	if (n > PUBLISH_MAX) {
		(void)err_set(err, E2BIG, "-p: %u ports", n);
		return err_hint(err, "a workspace has %d published ports at most",
		                PUBLISH_MAX);
	}
	if (automatic || (!c->publish_allow && !c->publish_deny))
		return 0;
	(void)err_set(err, EINVAL, "--publish-%s '%s' without -p auto",
	              c->publish_allow ? "allow" : "deny",
	              c->publish_allow ? c->publish_allow : c->publish_deny);
	return err_hint(err, "it says which ports -p auto may open: add that");
}

int config_complete(struct config *c, const char *const *texts, size_t n,
                    struct arena *arena, struct err *err)
{
	struct volume *volume;
	int r = 0;

	if (!c->name)
		c->name = random_name(arena);
	r = state_name_check(c->name, err);
	if (!c->hostname)
		c->hostname = c->name;
	if (r == 0)
		r = check_hostname(c->hostname, err);
	if (r == 0)
		r = parse_rootfs(arena, c, err);
	if (r == 0 && c->state) {
		c->state = absolute(arena, c->state);
		r = check_path("--state", c->state, err);
	}
	if (r == 0 && c->workdir)
		r = check_path("--workdir", c->workdir, err);
	if (r == 0)
		r = check_publish(c, err);
	if (r == 0 && c->init == INIT_NONE && !c->command)
		r = err_set(err, EINVAL, "--init none needs a command");
	if (r == 0 && c->init == INIT_SYSTEMD && c->command)
		r = err_set(err, EINVAL, "--init systemd takes no command, and got '%s'",
		            c->command[0]);
	if (r == 0 && c->state && !c->overlay && strcmp(c->rootfs, "host") != 0)
		r = err_set(err, EINVAL,
		            "--state '%s' without an upper layer: the directory is "
		            "used in place",
		            c->state);
	if (r < 0)
		return r;

	volume = arena_alloc(arena, (n + 1) * sizeof(*volume));
	for (size_t i = 0; volume && r == 0 && i < n; i++)
		r = parse_volume(arena, texts[i], &volume[i], err);
	c->volume = volume;
	c->volume_n = n;
	if (r == 0 && arena->failed)
		r = err_set(err, ENOMEM, "read the options");
	return r;
}
