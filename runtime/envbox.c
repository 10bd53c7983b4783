#include "envbox.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "image_ref.h"
#include "options.h"
#include "policies/json.h"

#define FIELD(field) offsetof(struct envbox, field)

/* strconv.ParseBool() of Go, which envbox reads its switches with. */
static int set_switch(void *field, const char *value, struct err *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (value && strcmp(value, yes[i]) != 0 && strcmp(value, no[i]) != 0)
			continue;
		*(bool *)field = !value || !strcmp(value, yes[i]);
		return 0;
	}
	return err_set(err, EINVAL, "'%s' is neither true nor false", value);
}

/* clang-format off */
static const struct row {
	struct option option;
	const char *variable;
} rows[] = {
	{ { "image",            0, "IMAGE", "what the workspace is made of", option_text, FIELD(image) }, "CODER_INNER_IMAGE" },
	{ { "username",         0, "USER",  "whom the workspace is for", option_text, FIELD(user) }, "CODER_INNER_USERNAME" },
	{ { "agent-token",      0, "TOKEN", "of the agent, for the workspace", option_text, FIELD(token) }, "CODER_AGENT_TOKEN" },
	{ { "coder-url",        0, "URL",   "where the agent reports, for the workspace", option_text, FIELD(url) }, "CODER_AGENT_URL" },
	{ { "envs",             0, "LIST",  "variables that come in: NAME,PREFIX*", option_text, FIELD(envs) }, "CODER_INNER_ENVS" },
	{ { "work-dir",         0, "DIR",   "working directory inside", option_text, FIELD(workdir) }, "CODER_INNER_WORK_DIR" },
	{ { "hostname",         0, "NAME",  "host name inside", option_text, FIELD(hostname) }, "CODER_INNER_HOSTNAME" },
	{ { "image-secret",     0, "JSON",  "logins for the registry", option_text, FIELD(secret) }, "CODER_IMAGE_PULL_SECRET" },
	{ { "docker-config",    0, "FILE",  "a file with them", option_text, FIELD(docker_config) }, "CODER_DOCKER_CONFIG" },
	{ { "bridge-cidr",      0, "CIDR",  "no effect", option_text, FIELD(bridge) }, "CODER_DOCKER_BRIDGE_CIDR" },
	{ { "boostrap-script",  0, "TEXT",  "what /bin/sh inside runs once it is ready", option_text, FIELD(script) }, "CODER_BOOTSTRAP_SCRIPT" },
	{ { "mounts",           0, "LIST",  "SRC:DST[:ro],...", option_text, FIELD(mounts) }, "CODER_MOUNTS" },
	{ { "usr-lib-dir",      0, "DIR",   "where the node's libraries are in the pod", option_text, FIELD(usr_lib) }, "CODER_USR_LIB_DIR" },
	{ { "inner-usr-lib-dir", 0, "DIR",  "where they go inside", option_text, FIELD(inner_usr_lib) }, "CODER_INNER_USR_LIB_DIR" },
	{ { "cpus",             0, "N",     "CPU time, in CPUs", option_text, FIELD(cpus) }, "CODER_CPUS" },
	{ { "memory",           0, "BYTES", "memory", option_text, FIELD(memory) }, "CODER_MEMORY" },
	{ { "extra-certs-path", 0, "PATH",  "CA certificates for the registry", option_text, FIELD(certs) }, "CODER_EXTRA_CERTS_PATH" },
	{ { "add-tun",          0, NULL,    "give /dev/net/tun", set_switch, FIELD(tun) }, "CODER_ADD_TUN" },
	{ { "add-fuse",         0, NULL,    "give /dev/fuse", set_switch, FIELD(fuse) }, "CODER_ADD_FUSE" },
	{ { "add-gpu",          0, NULL,    "give GPUs, and the libraries of their drivers", set_switch, FIELD(gpu) }, "CODER_ADD_GPU" },
	{ { "disable-idmapped-mount", 0, NULL, "no effect", set_switch, FIELD(no_idmap) }, "CODER_DISABLE_IDMAPPED_MOUNT" },
	{ { "print",            0, NULL,    "only print what it means in berth's options", option_flag, FIELD(print) }, NULL },
};
/* clang-format on */
#define ROWS_N (sizeof(rows) / sizeof(rows[0]))

