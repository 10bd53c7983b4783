#ifndef IMAGE_REF_H
#define IMAGE_REF_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* "sha256:" and 64 hexadecimal digits. */
#define IMAGE_DIGEST_LEN 71

enum image_transport {
	IMAGE_DOCKER,         /* a registry */
	IMAGE_OCI,            /* a directory in the layout of OCI */
	IMAGE_DOCKER_ARCHIVE, /* what docker save writes */
	IMAGE_OCI_ARCHIVE,    /* such a layout as a tar file */
	IMAGE_TRANSPORT_MAX,
};

extern const char *const image_transport_name[IMAGE_TRANSPORT_MAX];

/* When a name is looked for in its registry, or file: as of docker run --pull. */
enum image_when { IMAGE_MISSING, IMAGE_ALWAYS, IMAGE_NEVER, IMAGE_WHEN_MAX };

extern const char *const image_when_name[IMAGE_WHEN_MAX];

/* Setter of an option: @field is an enum image_when. */
int image_when_option(void *field, const char *value, struct err *err);

/**
 * struct image_ref - An image's name, taken apart
 * @transport:	where it lies
 * @text:	its name in the store: "docker.io/library/debian:12", "oci:/srv/os:12"
 * @source:	what skopeo(1) takes: "docker://...", "oci:..."
 * @path:	absolute, of what lies in files; NULL for a registry
 * @digest:	"sha256:..." where the name says it, else NULL
 */
struct image_ref {
	enum image_transport transport;
	const char *text, *source, *path, *digest;
};

/**
 * image_ref_parse() - Read the name of an image
 * @text:	as docker(1) and podman(1) write it ("debian:12", "quay.io/a/b@sha256:..."),
 *		or "docker://NAME", "oci:PATH[:TAG]", "docker-archive:PATH[:NAME]",
 *		"oci-archive:PATH[:TAG]"; a relative path is one of the working directory
 * @arena:	owns the strings of @ret
 * @ret:	set on success only
 * @err:	quotes @text, with a hint
 *
 * Return: 0; -EINVAL for what is no such name; -ENAMETOOLONG.
 */
int image_ref_parse(const char *text, struct arena *arena, struct image_ref *ret,
                    struct err *err);

/* Whether @text is "sha256:" and 64 lower-case hexadecimal digits, and nothing else. */
bool image_digest_valid(const char *text);

#endif
