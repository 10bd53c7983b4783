#include "supervisor_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sha256.h"

#define TEXT(key, value)                     \
	{                                    \
		key, AUDITLOG_TEXT, value, 0 \
	}
#define NUMBER(key, value)                        \
	{                                         \
		key, AUDITLOG_NUMBER, NULL, value \
	}

static int put_more(struct supervisor *sup, enum auditlog_event event, struct err *err)
{
	struct auditlog_rate *rate = &sup->ws->audit_rate[event];
	const struct auditlog_field more[] = { TEXT("of", auditlog_event_name[event]),
		                               NUMBER("events", (int64_t)rate->untold) };

	if (rate->untold == 0)
		return 0;
	rate->untold = 0;
	return auditlog_put(&sup->audit, EVENT_MORE, more, 2, err);
}

/* What nobody asked for has happened already: where it has to be told, the end is near. */
static void tell(struct supervisor *sup, enum auditlog_event event,
                 const struct auditlog_field *field, size_t n)
{
	struct err err = { 0 }, ignored = { 0 };
	char line[640];

	if (!auditlog_may(&sup->ws->audit_rate[event],
	                  (uint64_t)clock_ms(CLOCK_MONOTONIC))) {
		sup->ws->audit_rate[event].untold++;
		return;
	}
	if ((put_more(sup, event, &err) == 0 &&
	     auditlog_put(&sup->audit, event, field, n, &err) == 0) ||
	    sup->stopping)
		return;
	(void)snprintf(line, sizeof(line),
	               "%s: %s: the workspace ends, since audit.required is set",
	               err.text, strerror(err.code));
	supervisor_say(sup, line);
	if (sup->launch.init_pidfd >= 0)
		(void)supervisor_stop(sup, CONTROL_DEFAULT_TIMEOUT, &ignored);
}

int supervisor_audit_start(struct supervisor *sup, struct err *err)
{
	const struct config *config = sup->ws->config;
	char hex[SHA256_HEX], *policy = NULL;
	int r;

	sup->audit = (struct auditlog){ .config = config,
		                        .trouble = supervisor_say,
		                        .ctx = sup };
	r = auditlog_open(&sup->audit, err);
	if (r < 0 || !config->audit_log)
		return r;
	r = auditlog_policy(config, &policy, err);
	if (r == 0) {
		const struct auditlog_field field[] = {
			TEXT("berth", PACKAGE_VERSION),
			NUMBER("supervisor", (int64_t)getpid()),
			NUMBER("uid", (int64_t)getuid()),
			TEXT("tier", sup->ws->plan->tier),
			TEXT("command", sup->ws->record.command),
			TEXT("policy_name", config->policy),
			TEXT("policy_sha256", hex),
			TEXT("policy", policy),
		};

		sha256_hex(policy, strlen(policy), hex);
		r = auditlog_put(&sup->audit, EVENT_START, field,
		                 sizeof(field) / sizeof(field[0]), err);
	}
	free(policy);
	return r < 0 ? err_step(err, "audit") : 0;
}

void supervisor_audit_end(struct supervisor *sup, int code, const struct err *err)
{
	const struct auditlog_field failed[] = { TEXT("reason", err->text),
		                                 NUMBER("errno", err->code) };
	const struct auditlog_field exited[] = {
		NUMBER("exit_code", code == SUPERVISE_RESTART ? 0 : code),
		TEXT("reason", sup->ws->record.reason),
		{ "restart", AUDITLOG_BOOL, NULL, code == SUPERVISE_RESTART },
	};
	struct err ignored = { 0 };

	for (int i = 0; i < EVENT_MAX; i++)
		(void)put_more(sup, (enum auditlog_event)i, &ignored);
	/* Nothing is left that could be refused. */
	if (code < 0 && code != SUPERVISE_RESTART)
		(void)auditlog_put(&sup->audit, EVENT_FAILED, failed, 2, &ignored);
	else
		(void)auditlog_put(&sup->audit, EVENT_EXIT, exited, 3, &ignored);
	auditlog_close(&sup->audit);
}

void supervisor_audit_stop(struct supervisor *sup, int64_t pid, int64_t uid, int signal)
{
	const struct auditlog_field field[] = { NUMBER("by_pid", pid),
		                                NUMBER("by_uid", uid),
		                                NUMBER("signal", signal) };
	struct err ignored = { 0 };

	/* A workspace that cannot be stopped helps nobody. */
	(void)auditlog_put(&sup->audit, signal ? EVENT_KILL : EVENT_STOP, field,
	                   signal ? 3 : 2, &ignored);
}

int supervisor_audit_exec(struct supervisor *sup, const char *words, size_t n,
                          struct err *err)
{
	const struct control_who *who = &sup->control.who;
	const size_t user = strnlen(words, n) + 1;
	const struct auditlog_field field[] = {
		NUMBER("by_pid", who->pid),
		NUMBER("by_uid", who->uid),
		TEXT("user", words),
		{ "command", AUDITLOG_WORDS, words + user, (int64_t)(n - user) },
		{ "cut", AUDITLOG_BOOL, NULL, n == CONTROL_TEXT_MAX },
	};

	if (n == 0 || user > n)
		return 0;
	return auditlog_put(&sup->audit, EVENT_EXEC, field,
	                    sizeof(field) / sizeof(field[0]), err);
}

int supervisor_audit_port(struct supervisor *sup, bool add, const char *text,
                          struct err *err)
{
	const struct control_who *who = &sup->control.who;
	const struct auditlog_field field[] = { NUMBER("by_pid", who->pid),
		                                NUMBER("by_uid", who->uid),
		                                TEXT("action", add ? "add" : "remove"),
		                                TEXT("port", text) };