static const char *look_up(char *const *envp, const char *name)
{
	size_t len = strlen(name);

	for (; *envp; envp++)
		if (!strncmp(*envp, name, len) && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

static int read_variables(char *const *envp, struct envbox *ret, struct err *err)
{
	for (size_t i = 0; i < ROWS_N; i++) {
		const char *value =
			rows[i].variable ? look_up(envp, rows[i].variable) : NULL;

		if (!value || !*value)
			continue;
		if (rows[i].option.set((char *)ret + rows[i].option.offset, value, err) <
		    0)
			return err_wrap(err, "%s", rows[i].variable);
	}
	return 0;
}

/* Takes the switches that were given as --NAME=VALUE out of @argv. */
static int take_switches(int *argc, char **argv, struct envbox *ret, struct err *err)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		const char *value = strchr(argv[i], '=');
		const struct row *row = NULL;

		for (size_t j = 0; value && j < ROWS_N && !row; j++)
			if (rows[j].option.set == set_switch &&
			    !strncmp(argv[i], "--", 2) &&
			    strlen(rows[j].option.name) ==
			            (size_t)(value - argv[i] - 2) &&
			    !strncmp(argv[i] + 2, rows[j].option.name,
			             strlen(rows[j].option.name)))
				row = &rows[j];
		if (!row)
			argv[kept++] = argv[i];
		else if (set_switch((char *)ret + row->option.offset, value + 1, err) < 0)
			return err_wrap(err, "--%s", row->option.name);
	}
	*argc = kept;
	argv[kept] = NULL;
	return 0;
}

static int missing(const char *value, const char *variable, struct err *err)
{
	if (value && *value)
		return 0;
	(void)err_set(err, EINVAL, "no %s", variable);
	return err_hint(err,
	                "envbox needs CODER_INNER_IMAGE and CODER_INNER_USERNAME, too");
}

int envbox_read(int argc, char **argv, char *const *envp, struct arena *arena,
                struct envbox *ret, struct err *err)
{
	struct option *option = arena_alloc(arena, ROWS_N * sizeof(*option));
	char **copy = arena_alloc(arena, ((size_t)argc + 2) * sizeof(*copy));
	const struct options options = {
		.words = "",
		.about = "Be the first process of a pod as \"envbox docker\" would: each "
			 "flag has a "
			 "variable.",
		.row = option,
		.n = ROWS_N,
	};
	struct envbox envbox = { 0 };
	int r;

	if (!option || !copy)
		return err_set(err, ENOMEM, "read envbox's flags");
	for (size_t i = 0; i < ROWS_N; i++)
		option[i] = rows[i].option;
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	/* "envbox docker", and "berth envbox docker", too. */
	if (argc > 1 && !strcmp(copy[1], "docker")) {
		memmove(copy + 1, copy + 2, (size_t)(argc - 2) * sizeof(*copy));
		argc--;
	}
	r = read_variables(envp, &envbox, err);
	if (r == 0)
		r = take_switches(&argc, copy, &envbox, err);
	if (r == 0)
		r = options_parse(&options, &envbox, argc, copy, err);
	if (r < 0 || r == OPTIONS_HELP)
		return r;
	if (r < argc)
		return err_set(err, EINVAL, "'%s' is one word too many", copy[r]);
	r = missing(envbox.image, "CODER_INNER_IMAGE", err);
	if (r == 0)
		r = missing(envbox.user, "CODER_INNER_USERNAME", err);
	if (r == 0)
		*ret = envbox;
	return r;
}

#define WORDS_MAX 512

struct list {
	struct arena *arena;
	const char **word;
	size_t n;
};

static void put(struct list *list, const char *option, const char *value)
{
	if (!value || !*value)
		return;
	if (list->n + 3 > WORDS_MAX) {
		list->arena->failed = true;
		return;
	}
	list->word[list->n++] = option;
	list->word[list->n++] = value;
}

/* An item each of what is joined by commas, as @as makes it. */
static void put_each(struct list *list, const char *option, const char *text,
                     const char *(*as)(const char *item, struct arena *arena))
{
	for (const char *p = text; p && *p;) {
		size_t len = strcspn(p, ",");
		const char *item = arena_printf(list->arena, "%.*s", (int)len, p);

		if (len > 0 && item)
			put(list, option, as ? as(item, list->arena) : item);
		p += len + (p[len] == ',');
	}
}

