#include "config_complete.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bootstrap.h"
#include "config_internal.h"
#include "idle.h"
#include "image_store.h"
#include "metrics_address.h"
#include "policies/seccomp_choice.h"
#include "state.h"

int config_check_path(const char *what, const char *path, struct err *err)
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

const char *config_absolute(struct arena *arena, const char *path)
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

static int parse_rootfs(struct arena *arena, struct config *config, struct err *err)
{
	size_t len;

	if (!config->rootfs && config->image)
		return 0;
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
	config->rootfs = config_absolute(arena, config->rootfs);
	if (config_check_path("--rootfs", config->rootfs, err) < 0)
		return -err->code;
	if (!strcmp(config->rootfs, "/")) {
		(void)err_set(err, EINVAL, "--rootfs '/'");
		return err_hint(
			err, "--rootfs host makes a workspace of the host's own files");
	}
	return 0;
}

static int parse_image(struct arena *arena, struct config *config, struct err *err)
{
	struct image_ref ref;
	int r;

	if (!config->store)
		config->store = image_store_default(arena);
	if (config->store) {
		config->store = config_absolute(arena, config->store);
		if (config_check_path("--store", config->store, err) < 0)
			return -err->code;
	}
	if (!config->image) {
		if (!config->image_entrypoint)
			return 0;
		(void)err_set(err, EINVAL, "--image-entrypoint '%s' without --image",
		              config->image_entrypoint);
		return err_hint(err, "it stands in place of the image's: write the whole "
		                     "command at the end instead");
	}
	if (config->rootfs) {
		(void)err_set(err, EINVAL, "--image '%s' and --rootfs '%s'",
		              config->image, config->rootfs);
		return err_hint(err, "a workspace has one root: leave one of them out");
	}
	r = image_ref_parse(config->image, arena, &ref, err);
	if (r < 0)
		return r;
	config->image = ref.text;
	if (config->store)
		return 0;
	(void)err_set(err, ENOENT, "there is no place for images: HOME is not set");
	return err_hint(err, "--store, or BERTH_STORE, takes a directory");
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

/*
 * The same as --user-namespaces 0, and more: see plan_kernel_mounts(). The filter is a second line
 * behind that number; start says its item again.
 */
static int check_flat(struct config *c, struct arena *arena, struct err *err)
{
	uint64_t *most = &c->budget[BUDGET_USER_NS];

	if (!c->flat)
		return 0;
	if (*most != LIMIT_UNSET && *most != 0) {
		(void)err_set(err, EINVAL,
		              "--nested false with --user-namespaces %" PRIu64, *most);
		return err_hint(err, "a sandbox inside is a user namespace: leave one of "
		                     "them out");
	}
	*most = 0;
	if (!seccomp_items_have(c->seccomp_deny, SECCOMP_FLAT))
		c->seccomp_deny =
			c->seccomp_deny
				? arena_printf(arena, "%s," SECCOMP_FLAT, c->seccomp_deny)
				: SECCOMP_FLAT;
	return 0;
}

static int check_audit(struct config *c, struct arena *arena, struct err *err)
{
	const char *what = c->audit_required              ? "required"
	                   : c->audit_syscalls            ? "syscalls"
	                   : c->audit_permissive          ? "permissive"
	                   : c->audit_size != LIMIT_UNSET ? "size"
	                                                  : NULL;

	if (!c->audit_log && what) {
		(void)err_set(err, EINVAL, "--audit-%s without --audit-log", what);
		return err_hint(err,
		                "it says where lines go: --audit-log FILE or stderr");
	}
	if (c->audit_log && !strcmp(c->audit_log, "stderr")) {
		if (!c->detach)
			return 0;
		(void)err_set(err, EINVAL, "--audit-log stderr with -d");
		return err_hint(err, "nobody is left at its standard error: name a file");
	}
	if (!c->audit_log)
		return 0;
	c->audit_log = config_absolute(arena, c->audit_log);
	return config_check_path("--audit-log", c->audit_log, err);
}

static int check_metrics(struct config *c, struct arena *arena, struct err *err)
{
	struct metrics_address at;

	if (!c->metrics_listen || metrics_address_parse(c->metrics_listen, &at, err) < 0)
		return -err->code;
	if (!at.path)
		return 0;
	c->metrics_listen =
		arena_printf(arena, METRICS_UNIX "%s", config_absolute(arena, at.path));
	return config_check_path("--metrics-listen",
	                         c->metrics_listen + strlen(METRICS_UNIX), err);
}

/* Init sets them behind the filter, and so does exec. */
static int check_ulimits(const struct config *c, struct err *err)
{
	static const char call[] = "prlimit64";
	bool given = false;

	for (enum ulimit_kind i = 0; i < ULIMIT_N; i++)
		given |= c->ulimit[i].given;
	if (!given || !seccomp_items_have(c->seccomp_deny, call))
		return 0;
	(void)err_set(err, EINVAL, "--ulimit with --seccomp-deny %s", call);
	return err_hint(err, "limits are set by that call: leave one of them out");
}

/* Whether a filter comes of what was said; each name was looked at by itself. */
static int check_seccomp(const struct config *c, struct arena *arena, struct err *err)
{
	const struct seccomp_choice choice = { c->seccomp, c->seccomp_allow,
		                               c->seccomp_deny };
	struct seccomp_made *made;

	if (!choice.allow && !choice.deny)
		return 0;
	made = arena_alloc(arena, sizeof(*made));
	return made ? seccomp_make(&choice, SECCOMP_REFUSE, made, err)
	            : err_set(err, ENOMEM, "make the seccomp filter");
}

static int check_bootstrap(struct config *c, struct arena *arena, struct err *err)
{
	if (c->bootstrap && !c->bootstrap_restart)
		c->bootstrap_restart = "no";
	if (c->bootstrap && !strcmp(c->bootstrap, BOOTSTRAP_STDIN)) {
		if (!c->interactive)
			return 0;
		(void)err_set(err, EINVAL, "--bootstrap - with -i");
		return err_hint(err, "standard input has the script, or is the "
		                     "command's: give a file, or leave -i out");
	}
	if (c->bootstrap) {
		c->bootstrap = config_absolute(arena, c->bootstrap);
		return config_check_path("--bootstrap", c->bootstrap, err);
	}
	if (!c->bootstrap_restart)
		return 0;
	(void)err_set(err, EINVAL, "--bootstrap-restart '%s' without --bootstrap",
	              c->bootstrap_restart);
	return err_hint(err, "it says when the script of --bootstrap runs again: add "
	                     "that");
}

static int check_idle(struct config *c, struct arena *arena, struct err *err)
{
	const char *what = c->idle_cpu != LIMIT_UNSET ? "cpu"
	                   : c->idle_ports            ? "ports"
	                   : c->idle_warn             ? "warn"
	                                              : NULL;

	if (c->idle_stop_s == LIMIT_UNSET && what) {
		(void)err_set(err, EINVAL, "--idle-%s without --idle-stop", what);
		return err_hint(err, "it says more of that: add --idle-stop TIME");
	}
	if (config_stops_idle(c) && c->idle_cpu == LIMIT_UNSET)
		c->idle_cpu = IDLE_CPU;
	if (c->idle_warn) {
		c->idle_warn = config_absolute(arena, c->idle_warn);
		if (config_check_path("--idle-warn", c->idle_warn, err) < 0)
			return -err->code;
	}
	if (!c->idle_ports || c->publish_n > 0)
		return 0;
	(void)err_set(err, EINVAL, "--idle-ports '%s' without -p", c->idle_ports);
	return err_hint(err, "only who comes by a published port is seen: add -p for "
	                     "those ports, or -p auto");
}

/* Root inside is who sets the workspace up; an image's files are everybody's who may be mapped. */
static int check_ids(const struct config *c, struct err *err)
{
	const struct {
		const char *option;
		const struct idmap *map;
	} maps[] = { { "--uidmap", c->uid_map }, { "--gidmap", c->gid_map } };

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		const struct idmap *map = maps[i].map;

		if (map && !idmap_find(map, 0, NULL)) {
			(void)err_set(err, EINVAL,
			              "%s '%" PRIu32 ":%" PRIu32 ":%" PRIu32
			              "' without root: nothing is 0 inside",
			              maps[i].option, map->extent[0].inside,
			              map->extent[0].outside, map->extent[0].count);
			return err_hint(err, "add %s 0:OUTSIDE:1", maps[i].option);
		}
		if (map && c->image) {
			(void)err_set(err, EINVAL, "%s with --image '%s'", maps[i].option,
			              c->image);
			return err_hint(err,
			                "the files of an image in the store belong to "
			                "the IDs that are mapped without %s: leave it "
			                "out, or take a directory as --rootfs",
			                maps[i].option);
		}
	}
	return 0;
}