	return auditlog_put(&sup->audit, EVENT_PORT, field, 4, err);
}

int supervisor_audit_update(struct supervisor *sup, const char *const rate[DIRECTIONS],
                            struct err *err)
{
	const struct control_who *who = &sup->control.who;
	const struct auditlog_field field[] = {
		NUMBER("by_pid", who->pid),
		NUMBER("by_uid", who->uid),
		TEXT("rate_down", *rate[DOWNLOAD] ? rate[DOWNLOAD] : NULL),
		TEXT("rate_up", *rate[UPLOAD] ? rate[UPLOAD] : NULL),
	};

	return auditlog_put(&sup->audit, EVENT_UPDATE, field, 4, err);
}

/* "memory: ...", "pids: ...", "watchers: ..." */
void supervisor_audit_limit(struct supervisor *sup, const char *line)
{
	char what[32];
	const struct auditlog_field field[] = { TEXT("limit", what), TEXT("text", line) };

	(void)snprintf(what, sizeof(what), "%.*s", (int)strcspn(line, ":"), line);
	tell(sup, !strcmp(what, "memory") ? EVENT_OOM_KILL : EVENT_LIMIT, field, 2);
}

void supervisor_audit_idle(struct supervisor *sup, uint64_t idle_s, uint64_t left_s)
{
	const struct auditlog_field field[] = { NUMBER("idle_s", (int64_t)idle_s),
		                                NUMBER("left_s", (int64_t)left_s) };

	tell(sup, left_s > 0 ? EVENT_IDLE_WARN : EVENT_IDLE_STOP, field,
	     left_s > 0 ? 2 : 1);
}

int supervisor_audit_hook(struct supervisor *sup, const struct hook *hook,
                          struct err *err)
{
	/* As long as the text, which has them with blanks between. */
	char *words = calloc(1, strlen(hook->text) + 1), *end = words;
	int r;

	if (!words)
		return err_set(err, ENOMEM, "write the audit log");
	for (const char *const *word = hook->argv; *word; word++)
		end = stpcpy(end, *word) + 1;
	{
		const struct auditlog_field field[] = {
			TEXT("hook", hook_kind_name[hook->kind]),
			{ "command", AUDITLOG_WORDS, words, end - words },
		};

		r = auditlog_put(&sup->audit, EVENT_HOOK, field, 2, err);
	}
	free(words);
	return r;
}

void supervisor_audit_hook_failed(struct supervisor *sup, const struct hook *hook,
                                  int status, const struct err *why)
{
	const struct auditlog_field field[] = {
		TEXT("hook", hook_kind_name[hook->kind]),
		NUMBER("exit_code", status),
		TEXT("reason", why->text),
	};
	struct err ignored = { 0 };

	(void)auditlog_put(&sup->audit, EVENT_HOOK_FAILED, field, 3, &ignored);
}

void supervisor_audit_egress(void *ctx, const struct traffic_denial *denial)
{
	const struct auditlog_field field[] = { TEXT("protocol", denial->protocol),
		                                TEXT("to", denial->to),
		                                TEXT("reason", denial->reason),
		                                TEXT("rule", denial->rule),
		                                { "permitted", AUDITLOG_BOOL, NULL,
		                                  denial->permitted } };
	struct supervisor *sup = ctx;

	if (denial->untold > 0)
		sup->ws->audit_rate[EVENT_EGRESS_DENIED].untold += denial->untold;
	else
		tell(sup, EVENT_EGRESS_DENIED, field, 5);
}

void supervisor_audit_refusal(void *ctx, const struct refusal *refusal)
{
	const struct auditlog_field value = NUMBER("value", refusal->value);
	const struct auditlog_field field[] = {
		TEXT("call", seccomp_item(refusal->call, refusal->value)),
		refusal->has_value ? value : (struct auditlog_field)TEXT("value", NULL),
		TEXT("process", refusal->process),
		NUMBER("calls", (int64_t)refusal->calls),
		{ "permitted", AUDITLOG_BOOL, NULL, refusal->permitted },
	};
	struct supervisor *sup = ctx;

	if (refusal->untold > 0)
		sup->ws->audit_rate[EVENT_SYSCALL_REFUSED].untold += refusal->untold;
	else
		tell(sup, EVENT_SYSCALL_REFUSED, field, sizeof(field) / sizeof(field[0]));
}

void supervisor_audit_unheard(void *ctx, const char *text)
{
	const struct auditlog_field field[] = { TEXT("text", text) };

	supervisor_say(ctx, text);
	tell(ctx, EVENT_SYSCALLS_UNHEARD, field, 1);
}

static bool listed(const char *const *list, size_t n, const char *port)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], port))
			return true;
	return false;
}

/* What is open, after it changed: that of "-p auto" nobody asked for. */
void supervisor_audit_ports(struct supervisor *sup, const char *const *before, size_t n)
{
	const struct record *record = &sup->ws->record;

	for (size_t i = 0; i < record->ports_n; i++) {
		const struct auditlog_field field[] = { TEXT("action", "opened"),
			                                TEXT("port", record->ports[i]) };

		if (!listed(before, n, record->ports[i]))
			tell(sup, EVENT_PORT, field, 2);
	}
	for (size_t i = 0; i < n; i++) {
		const struct auditlog_field field[] = { TEXT("action", "closed"),
			                                TEXT("port", before[i]) };

		if (!listed(record->ports, record->ports_n, before[i]))
			tell(sup, EVENT_PORT, field, 2);
	}
}
