#include "policy_suggest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/egress.h"
#include "options.h"
#include "policies/json.h"
#include "policies/seccomp_choice.h"

#define WANTS_MAX 4096
#define LINE_MAX_BYTES (1024 * 1024)

static const struct options options = {
	.words = "LOG...",
	.about = "Make of audit logs (of --audit-permissive or --audit-syscalls) the "
		 "smallest policy that\nallows what they tell of, with comments that say "
		 "why, for review.",
};

/**
 * struct want - Something that was tried
 * @item:	"bpf", "socket:AF_ALG", "allow:10.0.0.1,443/tcp"
 * @by:		process, or why it was denied
 * @calls:	so often since the last start in the log, @before until then
 */
struct want {
	enum want_kind { WANT_CALL, WANT_EGRESS } kind;
	const char *item, *by;
	uint64_t calls, before;
};

/**
 * struct story - What the logs tell
 * @policy:	name of what was asked for at the last start, NULL for none
 * @denied:	calls that it denies itself
 * @rule, @rules: of egress, as all that was asked for had them
 * @deny_rest:	what they do not meet was denied; so it is where no start tells
 * @lines, @more: that were read; what was tried and not told one by one
 * @left_out:	lines of things for which there is no room
 */
struct story {
	struct arena *arena;
	struct want want[WANTS_MAX];
	size_t n;
	const char *policy, *denied, *rule[EGRESS_RULES];
	size_t rules;
	bool deny_rest;
	uint64_t lines, more, left_out;
};

static const char *text_of(const struct json_value *line, const char *key)
{
	const struct json_value *v = json_get(line, key);

	return v && v->type == JSON_STRING ? v->text : NULL;
}

static uint64_t number_of(const struct json_value *line, const char *key)
{
	const struct json_value *v = json_get(line, key);

	return v && v->type == JSON_NUMBER ? strtoull(v->text, NULL, 10) : 0;
}

static int add(struct story *story, enum want_kind kind, const char *item, const char *by,
               uint64_t calls, struct err *err)
{
	struct want *want = story->want;
	size_t at = 0;

	while (at < story->n &&
	       (want[at].kind != kind || strcmp(want[at].item, item) != 0 ||
	        strcmp(want[at].by, by) != 0))
		at++;
	if (at == WANTS_MAX) {
		story->left_out++;
		return 0;
	}
	if (at == story->n)
		want[story->n++] = (struct want){ .kind = kind,
			                          .item = arena_dup(story->arena, item),
			                          .by = arena_dup(story->arena, by) };
	/* Of calls a line tells how many there were until then, of destinations one. */
	if (kind == WANT_EGRESS)
		want[at].calls++;
	else if (calls > want[at].calls)
		want[at].calls = calls;
	return story->arena->failed ? err_set(err, ENOMEM, "read the log") : 0;
}

/* What the merged policy of a start says that counts for what comes of it. */
static void read_policy(struct story *story, const char *text)
{
	cleanup_arena struct arena scratch = { 0 };
	const struct json_value *root = NULL, *list, *network;
	struct err ignored = { 0 };
	const char *rest;

	story->denied = "";
	story->rules = 0;
	story->deny_rest = true;
	if (!text || json_parse(text, strlen(text), &scratch, &root, &ignored) < 0)
		return;
	list = json_get(json_get(root, "seccomp"), "deny");
	for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
		if (v->type == JSON_STRING)
			story->denied = arena_printf(story->arena, "%s%s,", story->denied,
			                             v->text);
	network = json_get(root, "network");
	list = json_get(network, "egress");
	for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
		if (v->type == JSON_STRING && story->rules < EGRESS_RULES)
			story->rule[story->rules++] = arena_dup(story->arena, v->text);
	rest = text_of(network, "egress_default");
	story->deny_rest = rest && !strcmp(rest, "deny");
}

static void begin(struct story *story, const struct json_value *line)
{
	const char *policy = text_of(line, "policy_name");

	for (size_t i = 0; i < story->n; i++) {
		if (story->want[i].kind != WANT_CALL)
			continue;
		story->want[i].before += story->want[i].calls;
		story->want[i].calls = 0;
	}
	story->policy = policy ? arena_dup(story->arena, policy) : NULL;
	read_policy(story, text_of(line, "policy"));
}

/* "10.0.0.1:443" and "tcp" as a rule. */
static const char *rule_of(const char *to, const char *protocol, struct arena *arena)
{
	const char *address = to[0] == '[' ? to + 1 : to;
	const char *port = to[0] == '[' ? strstr(to, "]:") : strchr(to, ':');
	const size_t len = port ? (size_t)(port - address) : strlen(address);

	/* An address of IPv6 without a port has no brackets. */
	if (!port || (to[0] != '[' && strchr(port + 1, ':')))
		return arena_printf(arena, "allow:%s,%s", to, protocol);
	return arena_printf(arena, "allow:%.*s,%s/%s", (int)len, address,
	                    port + (to[0] == '[' ? 2 : 1), protocol);
}

