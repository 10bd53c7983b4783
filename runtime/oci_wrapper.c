#include "oci_wrapper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "exec.h"
#include "oci_bundle.h"
#include "policies/json.h"

#define CGROUP "/sys/fs/cgroup"

bool oci_wrapper_called(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0;

	return name && (!strcmp(name, "runc") || !strcmp(name, "crun"));
}

/* "--NAME VALUE" or "--NAME=VALUE" at @at: the value, and how many words it takes. */
static const char *value_of(int argc, char *const *argv, int at, const char *name,
                            int *ret_words)
{
	size_t n = strlen(name);

	if (strncmp(argv[at], name, n) != 0)
		return NULL;
	if (argv[at][n] == '=') {
		*ret_words = 1;
		return argv[at] + n + 1;
	}
	if (argv[at][n] != '\0' || at + 1 >= argc)
		return NULL;
	*ret_words = 2;
	return argv[at + 1];
}

/* runc(8) and crun(1), "GLOBAL OPTIONS": those that take a word. */
static const char *const with_value[] = { "--root", "--log",      "--log-format",
	                                  "--criu", "--rootless", "--cgroup-manager" };

static bool takes_bundle(const char *command)
{
	return !strcmp(command, "create") || !strcmp(command, "run") ||
	       !strcmp(command, "restore");
}

void oci_call_parse(int argc, char *const *argv, struct oci_call *ret)
{
	int words, i = 1;

	*ret = (struct oci_call){ 0 };
	while (i < argc && argv[i][0] == '-') {
		const char *value = NULL;

		words = 1;
		for (size_t k = 0; k < sizeof(with_value) / sizeof(with_value[0]); k++) {
			value = value_of(argc, argv, i, with_value[k], &words);
			if (!value)
				continue;
			if (!strcmp(with_value[k], "--log"))
				ret->log = value;
			if (!strcmp(with_value[k], "--log-format"))
				ret->log_json = !strcmp(value, "json");
			break;
		}
		i += words;
	}
	ret->command = i < argc ? i : argc;
	if (ret->command == argc || !takes_bundle(argv[i]))
		return;
	ret->bundle = ".";
	for (i++; i < argc; i++) {
		const char *value = value_of(argc, argv, i, "--bundle", &words);

		if (!value)
			value = value_of(argc, argv, i, "-b", &words);
		if (value)
			ret->bundle = value;
	}
}

char **oci_call_words(int argc, char *const *argv, const struct oci_call *call,
                      bool disabled)
{
	char **words = calloc((size_t)argc + 2, sizeof(*words));
	int n = 0;

	if (!words)
		return NULL;
	words[n++] = argv[0];
	if (disabled)
		words[n++] = (char *)"--cgroup-manager=disabled";
	for (int i = 1; i < argc; i++)
		/* Of two managers the later one would count. */
		if (!disabled || i >= call->command ||
		    strcmp(argv[i], "--systemd-cgroup") != 0)
			words[n++] = argv[i];
	words[n] = NULL;
	return words;
}

/*
 * Whether the kernel gives us a sysfs that can be written: not where those in sight
 * are read-only (fs/namespace.c, mount_too_revealing()). It gives none in a network
 * that is not ours; a container may have one of its own, but read-only is never wrong.
 */
static bool sysfs_is_free(void)
{
	cleanup_close int fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	cleanup_close int mnt = -EBADF;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return false;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return mnt >= 0;
}

/* The first runtime of this name in PATH that is not us under another name. */
static int find_runtime(const char *name, char *ret, size_t size, struct err *err)
{
	const char *path = getenv("PATH");
	struct stat own, st;

	if (stat("/proc/self/exe", &own) < 0)
		return err_set(err, errno, "look at '/proc/self/exe'");
	for (path = path ? path : EXEC_PATH;; path++) {
		size_t n = strcspn(path, ":");
		int len = snprintf(ret, size, "%.*s/%s", (int)n, path, name);

		if (n > 0 && len > 0 && (size_t)len < size && stat(ret, &st) == 0 &&
		    S_ISREG(st.st_mode) && access(ret, X_OK) == 0 &&
		    (st.st_dev != own.st_dev || st.st_ino != own.st_ino))
			return 0;
		path += n;
		if (*path == '\0')
			break;
	}
	(void)err_set(err, ENOENT, "find '%s' in PATH", name);
	return err_hint(err, "install %s in the image: it is what starts containers",
	                name);
}

/* Where containerd looks for the reason: the last line with the level "error". */
static void tell_log(const struct oci_call *call, const struct err *err)
{
	FILE *out = call->log ? fopen(call->log, "ae") : NULL;
	char message[ERR_TEXT_MAX + ERR_HINT_MAX + 128], when[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!out)
		return;
	(void)snprintf(message, sizeof(message), "berth: %s: %s%s%s", err->text,
	               strerror(err->code), err->hint[0] ? "; hint: " : "", err->hint);
	if (call->log_json && gmtime_r(&now, &tm) &&
	    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0) {
		struct json *json = json_open(out, false);

		json_object(json);
		json_put_string(json, "level", "error");
		json_put_string(json, "msg", message);
		json_put_string(json, "time", when);
		json_object_end(json);
		(void)json_close(json);
		(void)fputc('\n', out);
	} else {
		(void)fprintf(out, "%s\n", message);
	}
	(void)fclose(out);
}

static int become_runtime(int argc, char **argv, const struct oci_call *call,
                          struct err *err)
{
	const char *slash = strrchr(argv[0], '/');
	/* Read-only, or somebody else's. */
	bool disabled = access(CGROUP, W_OK) < 0;
	const char *name = disabled ? "crun" : slash ? slash + 1 : argv[0];
	char path[PATH_MAX];
	char **words;
	int r = 0;

	if (call->bundle && !sysfs_is_free())
		r = oci_fix_bundle(call->bundle, err);
	if (r >= 0)
		r = find_runtime(name, path, sizeof(path), err);
	if (r < 0)
		return r;
	words = oci_call_words(argc, argv, call, disabled);
	if (!words)
		return err_set(err, ENOMEM, "make the words of '%s'", path);
	/* The service's own; crun would hand it to the container. */
	(void)unsetenv("NOTIFY_SOCKET");
	(void)execv(path, words);
	r = err_set(err, errno, "execute '%s'", path);
	free(words);
	return r;
}

int oci_wrapper_main(int argc, char **argv)
{
	struct err err = { 0 };
	struct oci_call call;

	oci_call_parse(argc, argv, &call);
	(void)become_runtime(argc, argv, &call, &err);
	(void)err_step(&err, "oci-runtime");
	tell_log(&call, &err);
	log_err(&err);
	return 1;
}
