#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "image.h"
#include "image_program.h"
#include "image_unpack.h"

#define RETRIES "3"

/* Tries of a pull to which nothing comes any more. */
#define STALLS_MAX 3

/* What skopeo says, what it means, and what mends it; the first that fits. */
static const struct {
	const char *said;
	int code;
	const char *hint;
} known[] = {
	{ "no space left on device", ENOSPC,
	  "make room: 'berth image prune --all', or a larger disk for --store" },
	{ "disk quota exceeded", EDQUOT,
	  "make room: 'berth image prune --all', or a larger quota" },
	{ "no image found in", ENOEXEC,
	  "the image has no variant for this machine: ask for one that has, or have it "
	  "built" },
	{ "did not match", EBADMSG,
	  "what came is not what was asked for: pull again, and distrust a mirror that "
	  "does "
	  "this twice" },
	{ "digest mismatch", EBADMSG,
	  "what came is not what was asked for: pull again, and distrust a mirror that "
	  "does "
	  "this twice" },
	{ "permission denied", EACCES, "see who may read that file or directory" },
	{ "unauthorized", EACCES,
	  "log in with 'skopeo login HOST', or name a config.json, as of a pull secret, "
	  "in "
	  "REGISTRY_AUTH_FILE" },
	{ "authentication required", EACCES,
	  "log in with 'skopeo login HOST', or name a config.json, as of a pull secret, "
	  "in "
	  "REGISTRY_AUTH_FILE" },
	{ "denied", EACCES,
	  "check the name; the image may be private: log in with 'skopeo login HOST', or "
	  "name a config.json in REGISTRY_AUTH_FILE" },
	{ "toomanyrequests", EBUSY,
	  "the registry limits how often it is asked: log in, or wait" },
	{ "manifest unknown", ENOENT, "check the name and the tag" },
	{ "name unknown", ENOENT, "check the name and the tag" },
	{ "no descriptor found", ENOENT, "check the tag: the layout has no such image" },
	{ "more than one image", ENOENT,
	  "say which: oci:DIR:TAG, oci-archive:FILE:TAG, docker-archive:FILE:NAME" },
	{ "not found", ENOENT, "check the name and the tag" },
	{ "no such file", ENOENT, "check the path" },
	{ "x509", EPERM,
	  "give the registry's CA: --cert-dir, /etc/containers/certs.d/HOST/ca.crt, or "
	  "SSL_CERT_FILE" },
	{ "HTTP response to HTTPS client", EPROTO,
	  "if that registry shall do without TLS, say so in registries.conf: insecure = "
	  "true" },
	{ "no such host", ENETUNREACH, "check the name, the network and HTTPS_PROXY" },
	{ "connection refused", ECONNREFUSED,
	  "is the registry up? check the name, the port and HTTPS_PROXY" },
	{ "network is unreachable", ENETUNREACH, "check the network and HTTPS_PROXY" },
	{ "no route to host", EHOSTUNREACH, "check the network and HTTPS_PROXY" },
	{ "connection reset", ECONNRESET,
	  "each try broke off: check the network and HTTPS_PROXY, and try again" },
	{ ": EOF", ECONNRESET,
	  "each try broke off: check the network and HTTPS_PROXY, and try again" },
	{ "unexpected EOF", ECONNRESET,
	  "each try broke off: check the network and HTTPS_PROXY, and try again" },
	{ "timeout", ETIMEDOUT, "check the network and HTTPS_PROXY, and try again" },
	{ "policy.json", ENOENT,
	  "skopeo wants to know whom to trust: install the package "
	  "golang-github-containers-common" },
};

/* Of 'time="..." level=fatal msg="..."' the message, with \" as it was. */
static const char *message(const char *said, struct arena *arena)
{
	const char *from = strstr(said, "msg=");
	char *text, *out;

	if (!from)
		return said;
	text = out = (char *)arena_dup(arena, from + 4);
	if (*text != '"')
		return text;
	for (const char *in = text + 1; *in && *in != '"'; in++) {
		if (*in == '\\' && in[1])
			in++;
		*out++ = *in;
	}
	*out = '\0';
	return text;
}

static int judge(struct program *skopeo, int status, struct arena *arena, struct err *err)
{
	const char *said;

	if (status == 0)
		return 0;
	if (status > 128)
		return err_set(err, EIO, "skopeo was ended by signal %d", status - 128);
	said = message(program_said(skopeo), arena);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasestr(said, known[i].said)) {
			(void)err_set(err, known[i].code, "skopeo: %.400s", said);
			return err_hint(err, "%s", known[i].hint);
		}
	return err_set(err, EIO, "skopeo: %.400s", said);
}

