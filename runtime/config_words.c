#include <inttypes.h>
#include <string.h>

#include "kernel_files.h"
#include "policies/caps.h"
#include "policies/policy.h"
#include "run.h"

static const char *own_text(struct arena *arena, const char *user)
{
	return arena_printf(arena, ":own%s%s", *user ? "=" : "", user);
}

/* The words as they grow; @arena knows whether memory was out. */
struct words {
	struct arena *arena;
	const char **word;
	size_t n, room;
};

static void put(struct words *words, const char *word)
{
	if (words->n == words->room) {
		const size_t room = words->room ? 2 * words->room : 128;
		const char **more = arena_alloc(words->arena, room * sizeof(*more));

		if (more && words->n > 0)
			memcpy(more, words->word, words->n * sizeof(*more));
		words->word = more;
		words->room = more ? room : 0;
		words->n = more ? words->n : 0;
	}
	if (words->word)
		words->word[words->n++] = word;
}

static void put_option(struct words *words, const char *option, const char *value)
{
	put(words, option);
	put(words, value);
}

static void put_number(struct words *words, const char *option, uint64_t value)
{
	if (value != LIMIT_UNSET)
		put_option(words, option, arena_printf(words->arena, "%" PRIu64, value));
}

static void put_map(struct words *words, const char *option, const struct idmap *map)
{
	for (size_t i = 0; map && i < map->n; i++)
		put_option(words, option,
		           arena_printf(words->arena, "%" PRIu32 ":%" PRIu32 ":%" PRIu32,
		                        map->extent[i].inside, map->extent[i].outside,
		                        map->extent[i].count));
}

/* What is given once. */
static void put_settings(struct words *words, const struct config *c)
{
	struct arena *arena = words->arena;
	const struct {
		const char *option, *value;
	} texts[] = {
		{ "--policy", POLICY_NONE }, /* all that it said is here */
		{ "--name", c->name },
		{ "--rootfs", c->image     ? NULL
		              : c->overlay ? arena_printf(arena, "%s:O", c->rootfs)
		                           : c->rootfs },
		{ "--image", c->image },
		{ "--store", c->image ? c->store : NULL },
		{ "--image-entrypoint", c->image_entrypoint },
		{ "--init", init_mode_name[c->init] },
		{ "--net", net_mode_name[c->net] },
		{ "--rate-down", c->rate_down },
		{ "--rate-up", c->rate_up },
		{ "--publish-allow", c->publish_allow },
		{ "--publish-deny", c->publish_deny },
		{ "--egress-default", c->egress_default },
		{ "--user", c->user },
		{ "--workdir", c->workdir },
		{ "--hostname", c->hostname },
		{ "--cap-drop", c->cap_drop ? caps_text(c->cap_drop, arena) : NULL },
		{ "--cap-add", c->cap_add ? caps_text(c->cap_add, arena) : NULL },
		{ "--seccomp", c->seccomp },
		{ "--seccomp-allow", c->seccomp_allow },
		{ "--seccomp-deny", c->seccomp_deny },
		{ "--best-effort", c->best_effort },
		{ "--nested", c->flat ? "false" : NULL },
		{ "--tz", c->tz },
		{ "--gpus", c->gpus },
		{ "--state", c->state },
		{ "--stop-signal", c->stop_signal },
		{ "--audit-log", c->audit_log },
		{ "--metrics-listen", c->metrics_listen },
		{ "--idle-ports", c->idle_ports },
		{ "--idle-warn", c->idle_warn },
		{ "--bootstrap", c->bootstrap },
		{ "--bootstrap-restart", c->bootstrap_restart },
	};
	const struct {
		const char *option;
		uint64_t value;
	} numbers[] = {
		{ "--connections-per-minute", c->connections_per_minute },
		{ "--stop-timeout", c->stop_timeout_s },
		{ "--audit-size", c->audit_size },
		{ "--store-size", c->store_size },
		{ "--pull-patience", c->pull_patience_s },
		{ "--idle-stop", c->idle_stop_s },
		{ "--idle-cpu", c->idle_cpu },
		{ "--hook-timeout", c->hook_timeout_s },
	};
	const struct {
		const char *option;
		bool value;
	} flags[] = {
		{ "--audit-required", c->audit_required },
		{ "--audit-syscalls", c->audit_syscalls },
		{ "--audit-permissive", c->audit_permissive },
		{ "--rm", c->remove },
		{ "--interactive", c->interactive },
		{ "--tty", c->tty },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].value)
			put_option(words, texts[i].option, texts[i].value);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		put_number(words, numbers[i].option, numbers[i].value);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].value)
			put(words, flags[i].option);
}

