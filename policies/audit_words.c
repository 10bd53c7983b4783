#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "audit_internal.h"

static bool contains(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= len; i++)
		if (!strncasecmp(text + i, word, n))
			return true;
	return false;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= len; i++)
		if (!strncasecmp(text + i, word, n) &&
		    (i == 0 || !isalnum((unsigned char)text[i - 1])) &&
		    (i + n == len || !isalnum((unsigned char)text[i + n])))
			return true;
	return false;
}

bool audit_secret_name(const char *name, size_t len)
{
	/* Where the secret is, not what it is. */
	static const char *const places[] = { "_FILE", "_PATH", "_DIR",  "_NAME",
		                              "_URL",  "_TTL",  "_TYPE", NULL };
	static const char *const parts[] = { "PASSWORD", "PASSWD", "PASSPHRASE", NULL };
	static const char *const words[] = { "SECRET",      "SECRETS",    "TOKEN",
		                             "CREDENTIAL",  "APIKEY",     "API_KEY",
		                             "PRIVATE_KEY", "ACCESS_KEY", "SECRET_KEY",
		                             NULL };

	for (size_t i = 0; places[i]; i++) {
		size_t n = strlen(places[i]);

		if (len > n && !strncasecmp(name + len - n, places[i], n))
			return false;
	}
	for (size_t i = 0; parts[i]; i++)
		if (contains(name, len, parts[i]))
			return true;
	for (size_t i = 0; words[i]; i++)
		if (is_word(name, len, words[i]))
			return true;
	return false;
}

bool audit_secret_value(const char *value)
{
	static const char *const begin[] = { "-----BEGIN ", "AKIA",   "ghp_",
		                             "github_pat_", "glpat-", "xoxb-",
		                             "eyJhbGciOi",  NULL };

	for (size_t i = 0; begin[i]; i++)
		if (!strncmp(value, begin[i], strlen(begin[i])) && strlen(value) > 16)
			return true;
	return false;
}

const char *audit_clean_path(struct arena *arena, const char *path)
{
	char *ret = arena_alloc(arena, strlen(path) + 2);
	size_t n = 0;

	if (!ret)
		return "";
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !strncmp(path, "..", 2)) {
			while (n > 0 && ret[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			ret[n++] = '/';
			memcpy(ret + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	ret[n] = '\0';
	if (n == 0)
		return "/";
	if (!strncmp(ret, "/var/run", 8) && (ret[8] == '\0' || ret[8] == '/'))
		return ret + 4;
	return ret;
}

bool audit_below(const char *path, const char *directory)
{
	const size_t len = strcmp(directory, "/") ? strlen(directory) : 0;

	return !strncmp(path, directory, len) && (path[len] == '\0' || path[len] == '/');
}

bool audit_runtime_socket(const char *path)
{
	static const char *const names[] = {
		"docker.sock",      "containerd.sock", "crio.sock", "podman.sock",
		"cri-dockerd.sock", "buildkitd.sock",  NULL
	};
	static const char *const directories[] = { "/run/docker",   "/run/containerd",
		                                   "/run/crio",     "/run/podman",
		                                   "/run/buildkit", NULL };
	const char *name = strrchr(path, '/');

	for (size_t i = 0; name && names[i]; i++)
		if (!strcmp(name + 1, names[i]))
			return true;
	for (size_t i = 0; directories[i]; i++)
		if (!strcmp(path, directories[i]))
			return true;
	return false;
}

bool audit_system_path(const char *path)
{
	/* These, what holds them, and all below them. */
	static const char *const directories[] = {
		"/bin",
		"/boot",
		"/dev",
		"/etc",
		"/lib",
		"/lib64",
		"/proc",
		"/root",
		"/run",
		"/sbin",
		"/sys",
		"/usr",
		"/var/log",
		"/var/lib/kubelet",
		"/var/lib/docker",
		"/var/lib/containerd",
		"/var/lib/containers",
		"/var/lib/etcd",
		"/var/spool/cron",
		NULL,
	};

	for (size_t i = 0; directories[i]; i++)
		if (audit_below(path, directories[i]) ||
		    audit_below(directories[i], path))
			return true;
	return !strcmp(path, "/");
}