/* Of what docker(1) is told where its configuration lies skopeo knows nothing. */
static const char *authfile(const struct image_wish *wish, struct arena *arena)
{
	const char *dir = getenv("DOCKER_CONFIG");
	const char *file;

	if (wish->authfile || getenv("REGISTRY_AUTH_FILE") || !dir || !*dir)
		return wish->authfile;
	file = arena_printf(arena, "%s/config.json", dir);
	return access(file, R_OK) == 0 ? file : NULL;
}

static int read_digest(struct image_store *store, const char *stage, struct arena *arena,
                       const char **ret, struct err *err)
{
	const char *path = arena_printf(arena, "tmp/%s/layout/index.json", stage);
	struct image_blob manifest;
	const char *text;
	ssize_t n;
	int r;

	n = file_slurp(store->dir, path, IMAGE_DOCUMENT_MAX, arena, &text, err);
	r = n < 0 ? (int)n : image_index_read(text, (size_t)n, arena, &manifest, err);
	if (r == 0)
		*ret = manifest.digest;
	return r;
}

/* Changes with each byte that comes: skopeo writes below its stage, and moves what is whole. */
static uint64_t bytes_below(const void *path)
{
	char *const paths[] = { (char *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	uint64_t sum = 0;
	FTSENT *at;

	if (!fts)
		return 0;
	while ((at = fts_read(fts)))
		if (at->fts_info == FTS_F)
			sum += 1 + (uint64_t)at->fts_statp->st_size;
	(void)fts_close(fts);
	return sum;
}

/* A registry that says nothing any more counts as a connection that broke. */
static int run_skopeo(struct program *skopeo, const struct progress *progress,
                      struct arena *arena, struct err *err)
{
	int r = program_run(skopeo, err);

	for (int i = 0; r >= 0 && skopeo->stalled && i < STALLS_MAX; i++) {
		progress_step(progress, "again", NULL);
		r = program_run(skopeo, err);
	}
	if (r < 0 || !skopeo->stalled)
		return r < 0 ? r : judge(skopeo, r, arena, err);
	(void)err_set(err, ETIMEDOUT, "skopeo: nothing came for %" PRIu64 " s, %d times",
	              skopeo->patience_s, STALLS_MAX + 1);
	return err_hint(err, "is the registry up? check the network and HTTPS_PROXY; "
	                     "--pull-patience says how long to wait");
}

int image_copy(struct image_store *store, const struct image_wish *wish,
               const char *stage, struct progress *progress, struct arena *arena,
               const char **ret_digest, struct err *err)
{
	const char *argv[24];
	struct program skopeo = { .argv = argv,
		                  .package = "skopeo",
		                  .out = progress->mode == PROGRESS_BAR ? STDERR_FILENO
		                                                        : -EBADF,
		                  .watched = -EBADF,
		                  .line = progress_line,
		                  .ctx = progress,
		                  .patience_s = wish->patience_s,
		                  .sign = bytes_below };
	const char *auth = authfile(wish, arena);
	size_t n = 0;
	int r;

	skopeo.sign_ctx = arena_printf(arena, "%s/tmp/%s", store->path, stage);
	argv[n++] = "skopeo";
	argv[n++] = "--tmpdir";
	argv[n++] = skopeo.sign_ctx;
	argv[n++] = "copy";
	argv[n++] = "--retry-times";
	argv[n++] = RETRIES;
	if (auth) {
		argv[n++] = "--src-authfile";
		argv[n++] = auth;
	}
	if (wish->cert_dir) {
		argv[n++] = "--src-cert-dir";
		argv[n++] = wish->cert_dir;
	}
	if (wish->insecure)
		argv[n++] = "--src-tls-verify=false";
	/* What umoci reads; layers that are packed so already stay as they are. */
	argv[n++] = "--dest-compress-format";
	argv[n++] = "gzip";
	argv[n++] = "--dest-shared-blob-dir";
	argv[n++] = arena_printf(arena, "%s/blobs", store->path);
	argv[n++] = wish->ref.source;
	argv[n++] = arena_printf(arena, "oci:%s/tmp/%s/layout:" IMAGE_TAG, store->path,
	                         stage);
	argv[n] = NULL;
	if (arena->failed)
		return err_set(err, ENOMEM, "start skopeo");
	r = run_skopeo(&skopeo, progress, arena, err);
	if (r == 0)
		r = read_digest(store, stage, arena, ret_digest, err);
	return r;
}