static int check_hooks(struct config *c, struct err *err)
{
	if (c->hook_n > 0 && c->hook_timeout_s == LIMIT_UNSET)
		c->hook_timeout_s = HOOK_TIMEOUT_S;
	if (c->hook_n > 0 || c->hook_timeout_s == LIMIT_UNSET)
		return 0;
	(void)err_set(err, EINVAL, "--hook-timeout %" PRIu64 " without a hook",
	              c->hook_timeout_s);
	return err_hint(err, "it says how long one may take: add --hook-prestart, "
	                     "--hook-poststart or --hook-poststop");
}

int config_complete(struct config *c, const struct words *words, struct arena *arena,
                    struct err *err)
{
	int r = 0;

	if (!c->name)
		c->name = random_name(arena);
	r = state_name_check(c->name, err);
	if (!c->hostname)
		c->hostname = c->name;
	if (r == 0)
		r = check_hostname(c->hostname, err);
	if (r == 0)
		r = parse_image(arena, c, err);
	if (r == 0)
		r = parse_rootfs(arena, c, err);
	if (r == 0 && c->state) {
		c->state = config_absolute(arena, c->state);
		r = config_check_path("--state", c->state, err);
	}
	if (r == 0)
		r = check_bootstrap(c, arena, err);
	if (r == 0 && c->workdir)
		r = config_check_path("--workdir", c->workdir, err);
	if (r == 0)
		r = check_publish(c, err);
	if (r == 0)
		r = check_audit(c, arena, err);
	if (r == 0)
		r = check_metrics(c, arena, err);
	if (r == 0)
		r = check_idle(c, arena, err);
	if (r == 0)
		r = check_hooks(c, err);
	if (r == 0)
		r = check_ids(c, err);
	if (r == 0)
		r = check_flat(c, arena, err);
	if (r == 0)
		r = check_ulimits(c, err);
	if (r == 0)
		r = check_seccomp(c, arena, err);
	if (r == 0 && c->init == INIT_NONE && !c->command && !c->image && !words->reading)
		r = err_set(err, EINVAL, "--init none needs a command");
	if (r == 0 && c->init == INIT_SYSTEMD && c->command)
		r = err_set(err, EINVAL, "--init systemd takes no command, and got '%s'",
		            c->command[0]);
	if (r == 0 && c->state && !c->overlay && c->rootfs &&
	    strcmp(c->rootfs, "host") != 0)
		r = err_set(err, EINVAL,
		            "--state '%s' without an upper layer: the directory is "
		            "used in place",
		            c->state);
	if (r < 0)
		return r;

	r = config_volumes(c, words, arena, err);
	if (r == 0 && arena->failed)
		r = err_set(err, ENOMEM, "read the options");
	return r;
}
