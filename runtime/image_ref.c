#include "image_ref.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "policies/json.h"

/* Of a registry's host, path and tag together; the distribution specification has 255 for
 * host and path, and 128 for a tag. */
#define NAME_LEN_MAX 255
#define TAG_LEN_MAX 128

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

const char *const image_transport_name[IMAGE_TRANSPORT_MAX] = {
	[IMAGE_DOCKER] = "docker://",
	[IMAGE_OCI] = "oci:",
	[IMAGE_DOCKER_ARCHIVE] = "docker-archive:",
	[IMAGE_OCI_ARCHIVE] = "oci-archive:",
};

const char *const image_when_name[IMAGE_WHEN_MAX] = {
	[IMAGE_MISSING] = "missing",
	[IMAGE_ALWAYS] = "always",
	[IMAGE_NEVER] = "never",
};

int image_when_option(void *field, const char *value, struct err *err)
{
	enum image_when *when = field;

	for (int i = 0; i < IMAGE_WHEN_MAX; i++)
		if (!strcmp(value, image_when_name[i])) {
			*when = (enum image_when)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not missing, always or never", value);
}

/* Transports of skopeo's that are none of ours: nobody shall take them for a host. */
static const char *const others[] = { "dir:", "containers-storage:", "docker-daemon:",
	                              "ostree:", "sif:" };

bool image_digest_valid(const char *text)
{
	return !strncmp(text, "sha256:", 7) && strlen(text) == IMAGE_DIGEST_LEN &&
	       strspn(text + 7, DIGITS "abcdef") == 64;
}

static bool plain(const char *text)
{
	size_t left = strlen(text), len;

	for (; left > 0; text += len, left -= len) {
		len = json_utf8(text, left);
		if (len == 0 || terminal_control(text) > 0)
			return false;
	}
	return true;
}

/* [a-z0-9]+ with one of ".", "_", "__" or any number of "-" between. */
static bool component_valid(const char *text, size_t len)
{
	static const char word[] = LOWER DIGITS;
	size_t at = 0;

	while (at < len) {
		size_t n = strspn(text + at, word), dashes;

		if (n == 0)
			return false;
		at += n;
		if (at >= len)
			return at == len;
		dashes = strspn(text + at, "-");
		if (dashes > 0)
			at += dashes;
		else if (!strncmp(text + at, "__", 2))
			at += 2;
		else if (text[at] == '.' || text[at] == '_')
			at++;
		else
			return false;
	}
	return false;
}

static bool path_valid(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!component_valid(path, len))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

/* "localhost", "quay.io", "10.0.0.1:5000", "[::1]:5000": no name of a path has these. */
static bool is_host(const char *text, size_t len)
{
	return (len == 9 && !strncmp(text, "localhost", 9)) || memchr(text, '.', len) ||
	       memchr(text, ':', len);
}

static bool host_valid(const char *host)
{
	const char *port = strrchr(host, ':');
	size_t len;

	if (host[0] == '[') {
		len = strspn(host + 1, DIGITS "abcdefABCDEF:.") + 1;
		if (host[len++] != ']')
			return false;
	} else {
		len = strcspn(host, ":");
		if (len == 0 || strspn(host, LOWER UPPER DIGITS ".-") != len ||
		    host[0] == '-' || host[0] == '.')
			return false;
	}
	if (host[len] == '\0')
		return true;
	return port == host + len && strlen(port) > 1 && strlen(port) < 7 &&
	       strspn(port + 1, DIGITS) == strlen(port + 1);
}

static bool tag_valid(const char *tag)
{
	size_t len = strlen(tag);

	return len > 0 && len <= TAG_LEN_MAX && tag[0] != '.' && tag[0] != '-' &&
	       strspn(tag, LOWER UPPER DIGITS "_.-") == len;
}

static int no_image(const char *text, const char *why, struct err *err)
{
	(void)err_set(err, EINVAL, "'%.200s' is no image: %s", text, why);
	return err_hint(err, "names are as docker's, debian:12 or "
	                     "quay.io/team/os@sha256:..., or docker://NAME, oci:DIR, "
	                     "docker-archive:FILE, oci-archive:FILE");
}

/* As docker(1): what is no host belongs to docker.io, and one word alone to its library. */
static int parse_registry(const char *text, const char *name, struct arena *arena,
                          struct image_ref *ret, struct err *err)
{
	char *copy = (char *)arena_dup(arena, name);
	char *digest = strchr(copy, '@'), *slash, *tag;
	const char *host = "docker.io", *path = copy, *library = "", *last;

	if (digest) {
		*digest++ = '\0';
		if (!image_digest_valid(digest))
			return no_image(text, "a digest is sha256: and 64 digits", err);
	}
	last = strrchr(copy, '/');
	tag = strchr(last ? last : copy, ':');
	if (tag)
		*tag++ = '\0';
	slash = strchr(copy, '/');
	if (slash && is_host(copy, (size_t)(slash - copy))) {
		*slash = '\0';
		host = copy;
		path = slash + 1;
		if (!strcmp(host, "index.docker.io"))
			host = "docker.io";
	}
	if (!host_valid(host))
		return no_image(text, "its host is none", err);
	if (!strcmp(host, "docker.io") && !strchr(path, '/'))
		library = "library/";
	if (strlen(host) + strlen(library) + strlen(path) > NAME_LEN_MAX)
		return err_set(err, ENAMETOOLONG, "the image '%.60s...'", text);
	if (!path_valid(path))
		return no_image(text, "its path has to be of a-z 0-9 . _ - and /", err);
	if (tag && !tag_valid(tag))
		return no_image(text, "its tag has to be of A-Z a-z 0-9 _ . -", err);
	/* The digest says it all; skopeo takes one of the two. */
	ret->text =
		digest ? arena_printf(arena, "%s/%s%s@%s", host, library, path, digest)
		       : arena_printf(arena, "%s/%s%s:%s", host, library, path,
	                              tag ? tag : "latest");
	ret->source = arena_printf(arena, "docker://%s", ret->text);
	ret->digest = digest;
	return 0;
}

/* "PATH[:TAG]": skopeo ends the path at the first colon. */
static int parse_path(const char *text, const char *rest, struct arena *arena,
                      struct image_ref *ret, struct err *err)
{
	const char *colon = strchr(rest, ':');
	size_t len = colon ? (size_t)(colon - rest) : strlen(rest);
	const char *name = image_transport_name[ret->transport];
	char cwd[PATH_MAX];

	if (len == 0)
		return no_image(text, "it has no path", err);
	if (len >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "the image '%.60s...'", text);
	if (colon && colon[1] == '\0')
		return no_image(text, "nothing follows its ':'", err);
	if (rest[0] == '/')
		ret->path = arena_printf(arena, "%.*s", (int)len, rest);
	else if (!getcwd(cwd, sizeof(cwd)))
		return err_set(err, errno, "find the working directory");
	else if (strchr(cwd, ':'))
		return no_image(text, "the working directory has a ':'", err);
	else
		ret->path = arena_printf(arena, "%s/%.*s", cwd, (int)len, rest);
	ret->text = arena_printf(arena, "%s%s%s", name, ret->path, colon ? colon : "");
	ret->source = ret->text;
	return 0;
}

int image_ref_parse(const char *text, struct arena *arena, struct image_ref *ret,
                    struct err *err)
{
	struct image_ref ref = { .transport = IMAGE_DOCKER };
	const char *rest = text;
	int r;

	if (!plain(text))
		return err_set(err, EINVAL,
		               "the name of the image is no plain text of UTF-8");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strncmp(text, others[i], strlen(others[i])))
			return no_image(text, "berth does not read that transport", err);
	for (int i = 0; i < IMAGE_TRANSPORT_MAX; i++) {
		size_t len = strlen(image_transport_name[i]);

		if (strncmp(text, image_transport_name[i], len) != 0)
			continue;
		ref.transport = (enum image_transport)i;
		rest = text + len;
	}
	if (text[0] == '/' || text[0] == '.' || text[0] == '\0')
		return no_image(text, "a path has its kind in front, oci:DIR", err);
	r = ref.transport == IMAGE_DOCKER ? parse_registry(text, rest, arena, &ref, err)
	                                  : parse_path(text, rest, arena, &ref, err);
	if (r == 0 && arena->failed)
		r = err_set(err, ENOMEM, "read the image's name");
	if (r == 0)
		*ret = ref;
	return r;
}