/* What envbox leaves to its own Docker and to sysbox. */
static bool is_private(const char *target)
{
	static const char *const path[] = {
		"/var/lib/containers", "/var/lib/docker", "/var/lib/sysbox",
		"/lib/modules",        "/usr/src",        "/var/lib/coder"
	};

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++)
		if (!strcmp(target, path[i]))
			return true;
	return false;
}

static bool is_home(const char *source)
{
	const char *slash = strrchr(source, '/');

	return !strcmp(source, "/root") || (slash && slash - source == 5 &&
	                                    !strncmp(source, "/home/", 6) && slash[1]);
}

/* With what envbox does to each: the directory itself is his whose home it is, or root's. */
static const char *owned(const char *text, struct arena *arena)
{
	const char *colon = strchr(text, ':');
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	const char *from, *to;

	/* Read-only as it is, and what is no mount is for others to refuse. */
	if (!colon || (second && strcmp(second, ":rw") != 0))
		return text;
	from = arena_printf(arena, "%.*s", (int)(colon - text), text);
	to = arena_printf(arena, "%.*s", (int)strcspn(colon + 1, ":"), colon + 1);
	if (arena->failed || is_private(to))
		return text;
	return arena_printf(arena, "%s%c%s", text, second ? ',' : ':',
	                    is_home(from) ? "own" : "own=0");
}

static bool is_said(const char *text)
{
	return text && *text;
}

static const char *gpus(const struct envbox *envbox, struct arena *arena)
{
	if (!is_said(envbox->usr_lib))
		return "all";
	return is_said(envbox->inner_usr_lib)
	               ? arena_printf(arena, "%s:%s", envbox->usr_lib,
	                              envbox->inner_usr_lib)
	               : envbox->usr_lib;
}

/* Zero is envbox's word for "no limit". */
static const char *limit(const char *text)
{
	return is_said(text) && strcmp(text, "0") != 0 ? text : NULL;
}

/* What envbox goes without where a node has it not, beside what the pod says so of. */
static const char *dispensable(const struct envbox *envbox,
                               const struct envbox_place *place, struct arena *arena)
{
	const struct {
		const char *name;
		bool wanted;
	} names[] = {
		{ "cpus", limit(envbox->cpus) },
		{ "memory", limit(envbox->memory) },
		{ "device", envbox->tun || envbox->fuse || envbox->gpu },
	};
	const char *text = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].wanted)
			text = arena_printf(arena, "%s%s%s", text, *text ? "," : "",
			                    names[i].name);
	if (*text && is_said(place->best_effort))
		text = arena_printf(arena, "%s,%s", text, place->best_effort);
	return text;
}

const char *const *envbox_words(const struct envbox *envbox,
                                const struct envbox_place *place, const char *script,
                                struct arena *arena, size_t *ret_n)
{
	struct list list = { arena, arena_alloc(arena, WORDS_MAX * sizeof(char *)), 0 };

	*ret_n = 0;
	if (!list.word)
		return NULL;
	list.word[list.n++] = "entrypoint";
	put(&list, "--image", envbox->image);
	put(&list, "--user", envbox->user);
	put(&list, "--workdir", envbox->workdir);
	put(&list, "--hostname", envbox->hostname);
	put(&list, "--cpus", limit(envbox->cpus));
	put(&list, "--memory", limit(envbox->memory));
	put_each(&list, "--env", envbox->envs, NULL);
	/* By their names: values would show in "ps". */
	put(&list, "--env", envbox->token ? "CODER_AGENT_TOKEN" : NULL);
	put(&list, "--env", envbox->url ? "CODER_AGENT_URL" : NULL);
	put(&list, "--volume", place->docker ? ENVBOX_DOCKER ":/var/lib/docker" : NULL);
	put(&list, "--volume",
	    place->containers ? ENVBOX_CONTAINERS ":/var/lib/containers" : NULL);
	put_each(&list, "--volume", envbox->mounts, owned);
	put(&list, "--device", envbox->tun ? "/dev/net/tun" : NULL);
	put(&list, "--device", envbox->fuse ? "/dev/fuse" : NULL);
	put(&list, "--gpus", envbox->gpu ? gpus(envbox, arena) : NULL);
	put(&list, "--best-effort", dispensable(envbox, place, arena));
	put(&list, "--bootstrap", script);
	list.word[list.n] = NULL;
	*ret_n = list.n;
	return list.word;
}

