#include <string.h>

#include "base/terminal.h"
#include "netns/rate.h"
#include "ns.h"
#include "plan.h"
#include "policies/json.h"

static const char *attributes(struct arena *arena, uint64_t flags)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} names[] = {
		{ PLAN_READ_ONLY, "ro" },
		{ PLAN_NOSUID, "nosuid" },
		{ PLAN_NODEV, "nodev" },
		{ PLAN_NOEXEC, "noexec" },
	};
	const char *text = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].flag)
			text = arena_printf(arena, "%s%s%s", text, *text ? "," : "",
			                    names[i].name);
	return text;
}

/* @flags in words: namespaces of a birth, attributes of a mount. */
static const char *flag_words(struct arena *arena, const struct step *s)
{
	if (s->kind == STEP_SPAWN || s->kind == STEP_UNSHARE)
		return ns_names(arena, (unsigned int)s->flags);
	return attributes(arena, s->flags);
}

/* Lines as one: an ID map, or the content of a file. */
static const char *flat(struct arena *arena, const char *text)
{
	char *copy = (char *)arena_dup(arena, text);
	size_t len = strlen(copy);

	while (len > 0 && copy[len - 1] == '\n')
		copy[--len] = '\0';
	for (char *p = copy; *p; p++)
		if (*p == '\n')
			*p = ',';
	terminal_mute(copy); /* an image's words are no commands to it */
	return copy;
}

static const char *in_parentheses(struct arena *arena, const char *a, const char *b)
{
	if (!a || !*a)
		return b && *b ? arena_printf(arena, " (%s)", b) : "";
	return b && *b ? arena_printf(arena, " (%s; %s)", a, b)
	               : arena_printf(arena, " (%s)", a);
}

static const char *describe(struct arena *arena, const struct step *s)
{
	const char *flags = flag_words(arena, s);
	const char *target = s->target ? s->target : "";
	const char *value = s->value ? flat(arena, s->value) : "";
	char rate[RATE_TEXT_MAX];
	struct err ignored = { 0 };
	uint64_t bytes;

	switch (s->kind) {
	case STEP_CGROUP_LEAF:
		return arena_printf(arena, "processes of %s to its leaf %s", value,
		                    target);
	case STEP_CGROUP_ENABLE:
		return arena_printf(arena, "%s in %s", value, target);
	case STEP_CGROUP_OWN:
		return arena_printf(arena, "%s to uid %llu", target,
		                    (unsigned long long)s->number);
	case STEP_CGROUP_JOIN:
		return arena_printf(arena, "init to %s%s%s", target,
		                    s->target && s->value ? ", and " : "", value);
	case STEP_CGROUP1_MAKE:
		return arena_printf(arena, "%s in %s", target, s->source);
	case STEP_SPAWN:
		return arena_printf(arena, "%s, namespaces %s%s", target, flags,
		                    s->number ? ", born in its cgroup" : "");
	case STEP_MAP:
		return arena_printf(arena, "%s: uid %s; gid %s (%s)", target, value,
		                    flat(arena, s->source),
		                    strcmp(s->via, "write") ? s->via : "written");
	case STEP_CGROUP_LIMIT:
	case STEP_CGROUP1_LIMIT:
	case STEP_UCOUNT:
	case STEP_RLIMIT:
	case STEP_ULIMIT:
		return arena_printf(arena, "%s = %s", target, value);
	case STEP_ROOT:
		return arena_printf(arena, "%s%s%s%s", s->source,
		                    in_parentheses(arena, flags, NULL),
		                    *value ? ", layers in " : "", value);
	case STEP_MOUNT:
		return arena_printf(arena, "%s on %s%s", s->via, target,
		                    in_parentheses(arena, value, flags));
	case STEP_BIND:
		return arena_printf(
			arena, "%s%s on %s%s",
			s->via && !strcmp(s->via, "store") ? "store " : "", s->source,
			target,
			in_parentheses(arena, flags,
		                       *value ? arena_printf(arena, "of %s", value)
		                              : NULL));
	case STEP_OWN:
		return arena_printf(arena, "%s to user %s%s", target, value,
		                    s->number ? ", without what is in it" : "");
	case STEP_SEED:
		return arena_printf(arena, "%s with images of %s", target, s->source);
	case STEP_VOLUME:
		return arena_printf(arena, "store %s on %s", s->source, target);
	case STEP_OVERLAY:
		return arena_printf(arena, "%s on %s, changes to %s", s->source, target,
		                    value);
	case STEP_DIRECTORY:
		return arena_printf(arena, "%s, mode %04llo", target,
		                    (unsigned long long)s->number);
	case STEP_FILE:
		return arena_printf(arena, "%s, mode %04llo%s%s", target,
		                    (unsigned long long)s->number, *value ? ": " : "",
		                    value);
	case STEP_LINK:
		return arena_printf(arena, "%s to %s", target, value);
	case STEP_SERVICE:
		return arena_printf(arena, "%s: %s%s%s", target, value,
		                    s->via ? ", after " : "", s->via ? s->via : "");
	case STEP_VETH:
		return arena_printf(arena, "%s (%s) to %s inside, MTU %llu", s->source,
		                    value, target, (unsigned long long)s->number);
	case STEP_PASTA:
		return arena_printf(arena, "%s, tap %s (%s)", target, PASTA_IFNAME,
		                    value);
	case STEP_SHAPE:
		if (rate_parse(value, &bytes, &ignored) == 0)
			value = rate_text(bytes, rate);
		return s->source ? arena_printf(arena, "%s %s, by the %s", target, value,
		                                s->source)
		                 : arena_printf(arena, "%s %s", target, value);
	case STEP_ADDRESS:
		return arena_printf(arena, "%s %s", target, value);
	case STEP_PUBLISH:
		return arena_printf(arena, "%s%s%s", target, *value ? ", of " : "",
		                    value);
	case STEP_METRICS:
		return arena_printf(arena, "%s, by %s", target, s->source);
	case STEP_BOOTSTRAP:
		return arena_printf(arena, "%s, again: %s",
		                    strcmp(s->source, "-") ? s->source : "standard input",
		                    value);
	case STEP_IDLE:
		return arena_printf(arena, "after %s without %s%s%s", value, s->source,
		                    s->via ? ", and before that " : "",
		                    s->via ? s->via : "");
	case STEP_HOOK:
		return arena_printf(arena, "%s %s, within %s", target, s->source, value);
	case STEP_UPLINK:
		return s->source ? arena_printf(arena, "%s; egress %s", value, s->source)
		                 : value;
	case STEP_UNSHARE:
		return arena_printf(arena, "namespaces %s", flags);
	case STEP_HIDE:
		return arena_printf(arena, "%s%s", target,
		                    in_parentheses(arena, flags, NULL));
	case STEP_UPPER:
		return arena_printf(arena, "%s%s%s%s%s", target, s->value ? " over " : "",
		                    value, s->source ? "; set aside: one over " : "",
		                    s->source ? s->source : "");
	case STEP_SCOPE:
	case STEP_HOSTNAME:
	case STEP_OOM:
	case STEP_USER:
	case STEP_EXEC:
		return value;
	case STEP_SECCOMP:
		return arena_printf(arena, "%s%s%s%s%s%s", value,
		                    s->source ? " and " : "", s->source ? s->source : "",
		                    s->via ? " without " : "", s->via ? s->via : "",
		                    s->number ? ", and who listens is asked" : "");
	case STEP_CAPABILITIES:
		return s->source ? arena_printf(arena, "without %s but %s", value,
		                                s->source)
		                 : arena_printf(arena, "without %s", value);
	case STEP_DEVICE:
		return strcmp(s->source, target)
		               ? arena_printf(arena, "%s on %s", s->source, target)
		               : target;
	case STEP_CGROUP_MAKE:
	case STEP_COPY:
	case STEP_CONSOLE:
	case STEP_NOTIFY:
	case STEP_WRAPPER:
	case STEP_GROUP:
		return target;
	case STEP_CGROUP_VIEW:
	case STEP_RELAY:
	case STEP_GATEWAY:
	case STEP_PRIVATE:
	case STEP_LOOPBACK:
	case STEP_LOOKOUT:
	case STEP_AIRLOCK:
	case STEP_HANDOVER:
	case STEP_REROOT:
	case STEP_PIVOT:
	case STEP_DETACH:
	case STEP_SUPERVISE:
	case STEP_MAX:
		break;
	}
	return "";
}

