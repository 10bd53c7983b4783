#ifndef ENVBOX_H
#define ENVBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/**
 * struct envbox_place - What of this pod the translation goes by
 * @docker, @containers: envbox's directories for Docker's and for containers' data are there
 * @best_effort: BERTH_BEST_EFFORT, which an option would take the place of; NULL without
 */
struct envbox_place {
	bool docker, containers;
	const char *best_effort;
};

/* Where envbox's templates mount what the workspace's Docker is to keep. */
#define ENVBOX_DOCKER "/var/lib/coder/docker"
#define ENVBOX_CONTAINERS "/var/lib/coder/containers"

/**
 * struct envbox - What envbox's variables and flags say
 * @image, @user, @workdir, @hostname, @mounts, @envs, @cpus, @memory: as they came, "" or NULL
 *		where nothing was said
 * @token, @url: of the agent; what was said by a flag
 * @secret:	logins for the registry: JSON
 * @docker_config: a file with them
 * @script:	for the workspace, after its start
 * @bridge:	a network for a bridge that berth has not
 * @usr_lib, @inner_usr_lib: where libraries of GPU drivers lie in the pod, and go inside
 * @certs:	file or directory of CA certificates
 * @tun, @fuse, @gpu, @no_idmap: what was switched on
 * @print:	only show what it means
 */
struct envbox {
	const char *image, *user, *workdir, *hostname, *mounts, *envs, *cpus, *memory;
	const char *token, *url, *secret, *docker_config, *script, *bridge;
	const char *usr_lib, *inner_usr_lib, *certs;
	bool tun, fuse, gpu, no_idmap, print;
};

/**
 * envbox_read() - Read the variables and flags of "envbox docker"
 * @argc, @argv: @argv[0] is the subcommand
 * @envp:	the environment; a flag stands above its variable
 * @arena:	owns what had to be made
 * @ret:	set on success only
 * @err:	quotes what is wrong, by the variable's or the flag's name
 *
 * Return: 0; OPTIONS_HELP; -EINVAL for an unknown flag, a superfluous word, a switch that is
 * neither true nor false, or a missing image or user.
 */
int envbox_read(int argc, char **argv, char *const *envp, struct arena *arena,
                struct envbox *ret, struct err *err);

/**
 * envbox_words() - The same as options of berth entrypoint
 * @envbox:	from envbox_read()
 * @place:	this pod
 * @script:	file that holds @envbox->script; NULL where there is none
 * @arena:	owns the words
 * @ret_n:	their number; the list ends with NULL
 *
 * Pure. The first word is "entrypoint". No secret is among them.
 */
const char *const *envbox_words(const struct envbox *envbox,
                                const struct envbox_place *place, const char *script,
                                struct arena *arena, size_t *ret_n);

/**
 * envbox_logins() - The logins as skopeo(1) reads them
 * @envbox:	with a secret
 * @arena:	owns the text
 * @ret:	a text for the file that REGISTRY_AUTH_FILE names
 * @err:	filled in on failure; without the secret
 *
 * Of a secret that is one login and names no registry, the image's registry is meant.
 *
 * Return: 0; -EINVAL for what is no JSON object.
 */
int envbox_logins(const struct envbox *envbox, struct arena *arena, const char **ret,
                  struct err *err);

/* What has no effect, or another than with envbox: @said, NULL after the last. */
const char *const *envbox_notes(const struct envbox *envbox, const char *said[8]);

#endif
