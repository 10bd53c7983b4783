#include <inttypes.h>

#include "kernel_files.h"
#include "policies/caps.h"
#include "policies/policy.h"
#include "run.h"

static const char *own_text(struct arena *arena, const char *user)
{
	return arena_printf(arena, ":own%s%s", *user ? "=" : "", user);
}

static size_t put_map(const char **word, const char *option, const struct idmap *map,
                      struct arena *arena)
{
	size_t n = 0;

	for (size_t i = 0; map && i < map->n; i++) {
		word[n++] = option;
		word[n++] = arena_printf(arena, "%" PRIu32 ":%" PRIu32 ":%" PRIu32,
		                         map->extent[i].inside, map->extent[i].outside,
		                         map->extent[i].count);
	}
	return n;
}

const char *const *config_words(const struct config *c, struct arena *arena,
                                size_t *ret_n)
{
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
	const size_t texts_n = sizeof(texts) / sizeof(texts[0]);
	const size_t numbers_n = sizeof(numbers) / sizeof(numbers[0]);
	const size_t flags_n = sizeof(flags) / sizeof(flags[0]);
	size_t command_n = 0, n = 0;
	const char **word;

	while (c->command && c->command[command_n])
		command_n++;
	word = arena_alloc(arena,
	                   (2 * (texts_n + numbers_n + BUDGET_N + ULIMIT_N +
	                         KERNEL_FILES_N + c->limit_n + c->volume_n + c->device_n +
	                         c->env_n + c->host_n + c->publish_n + c->egress_n +
	                         c->hook_n + (c->uid_map ? c->uid_map->n : 0) +
	                         (c->gid_map ? c->gid_map->n : 0)) +
	                    flags_n + command_n + 3) *
	                           sizeof(*word));
	if (!word)
		return NULL;
	word[n++] = "run";
	for (size_t i = 0; i < texts_n; i++)
		if (texts[i].value) {
			word[n++] = texts[i].option;
			word[n++] = texts[i].value;
		}
	for (size_t i = 0; i < numbers_n; i++)
		if (numbers[i].value != LIMIT_UNSET) {
			word[n++] = numbers[i].option;
			word[n++] = arena_printf(arena, "%" PRIu64, numbers[i].value);
		}
	n += put_map(word + n, "--uidmap", c->uid_map, arena);
	n += put_map(word + n, "--gidmap", c->gid_map, arena);
	for (size_t i = 0; i < c->egress_n; i++) {
		word[n++] = "--egress";
		word[n++] = c->egress[i];
	}
	for (size_t i = 0; i < BUDGET_N; i++)
		if (c->budget[i] != LIMIT_UNSET) {
			word[n++] = arena_printf(arena, "--%s", budget_info[i].name);
			word[n++] = arena_printf(arena, "%" PRIu64, c->budget[i]);
		}
	for (size_t i = 0; i < ULIMIT_N; i++) {
		char text[ULIMIT_TEXT_MAX];

		if (!c->ulimit[i].given)
			continue;
		word[n++] = "--ulimit";
		word[n++] = arena_printf(arena, "%s=%s", ulimit_info[i].name,
		                         ulimit_text(&c->ulimit[i], text));
	}
	for (size_t i = 0; i < c->limit_n; i++) {
		word[n++] = arena_printf(arena, "--%s", knob_info[c->limit[i].knob].name);
		word[n++] = c->limit[i].text;
	}
	for (size_t i = 0; i < flags_n; i++)
		if (flags[i].value)
			word[n++] = flags[i].option;
	for (size_t i = 0; i < c->volume_n; i++) {
		if (c->volume[i].gpu)
			continue;
		word[n++] = "--volume";
		word[n++] = arena_printf(
			arena, "%s:%s%s", c->volume[i].source, c->volume[i].target,
			c->volume[i].seed        ? ":seed"
			: c->volume[i].read_only ? ":ro"
			: c->volume[i].own       ? ":U"
			: c->volume[i].top       ? own_text(arena, c->volume[i].top)
						 : "");
	}
	for (size_t i = 0; i < c->device_n; i++) {
		if (c->device[i].gpu)
			continue;
		word[n++] = "--device";
		word[n++] = arena_printf(arena, "%s:%s", c->device[i].source,
		                         c->device[i].target);
	}
	for (size_t i = 0; i < KERNEL_FILES_N; i++)
		if (c->unmask & UINT64_C(1) << i) {
			word[n++] = "--unmask";
			word[n++] = kernel_files[i].path;
		}
	for (size_t i = 0; i < c->host_n; i++) {
		char text[EXTRA_HOST_TEXT_MAX];

		word[n++] = "--add-host";
		word[n++] = arena_dup(arena, extra_host_text(&c->host[i], text));
	}
	for (size_t i = 0; i < c->publish_n; i++) {
		char text[PUBLISH_TEXT_MAX];

		word[n++] = "--publish";
		word[n++] = arena_dup(arena, publish_text(&c->publish[i], text));
	}
	for (size_t i = 0; i < c->hook_n; i++) {
		word[n++] =
			arena_printf(arena, "--hook-%s", hook_kind_name[c->hook[i].kind]);
		word[n++] = c->hook[i].text;
	}
	for (size_t i = 0; i < c->env_n; i++) {
		word[n++] = "--env";
		word[n++] = c->env[i];
	}
	word[n++] = "--";
	for (size_t i = 0; i < command_n; i++)
		word[n++] = c->command[i];
	*ret_n = n;
	return word;
}
