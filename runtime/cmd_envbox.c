#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "commands.h"
#include "entrypoint.h"
#include "envbox.h"
#include "options.h"
#include "run.h"

/* What envbox gives the script, whose agent puts itself there. */
#define SCRIPT_HEAD \
	"BINARY_DIR=\"$HOME/.coder\"\nexport BINARY_DIR\nmkdir -p \"$BINARY_DIR\"\n"

/* A directory for what nobody else is to read, gone with us. */
struct desk {
	char path[128];
	int dir;
};

static int desk_open(struct desk *desk, struct err *err)
{
	const char *above = getenv("XDG_RUNTIME_DIR");

	if (!above || !*above)
		above = access("/run", W_OK) == 0 ? "/run" : "/tmp";
	(void)snprintf(desk->path, sizeof(desk->path), "%.100s/berth-envbox-XXXXXX",
	               above);
	if (!mkdtemp(desk->path))
		return err_set(err, errno, "make a directory in '%s'", above);
	desk->dir = open(desk->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return desk->dir < 0 ? err_set(err, errno, "open '%s'", desk->path) : 0;
}

static void desk_close(struct desk *desk)
{
	if (desk->dir < 0)
		return;
	(void)unlinkat(desk->dir, "script", 0);
	(void)unlinkat(desk->dir, "auth.json", 0);
	drop_fd(&desk->dir);
	(void)rmdir(desk->path);
}

static int desk_put(struct desk *desk, const char *name, const char *head,
                    const char *text, struct err *err)
{
	cleanup_close int fd =
		openat(desk->dir, name,
	               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : write_all(fd, head, strlen(head));

	if (r == 0)
		r = write_all(fd, text, strlen(text));
	return r < 0 ? err_set(err, -r, "write '%s/%s'", desk->path, name) : 0;
}

static int set(const char *name, const char *value, struct err *err)
{
	return !value || setenv(name, value, 1) == 0
	               ? 0
	               : err_set(err, errno, "set the variable '%s'", name);
}

/* Where skopeo(1) finds logins and certificates, and the workspace its agent's variables. */
static int prepare(const struct envbox *envbox, struct desk *desk, struct arena *arena,
                   struct err *err)
{
	const char *config = envbox->docker_config, *logins;
	struct stat st;
	int r;

	if (config && stat(config, &st) == 0 && S_ISDIR(st.st_mode))
		config = arena_printf(arena, "%s/config.json", config);
	if (config && access(config, F_OK) < 0) {
		log_warn("CODER_DOCKER_CONFIG '%s': %s, going on without it", config,
		         strerror(errno));
		config = NULL;
	}
	r = set("REGISTRY_AUTH_FILE", config, err);
	if (r == 0 && envbox->secret) {
		r = envbox_logins(envbox, arena, &logins, err);
		if (r == 0 && !config)
			r = desk_put(desk, "auth.json", "", logins, err);
		if (r == 0 && !config)
			r = set("REGISTRY_AUTH_FILE",
			        arena_printf(arena, "%s/auth.json", desk->path), err);
		/* CODER_INNER_ENVS may be CODER_*; this one is not the workspace's. */
		(void)unsetenv("CODER_IMAGE_PULL_SECRET");
	}
	if (r == 0 && envbox->certs) {
		if (stat(envbox->certs, &st) < 0)
			return err_set(err, errno, "CODER_EXTRA_CERTS_PATH '%s'",
			               envbox->certs);
		r = set(S_ISDIR(st.st_mode) ? "SSL_CERT_DIR" : "SSL_CERT_FILE",
		        envbox->certs, err);
	}
	if (r == 0)
		r = set("CODER_AGENT_TOKEN", envbox->token, err);
	if (r == 0)
		r = set("CODER_AGENT_URL", envbox->url, err);
	if (r == 0 && envbox->script)
		r = desk_put(desk, "script", SCRIPT_HEAD, envbox->script, err);
	return r;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int look_around(const struct envbox *envbox, struct envbox_place *ret,
                       struct err *err)
{
	*ret = (struct envbox_place){ .docker = is_directory(ENVBOX_DOCKER),
		                      .containers = is_directory(ENVBOX_CONTAINERS),
		                      .best_effort = getenv("BERTH_BEST_EFFORT") };
	if (!envbox->gpu || !envbox->usr_lib || !*envbox->usr_lib ||
	    is_directory(envbox->usr_lib))
		return 0;
	(void)err_set(err, ENOTDIR, "CODER_USR_LIB_DIR '%s'", envbox->usr_lib);
	return err_hint(err, "mount the node's /usr/lib there, read-only");
}

static void print_words(const char *const *word, size_t n)
{
	(void)printf("berth");
	for (size_t i = 0; i < n; i++) {
		(void)printf(" '");
		for (const char *p = word[i]; *p; p++)
			(void)(*p == '\'' ? printf("'\\''") : putchar(*p));
		(void)putchar('\'');
	}
	(void)putchar('\n');
}

static int start(const struct envbox *envbox, struct desk *desk, struct arena *arena,
                 struct err *err)
{
	struct envbox_place place;
	const char *const *word, *script = NULL;
	struct config config;
	size_t n;
	int r = look_around(envbox, &place, err);

	if (r == 0 && !envbox->print) {
		r = desk_open(desk, err);
		if (r == 0)
			r = prepare(envbox, desk, arena, err);
	}
	if (r < 0)
		return r;
	if (envbox->script)
		script = envbox->print ? "SCRIPT"
		                       : arena_printf(arena, "%s/script", desk->path);
	word = envbox_words(envbox, &place, script, arena, &n);
	if (arena->failed || !word)
		return err_set(err, ENOMEM, "read envbox's variables");
	if (envbox->print) {
		print_words(word, n);
		return 0;
	}
	r = config_parse_entrypoint((int)n, (char **)word, environ, arena, &config, err);
	if (r < 0)
		return r;
	/* What that means takes the image: its supervisor pulls it, not the pod's first process. */
	config.envbox = true;
	return entrypoint_run(&config, arena, err);
}

int cmd_envbox(int argc, char **argv, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct desk desk = { .dir = -EBADF };
	struct envbox envbox;
	const char *said[8];
	int r = envbox_read(argc, argv, environ, &arena, &envbox, err);

	if (r == OPTIONS_HELP)
		return 0;
	if (r == 0) {
		for (const char *const *note = envbox_notes(&envbox, said); *note; note++)
			log_warn("%s", *note);
		r = start(&envbox, &desk, &arena, err);
	}
	desk_close(&desk);
	if (r < 0)
		entrypoint_tell(err);
	return r;
}

bool envbox_called(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return argv0 && !strcmp(slash ? slash + 1 : argv0, "envbox");
}
