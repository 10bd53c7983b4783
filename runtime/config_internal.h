#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

/* What the files that read the options of run share: config.c, config_parse.c and
 * config_env.c. */

#include "base/arena.h"
#include "config.h"
#include "netns/egress.h"
#include "options.h"

#define LIST_MAX 256
#define LIMITS_MAX 36

/* What the setters fill in; config_parse() makes the config of it. */
struct words {
	struct config config;
	const char *volume[LIST_MAX], *env[LIST_MAX], *device[LIST_MAX];
	size_t volume_n, env_n, device_n;
	struct extra_host host[LIST_MAX];
	size_t host_n;
	struct hook hook[HOOKS_MAX];
	size_t hook_n;
	struct publish publish[LIST_MAX];
	size_t publish_n;
	struct idmap uid_map, gid_map;
	const char *egress[EGRESS_RULES];
	size_t egress_n;
	size_t egress_level[2]; /* where those of variables begin, and those of options */
	struct limit limit[LIMITS_MAX];
	size_t limit_n;
	struct slot {
		enum knob knob;
		struct words *words;
	} slot[KNOB_N];
	struct origin *origin; /* NULL while nobody asks for it */
	size_t origin_n;
	struct arena *arena;
	bool json, entrypoint, variables;
	bool reading; /* a policy is read and not run: neither the machine nor the command counts */
};

/* Room for every option of run. */
#define CONFIG_OPTIONS_MAX 96

/* Whose options: they are those of run but for a few. */
enum config_of {
	CONFIG_RUN,
	CONFIG_PLAN,
	CONFIG_ENTRYPOINT,
	CONFIG_VARIABLES, /* what a variable of entrypoint may say */
};

/* Fills in the rows. Return: how many there are. */
size_t config_options(enum config_of of, struct option row[CONFIG_OPTIONS_MAX]);

/* Setters of struct option for what may be given several times, config_lists.c. */
int config_add_egress(void *field, const char *value, struct err *err);
int config_add_caps(void *field, const char *value, struct err *err);
int config_add_allowed(void *field, const char *value, struct err *err);
int config_add_denied(void *field, const char *value, struct err *err);
int config_add_volume(void *field, const char *value, struct err *err);
int config_add_device(void *field, const char *value, struct err *err);
int config_add_publish(void *field, const char *value, struct err *err);
int config_add_host(void *field, const char *value, struct err *err);
int config_add_prestart(void *field, const char *value, struct err *err);
int config_add_poststart(void *field, const char *value, struct err *err);
int config_add_poststop(void *field, const char *value, struct err *err);
int config_add_ids(void *field, const char *value, struct err *err);
int config_add_env(void *field, const char *value, struct err *err);

/* An absolute path without "." and ".." components. Return: 0; -EINVAL, -ENAMETOOLONG with what is
 * wrong with it. */
int config_check_path(const char *what, const char *path, struct err *err);

/* A path of the pod as the caller means it: relative to the working directory. */
const char *config_absolute(struct arena *arena, const char *path);

/**
 * config_volumes() - Read -v, --device and --gpus
 * @c:		@gpus and @best_effort are set; volumes and devices are filled in
 * @words:	the others
 * @arena:	owns them
 * @err:	quotes the item on failure
 *
 * Return: 0; -ENODEV without a GPU; -EINVAL; -ENOMEM.
 */
int config_volumes(struct config *c, const struct words *words, struct arena *arena,
                   struct err *err);

/* Whether an option may be given several times, each with another item. */
bool config_repeats(const char *option);

/**
 * struct setting - An option as a variable of the environment says it
 * @row:	the option
 * @value:	one item of it, NULL for a flag
 * @where:	"BERTH_CPUS"
 */
struct setting {
	const struct option *row;
	const char *value, *where;
};

/**
 * config_env() - What BERTH_* variables say
 * @row, @n:	the options there are
 * @envp:	"NAME=VALUE" each, NULL-terminated
 * @arena:	owns the result
 * @ret:	in the order of the options, the items of one in theirs
 * @ret_n:	length of @ret
 * @err:	names the variable on failure
 *
 * Those that Kubernetes sets for a Service called "berth" are none of ours.
 *
 * Return: 0; -EINVAL for a name that no option has, an empty value, or a flag that is
 * neither true nor false; -ENOMEM.
 */
int config_env(const struct option *row, size_t n, char *const *envp, struct arena *arena,
               const struct setting **ret, size_t *ret_n, struct err *err);

/* "BERTH_RATE_DOWN" of "rate-down". */
const char *config_variable(const char *option, struct arena *arena);

#endif
