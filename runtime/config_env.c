#include "config_internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/nearest.h"
#include "policies/policy.h"
#include "scope.h"

#define PREFIX "BERTH_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define SETTINGS_MAX 2048

bool config_repeats(const char *option)
{
	for (size_t i = 0; i < policy_keys_n; i++)
		if (!strcmp(policy_keys[i].option, option))
			return (policy_keys[i].type == POLICY_LIST ||
			        policy_keys[i].type == POLICY_MAP) &&
			       !policy_keys[i].joined;
	return false;
}

/* What separates the items of a variable. Most may hold a comma themselves. */
static const char *separators(const char *option)
{
	if (!config_repeats(option))
		return "";
	return !strcmp(option, "publish") || !strcmp(option, "hugetlb") ? "\n," : "\n";
}

const char *config_variable(const char *option, struct arena *arena)
{
	char *name = arena_alloc(arena, PREFIX_LEN + strlen(option) + 1);

	if (!name)
		return "";
	memcpy(name, PREFIX, PREFIX_LEN);
	for (size_t i = 0; option[i]; i++)
		name[PREFIX_LEN + i] =
			option[i] == '-' ? '_' : (char)toupper((unsigned char)option[i]);
	return name;
}

/*
 * Whether a variable tells of a Service of the namespace that is called berth, or berth-x:
 * the kubelet sets BERTH_SERVICE_HOST, BERTH_PORT, BERTH_PORT_80_TCP_ADDR and more.
 */
static bool of_service(char *const *envp, const char *name)
{
	static const char mark[] = "_SERVICE_HOST=";

	for (; *envp; envp++) {
		const char *end = strstr(*envp, mark), *equals = strchr(*envp, '=');
		size_t len = end ? (size_t)(end - *envp) : 0;

		if (!end || end + strlen(mark) != equals + 1 ||
		    strncmp(*envp, name, len) != 0)
			continue;
		if (!strncmp(name + len, "_SERVICE_", 9) ||
		    !strcmp(name + len, "_PORT") || !strncmp(name + len, "_PORT_", 6))
			return true;
	}
	return false;
}

static int unknown(const struct option *row, size_t n, const char *name,
                   struct arena *arena, struct err *err)
{
	struct nearest near;

	nearest_begin(&near, name);
	for (size_t i = 0; i < n; i++)
		nearest_try(&near, config_variable(row[i].name, arena));
	if (near.ret)
		(void)err_set(err, EINVAL, "unknown variable '%s', did you mean '%s'?",
		              name, near.ret);
	else
		(void)err_set(err, EINVAL, "unknown variable '%s'", name);
	return err_hint(err, "'berth entrypoint --variables' lists them; other names "
	                     "that begin with " PREFIX " are refused");
}

static int check_names(const struct option *row, size_t n, char *const *envp,
                       struct arena *arena, struct err *err)
{
	for (char *const *own = envp; *own; own++) {
		const size_t len = strcspn(*own, "=");
		const char *name = arena_printf(arena, "%.*s", (int)len, *own);
		bool known = strncmp(name, PREFIX, PREFIX_LEN) != 0 ||
		             !strcmp(name, SCOPE_VARIABLE) ||
		             !strcmp(name, SCOPE_POLICY_VARIABLE) ||
		             of_service(envp, name);

		for (size_t i = 0; i < n && !known; i++)
			known = !strcmp(config_variable(row[i].name, arena), name);
		if (!known)
			return unknown(row, n, name, arena, err);
	}
	return 0;
}

/* The value of a variable, or NULL: getenv(3), of another environment. */
static const char *value_of(char *const *envp, const char *name)
{
	const size_t len = strlen(name);

	for (; *envp; envp++)
		if (!strncmp(*envp, name, len) && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

static int flag(const char *name, const char *value, bool *ret, struct err *err)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(err, EINVAL, "%s: '%s' is not true or false", name, value);
	*ret = !strcmp(value, "true");
	return 0;
}

/* One variable as settings, behind those there are. */
static int take(const struct option *row, const char *name, const char *value,
                struct arena *arena, struct setting *setting, size_t *n, struct err *err)
{
	const char *between = separators(row->name);
	const size_t before = *n;

	if (!row->arg) {
		bool wanted = false;
		int r = flag(name, value, &wanted, err);

		if (wanted)
			setting[(*n)++] = (struct setting){ row, NULL, name };
		return r;
	}
	for (const char *p = value; *p;) {
		size_t len = *between ? strcspn(p, between) : strlen(p);

		if (*n == SETTINGS_MAX)
			return err_set(err, E2BIG, "%s: too many items", name);
		if (len > 0)
			setting[(*n)++] = (struct setting){
				row, arena_printf(arena, "%.*s", (int)len, p), name
			};
		p += len;
		p += *p != '\0';
	}
	if (*n > before)
		return 0;
	/* An empty limit would be none at all. */
	(void)err_set(err, EINVAL, "%s is empty", name);
	return err_hint(err, "leave the variable out where nothing is to be said");
}

int config_env(const struct option *row, size_t n, char *const *envp, struct arena *arena,
               const struct setting **ret, size_t *ret_n, struct err *err)
{
	struct setting *setting = arena_alloc(arena, (SETTINGS_MAX + CONFIG_OPTIONS_MAX) *
	                                                     sizeof(*setting));
	struct option *kept = arena_alloc(arena, n * sizeof(*kept));
	size_t out = 0;

	if (!setting || !kept)
		return err_set(err, ENOMEM, "read the variables");
	memcpy(kept, row, n * sizeof(*kept));
	if (check_names(kept, n, envp, arena, err) < 0)
		return -err->code;
	for (size_t i = 0; i < n; i++) {
		const char *name = config_variable(kept[i].name, arena);
		const char *value = value_of(envp, name);

		if (value && take(&kept[i], name, value, arena, setting, &out, err) < 0)
			return -err->code;
	}
	if (arena->failed)
		return err_set(err, ENOMEM, "read the variables");
	*ret = setting;
	*ret_n = out;
	return 0;
}
