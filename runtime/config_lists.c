#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_internal.h"
#include "netns/publish.h"
#include "policies/caps.h"
#include "policies/seccomp_choice.h"

/* Options that may be given several times, each with another item. */

int config_add_egress(void *field, const char *value, struct err *err)
{
	struct words *words = field;
	struct egress_rule rule;
	int r = egress_parse(value, &rule, err);

	if (r < 0)
		return r;
	if (words->egress_n == EGRESS_RULES)
		return err_set(err, E2BIG, "'%s': more than %d rules", value,
		               EGRESS_RULES);
	words->egress[words->egress_n++] = value;
	return 0;
}

int config_add_caps(void *field, const char *value, struct err *err)
{
	return caps_parse(value, field, err);
}

/* Behind those that were said before. */
static int add_calls(struct words *words, const char **list, bool allow,
                     const char *value, struct err *err)
{
	int r = seccomp_items_check(value, allow, err);

	if (r == 0)
		*list = *list ? arena_printf(words->arena, "%s,%s", *list, value) : value;
	return r;
}

int config_add_allowed(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	return add_calls(words, &words->config.seccomp_allow, true, value, err);
}

int config_add_denied(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	return add_calls(words, &words->config.seccomp_deny, false, value, err);
}

static int add(const char **list, size_t *n, const char *value, struct err *err)
{
	if (*n == LIST_MAX)
		return err_set(err, E2BIG, "more than %d of them", LIST_MAX);
	list[(*n)++] = value;
	return 0;
}

int config_add_volume(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	return add(words->volume, &words->volume_n, value, err);
}

int config_add_device(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	return add(words->device, &words->device_n, value, err);
}

int config_add_ids(void *field, const char *value, struct err *err)
{
	return idmap_add(field, value, err);
}

int config_add_publish(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	if (words->publish_n == LIST_MAX)
		return err_set(err, E2BIG, "more than %d of them", LIST_MAX);
	return publish_parse(value, &words->publish[words->publish_n], err) < 0
	               ? -err->code
	               : (words->publish_n++, 0);
}

int config_add_host(void *field, const char *value, struct err *err)
{
	struct words *words = field;
	int r;

	if (words->host_n == LIST_MAX)
		return err_set(err, E2BIG, "more than %d of them", LIST_MAX);
	r = extra_host_parse(value, &words->host[words->host_n], err);
	words->host_n += r == 0;
	return r;
}

static int add_hook(struct words *words, enum hook_kind kind, const char *value,
                    struct err *err)
{
	int r;

	if (words->hook_n == HOOKS_MAX)
		return err_set(err, E2BIG, "more than %d hooks", HOOKS_MAX);
	r = hook_parse(kind, value, words->arena, &words->hook[words->hook_n], err);
	words->hook_n += r == 0;
	return r;
}

int config_add_prestart(void *field, const char *value, struct err *err)
{
	return add_hook(field, HOOK_PRESTART, value, err);
}

int config_add_poststart(void *field, const char *value, struct err *err)
{
	return add_hook(field, HOOK_POSTSTART, value, err);
}

int config_add_poststop(void *field, const char *value, struct err *err)
{
	return add_hook(field, HOOK_POSTSTOP, value, err);
}

/* As podman: "LC_*" is each of the caller's own that begins so. */
static int add_own(struct words *words, const char *prefix, size_t len, struct err *err)
{
	int r = 0;

	if (len == 0) {
		(void)err_set(err, EINVAL, "'%s' takes whatever there is", prefix);
		return err_hint(err,
		                "a pod's environment has secrets in it: name what is "
		                "needed, as LANG, or 'LC_*'");
	}
	for (char **own = environ; *own && r == 0; own++)
		if (!strncmp(*own, prefix, len) && strchr(*own, '='))
			r = add(words->env, &words->env_n, arena_dup(words->arena, *own),
			        err);
	return r;
}

int config_add_env(void *field, const char *value, struct err *err)
{
	struct words *words = field;
	const size_t len = strlen(value);

	if (len > 0 && value[len - 1] == '*' && !strchr(value, '='))
		return add_own(words, value, len - 1, err);
	if (*value && !strchr(value, '=')) {
		/* As docker: the caller's own value, and nothing where it has none. */
		const char *own = getenv(value);

		if (!own)
			return 0;
		value = arena_printf(words->arena, "%s=%s", value, own);
	}
	if (value[0] == '=' || value[0] == '\0')
		return err_set(err, EINVAL, "'%s' has no name", value);
	return add(words->env, &words->env_n, value, err);
}