/* Which value counts where several were given, and who gave it: the last one. */
static void print_origins(const struct config *config, FILE *out)
{
	for (size_t i = 0; i < config->origin_n; i++) {
		const struct origin *o = &config->origin[i];

		(void)fprintf(out, "from: %s: %s %s\n", o->where, o->key, o->value);
	}
}

void plan_print(const struct plan *plan, const struct config *config, FILE *out)
{
	cleanup_arena struct arena arena = { 0 };

	for (size_t i = 0; i < plan->n; i++) {
		const struct step *s = &plan->step[i];
		const char *what = describe(&arena, s);

		(void)fprintf(out, "%3zu %-10s %-*s%s%s%s\n%30s# %s\n", i + 1,
		              actor_name[s->actor], *what ? 14 : 0, step_name[s->kind],
		              *what ? " " : "", what, s->optional ? " [optional]" : "",
		              "", s->why);
	}
	for (size_t i = 0; i < plan->notes_n; i++)
		(void)fprintf(out, "note: %s\n", plan->notes[i]);
	print_origins(config, out);
	(void)fprintf(out, "tier: %s\n", plan->tier);
}

int plan_print_json(const struct plan *plan, const struct config *config, FILE *out,
                    struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json = json_open(out, true);
	int r;

	json_object(json);
	json_put_number(json, "version", 1);
	json_put_string(json, "tier", plan->tier);
	json_put_string(json, "init", init_mode_name[plan->init]);
	json_key(json, "steps");
	json_array(json);
	for (size_t i = 0; i < plan->n; i++) {
		const struct step *s = &plan->step[i];
		const struct {
			const char *key, *value;
		} fields[] = {
			{ "target", s->target },
			{ "source", s->source },
			{ "value", s->value },
			{ "via", s->via },
			{ "flags", s->flags ? flag_words(&arena, s) : NULL },
		};

		json_object(json);
		json_put_unsigned(json, "step", i + 1);
		json_put_string(json, "actor", actor_name[s->actor]);
		json_put_string(json, "kind", step_name[s->kind]);
		for (size_t j = 0; j < sizeof(fields) / sizeof(fields[0]); j++)
			if (fields[j].value)
				json_put_string(json, fields[j].key, fields[j].value);
		if (s->number)
			json_put_unsigned(json, "number", s->number);
		json_put_bool(json, "required", !s->optional);
		json_put_string(json, "why", s->why);
		json_object_end(json);
	}
	json_array_end(json);
	json_put_strings(json, "notes", plan->notes, plan->notes_n);
	if (config->origin_n > 0) {
		json_key(json, "from");
		json_array(json);
		for (size_t i = 0; i < config->origin_n; i++) {
			json_object(json);
			json_put_string(json, "where", config->origin[i].where);
			json_put_string(json, "key", config->origin[i].key);
			json_put_string(json, "value", config->origin[i].value);
			json_object_end(json);
		}
		json_array_end(json);
	}
	json_object_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the plan") : 0;
}
