#include <errno.h>
#include <string.h>

#include "image.h"
#include "plan.h"

/* As many as a command line may have: config.c. */
#define ENV_MAX 256

/* "bash", "/bin/sh": what an image says that says nothing. */
static bool is_shell(const char *word)
{
	static const char *const shells[] = { "sh", "bash", "dash", "ash", "zsh", "ksh" };
	const char *slash = strrchr(word, '/');

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (!strcmp(slash ? slash + 1 : word, shells[i]))
			return true;
	return false;
}

/*
 * Whether the image's own command is left to an init of ours: systemd, or the one that runs
 * dockerd. Debian's images say "bash" also where somebody built a system of them.
 */
static bool whole_system(const struct config *config, const struct facts *facts,
                         const struct image_config *image)
{
	bool silent =
		image->entrypoint_n == 0 &&
		(image->cmd_n == 0 || (image->cmd_n == 1 && is_shell(image->cmd[0])));

	if (config->command || (config->image_entrypoint && *config->image_entrypoint))
		return false;
	if (config->init == INIT_SYSTEMD ||
	    (config->init == INIT_AUTO && facts->root.init))
		return true;
	return config->init != INIT_NONE && silent && facts->root.has_dockerd &&
	       facts->root.has_containerd && !config->interactive && !config->tty;
}

/* ENTRYPOINT and CMD as docker run has them: another ENTRYPOINT takes its CMD along. */
static const char *const *command_of(const struct config *config,
                                     const struct image_config *image,
                                     struct arena *arena)
{
	const bool own = config->image_entrypoint != NULL;
	const char *const *const rest = config->command ? config->command
	                                : own           ? NULL
	                                                : image->cmd;
	size_t rest_n = config->command || own ? 0 : image->cmd_n, n = 0;
	const char **word;

	while (config->command && config->command[rest_n])
		rest_n++;
	word = arena_alloc(arena, (image->entrypoint_n + rest_n + 2) * sizeof(*word));
	if (!word)
		return NULL;
	if (own && *config->image_entrypoint)
		word[n++] = config->image_entrypoint;
	for (size_t i = 0; !own && i < image->entrypoint_n; i++)
		word[n++] = image->entrypoint[i];
	for (size_t i = 0; i < rest_n; i++)
		word[n++] = rest[i];
	return n > 0 ? word : NULL;
}

static bool has_variable(const struct config *config, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < config->env_n; i++)
		if (!strncmp(config->env[i], variable, len))
			return true;
	return false;
}

static int merge_env(struct config *config, const struct image_config *image,
                     struct arena *arena, struct err *err)
{
	const char **env =
		arena_alloc(arena, (image->env_n + config->env_n + 1) * sizeof(*env));
	size_t n = 0;

	if (!env)
		return err_set(err, ENOMEM, "make the environment");
	for (size_t i = 0; i < image->env_n; i++)
		if (!has_variable(config, image->env[i]))
			env[n++] = image->env[i];
	if (n + config->env_n > ENV_MAX)
		return err_set(err, E2BIG,
		               "the image and -e set %zu variables, more than %d",
		               n + config->env_n, ENV_MAX);
	for (size_t i = 0; i < config->env_n; i++)
		env[n++] = config->env[i];
	config->env = env;
	config->env_n = n;
	return 0;
}

/* envbox puts something that stays in the place of all that an image without systemd says. */
static bool only_stays(const struct config *config, const struct facts *facts)
{
	if (!config->envbox || config->command || config->init == INIT_SYSTEMD)
		return false;
	return config->init != INIT_AUTO || !facts->root.init;
}

int plan_image(struct config *config, const struct facts *facts, struct arena *arena,
               struct err *err)
{
	static const char *const stay[] = { "sleep", "infinity", NULL };
	const struct image_config *image;
	int r;

	if (!facts->image)
		return 0;
	image = &facts->image->config;
	r = merge_env(config, image, arena, err);
	if (r < 0)
		return err_step(err, "plan");
	if (!config->workdir)
		config->workdir = image->workdir;
	if (only_stays(config, facts)) {
		config->command = stay;
	} else if (!whole_system(config, facts, image)) {
		config->command = command_of(config, image, arena);
		if (!config->user)
			config->user = image->user;
		if (!config->stop_signal)
			config->stop_signal = image->stop_signal;
	}
	config->image_entrypoint = ""; /* it is in the command by now */
	return arena->failed ? err_set(err, ENOMEM, "read the image's configuration") : 0;
}

void plan_upper(struct plan *plan, const struct config *config, const struct facts *facts)
{
	const char *want = config->image ? config->image_digest : NULL;
	const char *have = facts->upper_over;
	bool same = want && have ? !strcmp(want, have) : !want && !have;
	struct step *s;

	if (!config->state || (same && !want))
		return;
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_UPPER,
	             !facts->upper_used || same
	                     ? "an upper layer fits what it was begun over, and nothing "
	                       "else"
	                     : "an upper layer fits what it was begun over, and nothing "
	                       "else: that one is kept, under another name");
	s->target = arena_printf(&plan->arena, "%s/%s", config->state, config->name);
	s->value = want;
	if (facts->upper_used && !same)
		s->source = have ? have : "no image";
}

/* Without "//" and a "/" at the end. */
static const char *clean(struct arena *arena, const char *path)
{
	char *copy = (char *)arena_dup(arena, path), *out = copy;

	for (const char *in = copy; *in; in++)
		if (*in != '/' || out == copy || out[-1] != '/')
			*out++ = *in;
	if (out > copy + 1 && out[-1] == '/')
		out--;
	*out = '\0';
	return copy;
}

/* What is a mount of its own there already, or has none to be. */
static bool taken(const struct plan *plan, const struct config *config, const char *path)
{
	if (!strcmp(path, "/") || plan_hidden(path))
		return true;
	for (size_t i = 0; i < config->volume_n; i++)
		if (!strcmp(config->volume[i].target, path))
			return true;
	for (size_t i = 0; i < plan->n; i++)
		if ((plan->step[i].kind == STEP_BIND ||
		     plan->step[i].kind == STEP_VOLUME) &&
		    !strcmp(plan->step[i].target, path))
			return true;
	return false;
}

static void plan_image_volumes(struct plan *plan, const struct config *config,
                               const struct image_config *image)
{
	for (size_t i = 0; i < image->volume_n; i++) {
		const char *path = clean(&plan->arena, image->volume[i]);
		struct step *s;

		if (taken(plan, config, path))
			continue;
		s = plan_add(plan, ACTOR_WARDEN, STEP_VOLUME,
		             "a VOLUME of the image: no overlay, with what the image has "
		             "there");
		s->target = path;
		s->source = arena_printf(&plan->arena, "volume%s", path);
		s->via = "store";
		s->flags = PLAN_NODEV;
		/* The image's own files are there without it, as an overlay. */
		s->optional = true;
	}
}

void plan_image_steps(struct plan *plan, const struct config *config,
                      const struct facts *facts)
{
	const struct image_config *image;
	struct step *s;

	if (!facts->image)
		return;
	image = &facts->image->config;
	if (facts->root.workdir_missing) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_DIRECTORY,
		             "the image's working directory, which it has not got");
		s->target = config->workdir;
		s->number = 0755;
	}
	plan_image_volumes(plan, config, image);
	if (plan->init == INIT_SYSTEMD && image->entrypoint_n > 0)
		plan_note(plan, "the image's ENTRYPOINT is not run, since its systemd is "
		                "PID 1: --init berth runs it");
}