static void put_limits(struct words *words, const struct config *c)
{
	struct arena *arena = words->arena;

	put_map(words, "--uidmap", c->uid_map);
	put_map(words, "--gidmap", c->gid_map);
	for (size_t i = 0; i < BUDGET_N; i++)
		put_number(words, arena_printf(arena, "--%s", budget_info[i].name),
		           c->budget[i]);
	for (size_t i = 0; i < ULIMIT_N; i++) {
		char text[ULIMIT_TEXT_MAX];

		if (c->ulimit[i].given)
			put_option(words, "--ulimit",
			           arena_printf(arena, "%s=%s", ulimit_info[i].name,
			                        ulimit_text(&c->ulimit[i], text)));
	}
	for (size_t i = 0; i < c->limit_n; i++)
		put_option(words,
		           arena_printf(arena, "--%s", knob_info[c->limit[i].knob].name),
		           c->limit[i].text);
}

/* What --gpus stands for is found anew at each start. */
static void put_files(struct words *words, const struct config *c)
{
	struct arena *arena = words->arena;

	for (size_t i = 0; i < c->volume_n; i++) {
		if (c->volume[i].gpu)
			continue;
		put_option(words, "--volume",
		           arena_printf(arena, "%s:%s%s", c->volume[i].source,
		                        c->volume[i].target,
		                        c->volume[i].seed        ? ":seed"
		                        : c->volume[i].read_only ? ":ro"
		                        : c->volume[i].own       ? ":U"
		                        : c->volume[i].top
		                                ? own_text(arena, c->volume[i].top)
		                                : ""));
	}
	for (size_t i = 0; i < c->device_n; i++)
		if (!c->device[i].gpu)
			put_option(words, "--device",
			           arena_printf(arena, "%s:%s", c->device[i].source,
			                        c->device[i].target));
	for (size_t i = 0; i < KERNEL_FILES_N; i++)
		if (c->unmask & UINT64_C(1) << i)
			put_option(words, "--unmask", kernel_files[i].path);
}

static void put_network(struct words *words, const struct config *c)
{
	struct arena *arena = words->arena;

	for (size_t i = 0; i < c->egress_n; i++)
		put_option(words, "--egress", c->egress[i]);
	for (size_t i = 0; i < c->host_n; i++) {
		char text[EXTRA_HOST_TEXT_MAX];

		put_option(words, "--add-host",
		           arena_dup(arena, extra_host_text(&c->host[i], text)));
	}
	for (size_t i = 0; i < c->publish_n; i++) {
		char text[PUBLISH_TEXT_MAX];

		put_option(words, "--publish",
		           arena_dup(arena, publish_text(&c->publish[i], text)));
	}
}

const char *const *config_words(const struct config *c, struct arena *arena,
                                size_t *ret_n)
{
	struct words words = { .arena = arena };

	put(&words, "run");
	put_settings(&words, c);
	put_limits(&words, c);
	put_files(&words, c);
	put_network(&words, c);
	for (size_t i = 0; i < c->hook_n; i++)
		put_option(
			&words,
			arena_printf(arena, "--hook-%s", hook_kind_name[c->hook[i].kind]),
			c->hook[i].text);
	for (size_t i = 0; i < c->env_n; i++)
		put_option(&words, "--env", c->env[i]);
	put(&words, "--");
	for (size_t i = 0; c->command && c->command[i]; i++)
		put(&words, c->command[i]);
	*ret_n = words.n;
	return arena->failed ? NULL : words.word;
}