static int take(struct story *story, const struct json_value *line, struct err *err)
{
	const char *event = text_of(line, "event");
	const char *call = text_of(line, "call"), *process = text_of(line, "process");
	const char *to = text_of(line, "to"), *protocol = text_of(line, "protocol");
	const char *reason = text_of(line, "reason"), *rule = text_of(line, "rule");
	const char *of = text_of(line, "of");
	struct arena *arena = story->arena;

	if (!event || number_of(line, "version") != 1)
		return err_set(err, EPROTO, "no line of an audit log of version 1");
	story->lines++;
	if (!strcmp(event, "start"))
		begin(story, line);
	else if (!strcmp(event, "more") && of &&
	         (!strcmp(of, "syscall-refused") || !strcmp(of, "egress-denied")))
		story->more = number_of(line, "events") + story->more;
	else if (!strcmp(event, "syscall-refused") && call && process)
		return add(story, WANT_CALL, call, process, number_of(line, "calls"),
		           err);
	else if (!strcmp(event, "egress-denied") && to && protocol && reason)
		return add(story, WANT_EGRESS, rule_of(to, protocol, arena),
		           rule ? arena_printf(arena, "%s %s", reason, rule) : reason, 1,
		           err);
	return 0;
}

static int read_log(struct story *story, const char *name, struct err *err)
{
	FILE *in = fopen(name, "re");
	char *line = NULL;
	size_t size = 0, at = 0;
	ssize_t n;
	int r = 0;

	if (!in)
		return err_set(err, errno, "open '%s'", name);
	while (r == 0 && (n = getline(&line, &size, in)) > 0) {
		cleanup_arena struct arena arena = { 0 };
		const struct json_value *root = NULL;

		at++;
		if (n > LINE_MAX_BYTES)
			r = err_set(err, EFBIG, "%zd bytes", n);
		if (r == 0)
			r = json_parse(line, (size_t)n, &arena, &root, err);
		if (r == 0)
			r = take(story, root, err);
	}
	if (r == 0 && ferror(in))
		r = err_set(err, errno, "read");
	free(line);
	(void)fclose(in);
	return r < 0 ? err_wrap(err, "%s:%zu", name, at) : 0;
}

/* What the workspace chose, so that it ends no comment and speaks to no terminal. */
static void put_plain(const char *text)
{
	for (; *text; text++)
		if (*text >= ' ' && *text <= '~')
			(void)putchar(*text);
		else
			(void)printf("\\x%02x", (unsigned char)*text);
}

/* Prints who tried one thing, once for all its lines; those are marked by an empty item. */
static void put_reasons(struct story *story, size_t first)
{
	const char *item = story->want[first].item;
	const enum want_kind kind = story->want[first].kind;
	unsigned int shown = 0, more = 0;

	for (size_t i = first; i < story->n; i++) {
		struct want *want = &story->want[i];

		if (want->kind != kind || strcmp(want->item, item) != 0)
			continue;
		if (shown++ >= 4) {
			more++;
		} else {
			(void)printf("%s%" PRIu64 "x ", shown > 1 ? ", " : "",
			             want->before + want->calls);
			put_plain(want->by);
		}
		if (i != first)
			want->item = "";
	}
	if (more > 0)
		(void)printf(", and %u others", more);
	(void)putchar('\n');
}

static bool denies(const struct story *story, const char *item)
{
	const size_t len = strlen(item);

	for (const char *p = story->denied; (p = strstr(p, item)); p += len)
		if ((p == story->denied || p[-1] == ',') && p[len] == ',')
			return true;
	return false;
}

/* Whether a policy can allow it; else why not. */
static const char *obstacle(const struct story *story, const struct want *want)
{
	struct err err = { 0 };
	struct egress_rule rule;

	if (want->kind == WANT_EGRESS) {
		if (!strcmp(want->by, egress_reason[EGRESS_METADATA]))
			return "is where clouds keep credentials, and is not suggested";
		if (egress_parse(want->item, &rule, &err) < 0)
			return "cannot be allowed";
		/* Also where a rule of the policy denied it. */
		return egress_names_metadata(&rule)
		               ? "is where clouds keep credentials, and is not suggested"
		               : NULL;
	}
	if (seccomp_makes_namespaces(want->item) && strstr(story->denied, "namespace:"))
		return "makes namespaces that the policy itself denies: take those out "
		       "of "
		       "seccomp.deny, or out of \"nested\": false";
	if (denies(story, want->item))
		return "is denied by the policy itself: take it out of seccomp.deny";
	if (!strcmp(want->item, "socketcall"))
		return "takes \"seccomp\": { \"profile\": \"workspace-i386\" }";
	if (seccomp_never_allowed(want->item))
		return "is never allowed";
	return seccomp_items_check(want->item, true, &err) < 0
	               ? "is no call of this berth"
	               : NULL;
}