/* RFC 4648; skopeo reads a login as the base64 of USER:PASSWORD only. */
static const char *base64(const char *text, struct arena *arena)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text), n = 0;
	char *out = arena_alloc(arena, (len + 2) / 3 * 4 + 1);

	for (size_t i = 0; out && i < len; i += 3) {
		const unsigned char *in = (const unsigned char *)text + i;
		const size_t have = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)in[0] << 16;

		bits |= have > 1 ? (uint32_t)in[1] << 8 : 0;
		bits |= have > 2 ? in[2] : 0;
		out[n++] = digit[bits >> 18];
		out[n++] = digit[bits >> 12 & 63];
		out[n++] = '=';
		out[n++] = '=';
		if (have > 1)
			out[n - 2] = digit[bits >> 6 & 63];
		if (have > 2)
			out[n - 1] = digit[bits & 63];
	}
	return out ? out : "";
}

/* The registry of an image, as logins name it; "" where it lies in files. */
static int registry(const char *image, struct arena *arena, const char **ret,
                    struct err *err)
{
	struct image_ref ref;
	int r = image_ref_parse(image, arena, &ref, err);

	if (r < 0)
		return r;
	*ret = ref.transport == IMAGE_DOCKER
	               ? arena_printf(arena, "%.*s", (int)strcspn(ref.text, "/"),
	                              ref.text)
	               : "";
	return 0;
}

/* One login for the image's own registry. */
static int one_login(const struct envbox *envbox, const struct json_value *root,
                     struct arena *arena, const char **ret, struct err *err)
{
	const struct json_value *member[] = { json_get(root, "auth"),
		                              json_get(root, "username"),
		                              json_get(root, "password") };
	const char *host, *auth;
	int r = registry(envbox->image, arena, &host, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < 3; i++)
		if (member[i] && member[i]->type != JSON_STRING)
			return err_set(err, EINVAL,
			               "'%s' in CODER_IMAGE_PULL_SECRET is %s",
			               member[i]->key, json_type_name[member[i]->type]);
	if (member[0])
		auth = member[0]->text;
	else if (member[1] && member[2])
		auth = base64(
			arena_printf(arena, "%s:%s", member[1]->text, member[2]->text),
			arena);
	else
		return err_set(err, EINVAL, "CODER_IMAGE_PULL_SECRET holds no login");
	if (strpbrk(auth, "\"\\"))
		return err_set(err, EINVAL,
		               "'auth' in CODER_IMAGE_PULL_SECRET is no base64");
	*ret = arena_printf(arena, "{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}\n", host,
	                    auth);
	return 0;
}

int envbox_logins(const struct envbox *envbox, struct arena *arena, const char **ret,
                  struct err *err)
{
	const struct json_value *root;
	struct err ignored = { 0 };
	bool hosts = true;

	/* What is wrong with it would be told with pieces of it. */
	if (json_parse(envbox->secret, strlen(envbox->secret), arena, &root, &ignored) <
	            0 ||
	    root->type != JSON_OBJECT) {
		(void)err_set(err, EINVAL, "CODER_IMAGE_PULL_SECRET is no JSON object");
		return err_hint(err,
		                "it is the value of .dockerconfigjson in the Secret");
	}
	if (json_get(root, "auths")) {
		*ret = envbox->secret;
		return 0;
	}
	for (const struct json_value *v = root->first; v; v = v->next)
		hosts = hosts && v->type == JSON_OBJECT;
	if (!hosts || !root->first)
		return one_login(envbox, root, arena, ret, err);
	/* The older form, kubernetes.io/dockercfg: the same without its outer object. */
	*ret = arena_printf(arena, "{\"auths\":%s}\n", envbox->secret);
	return 0;
}

const char *const *envbox_notes(const struct envbox *envbox, const char *said[8])
{
	size_t n = 0;

	if (envbox->no_idmap)
		said[n++] = "CODER_DISABLE_IDMAPPED_MOUNT: no effect, there is no sysbox "
			    "that "
			    "would mount with IDs";
	if (envbox->bridge)
		said[n++] =
			"CODER_DOCKER_BRIDGE_CIDR: no effect, there is no bridge around "
			"the workspace; its addresses are chosen beside the pod's";
	if (envbox->gpu && !envbox->usr_lib)
		said[n++] =
			"CODER_ADD_GPU without CODER_USR_LIB_DIR: of libraries only what "
			"this pod has itself comes in";
	said[n] = NULL;
	return said;
}