/* One list, and how many items it got. */
static unsigned int put_list(struct story *story, enum want_kind kind, unsigned int most)
{
	unsigned int n = 0, left = 0;

	for (size_t i = 0; i < story->n; i++) {
		struct want *want = &story->want[i];
		const char *item = want->item;

		if (want->kind != kind || !*item || obstacle(story, want))
			continue;
		if (n == most) {
			left++;
			continue;
		}
		(void)printf("%s\n\t\t\t// ", n++ > 0 ? "," : "");
		put_reasons(story, i);
		(void)printf("\t\t\t\"%s\"", item);
	}
	if (left > 0)
		(void)printf(
			"\n\t\t\t// and %u more, which a policy has no room for: take "
			"networks",
			left);
	return n;
}

static bool has(const struct story *story, enum want_kind kind)
{
	for (size_t i = 0; i < story->n; i++)
		if (story->want[i].kind == kind && !obstacle(story, &story->want[i]))
			return true;
	return false;
}

static void put_obstacles(struct story *story)
{
	for (size_t i = 0; i < story->n; i++) {
		struct want *want = &story->want[i];
		const char *why = *want->item ? obstacle(story, want) : NULL;

		if (!why)
			continue;
		(void)printf("\t// ");
		put_plain(want->item);
		(void)printf(" %s: ", why);
		put_reasons(story, i);
	}
}

static void put_text(const char *text)
{
	struct json *json = json_open(stdout, false);

	json_string(json, text);
	(void)json_close(json);
}

/* Whether what it says itself counts behind what is suggested, or is to be said again. */
static bool extends(const struct story *story)
{
	return story->policy && strcmp(story->policy, "audit") != 0;
}

static void put_network(struct story *story)
{
	unsigned int n;

	(void)printf("\t\"network\": {\n\t\t\"egress_default\": \"%s\",\n"
	             "\t\t\"egress\": [",
	             story->deny_rest ? "deny" : "allow");
	n = put_list(story, WANT_EGRESS, EGRESS_RULES - (unsigned int)story->rules);
	if (!extends(story) && story->rules > 0)
		(void)printf("%s\n\t\t\t// as it was run", n > 0 ? "," : "");
	for (size_t i = 0; !extends(story) && i < story->rules; i++) {
		(void)printf("%s\n\t\t\t", i > 0 ? "," : "");
		put_text(story->rule[i]);
	}
	(void)printf("\n\t\t]\n\t},\n");
}

static void print(struct story *story)
{
	(void)printf("// Made by berth policy suggest of %" PRIu64
	             " lines, for review: what "
	             "a program tries\n// is not always what it needs.\n{\n",
	             story->lines);
	if (extends(story)) {
		(void)printf("\t\"extends\": ");
		put_text(story->policy);
		(void)printf(",\n");
	}
	if (has(story, WANT_CALL)) {
		(void)printf("\t\"seccomp\": {\n\t\t\"allow\": [");
		(void)put_list(story, WANT_CALL, WANTS_MAX);
		(void)printf("\n\t\t]\n\t},\n");
	}
	if (has(story, WANT_EGRESS))
		put_network(story);
	put_obstacles(story);
	if (story->more > 0)
		(void)printf("\t// %" PRIu64 " more tries were not told one by one: they "
		             "are not here.\n",
		             story->more);
	if (story->left_out > 0)
		(void)printf("\t// More than %d different things were tried: %" PRIu64
		             " lines of further ones are not here.\n",
		             WANTS_MAX, story->left_out);
	(void)printf("\t// What is refused stays refused.\n"
	             "\t\"audit\": { \"permissive\": false }\n}\n");
}

int policy_suggest_main(int argc, char **argv, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct story *story = arena_alloc(&arena, sizeof(*story));
	int first = options_parse(&options, NULL, argc, argv, err);
	int r = story ? 0 : err_set(err, ENOMEM, "read the log");

	if (first == OPTIONS_HELP)
		return 0;
	if (first == argc) {
		(void)err_set(err, EINVAL, "no log is named");
		(void)err_hint(err, "a file of berth run --audit-permissive --audit-log "
		                    "FILE");
		first = -EINVAL;
	}
	if (first < 0)
		return err_step(err, "options");
	if (r < 0)
		return r;
	story->arena = &arena;
	read_policy(story, NULL);
	for (int i = first; r == 0 && i < argc; i++)
		r = read_log(story, argv[i], err);
	if (r == 0)
		print(story);
	return r;
}
