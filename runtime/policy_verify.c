#include "policy_verify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "entries.h"
#include "options.h"
#include "policies/json.h"
#include "verify.h"

struct request {
	bool json, all;
};

static const struct option rows[] = {
	{ "format", '\0', "FORMAT", "table or json (table)", option_table_or_json,
	  offsetof(struct request, json) },
	{ "all", '\0', NULL, "show what holds, too; json always does", option_flag,
	  offsetof(struct request, all) },
};

static const struct options options = {
	.words = "NAME",
	.about = "Ask the kernel whether a running workspace is what its policy and "
		 "options "
		 "made of it,\nand print what differs. The exit status is 1 where "
		 "something "
		 "does.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Names inside are root's there: none may speak to our terminal. */
static const char *printable(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, strlen(text) * 4 + 1), *at = out;

	if (!out)
		return "";
	while (*text) {
		const size_t len = json_utf8(text, strlen(text));

		if (len == 0 || terminal_control(text) > 0) {
			at += sprintf(at, "\\x%02x", (unsigned char)*text);
			text++;
			continue;
		}
		memcpy(at, text, len);
		at += len;
		text += len;
	}
	return out;
}

static size_t step_number(const struct verify *verify, const struct verify_row *row)
{
	return (size_t)(row->step - verify->plan.step) + 1;
}

static void print_table(const struct verify *verify, bool all)
{
	size_t count[VERIFY_STATES] = { 0 };

	for (size_t i = 0; i < verify->n; i++) {
		const struct verify_row *row = &verify->row[i];
		const char *wanted = printable(verify->arena, row->wanted);
		const char *real = printable(verify->arena, row->real);

		count[row->state]++;
		if (row->state == VERIFY_HOLDS && !all)
			continue;
		(void)printf("%-14s %3zu %-13s %s: ", verify_state_name[row->state],
		             step_number(verify, row), step_name[row->step->step.kind],
		             printable(verify->arena, row->what));
		if (!strcmp(wanted, real))
			(void)printf("%s\n", real);
		else if (row->state == VERIFY_UNSEEN)
			(void)printf("%s: %s\n", wanted, real);
		else
			(void)printf("wanted %s, is %s\n", wanted, real);
	}
	(void)printf("%s: %zu hold, %zu differ, %zu changed inside, %zu absent, "
	             "%zu not to be seen\n",
	             verify->record->name, count[VERIFY_HOLDS], count[VERIFY_DIFFERS],
	             count[VERIFY_CHANGED], count[VERIFY_ABSENT], count[VERIFY_UNSEEN]);
}

static int print_json(const struct verify *verify, struct err *err)
{
	struct json *json = json_open(stdout, true);
	bool good = true;
	int r;

	for (size_t i = 0; i < verify->n; i++)
		good &= verify->row[i].state != VERIFY_DIFFERS;
	json_object(json);
	json_put_number(json, "version", 1);
	json_put_string(json, "name", verify->record->name);
	json_put_bool(json, "holds", good);
	json_key(json, "rows");
	json_array(json);
	for (size_t i = 0; i < verify->n; i++) {
		const struct verify_row *row = &verify->row[i];

		json_object(json);
		json_put_unsigned(json, "step", step_number(verify, row));
		json_put_string(json, "actor", actor_name[row->step->step.actor]);
		json_put_string(json, "kind", step_name[row->step->step.kind]);
		json_put_string(json, "what", row->what);
		json_put_string(json, "wanted", row->wanted);
		json_put_string(json, "real", row->real);
		json_put_string(json, "state", verify_state_name[row->state]);
		json_object_end(json);
	}
	json_array_end(json);
	/* Steps of which nothing is left to be seen from outside, or whose result is root's. */
	json_key(json, "not_verified");
	json_array(json);
	for (size_t i = 0; i < verify->plan.n; i++) {
		const struct step *s = &verify->plan.step[i].step;

		if (verify_of(s->kind))
			continue;
		json_object(json);
		json_put_unsigned(json, "step", i + 1);
		json_put_string(json, "kind", step_name[s->kind]);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print what was verified") : 0;
}

static int verify_entry(void *ctx, int state, int entry, const char *name,
                        struct err *err)
{
	const struct request *request = ctx;
	cleanup_arena struct arena arena = { 0 };
	struct verify verify = { .arena = &arena };
	struct record record;
	int r = state_read(entry, name, &arena, &record, err), differ = 0;

	(void)state;
	if (r < 0)
		return r;
	if (!state_alive(entry) || record.status != STATUS_RUNNING) {
		(void)err_set(err, ESRCH, "'%s' is not running", name);
		return err_hint(err, "what it would be, 'berth plan' tells");
	}
	verify.record = &record;
	r = verify_open(&verify, entry, err);
	if (r == 0)
		r = differ = verify_run(&verify, err);
	verify_close(&verify);
	if (r < 0)
		return err_wrap(err, "verify '%s'", name);
	if (request->json)
		r = print_json(&verify, err);
	else
		print_table(&verify, request->all);
	if (r >= 0 && fflush(stdout) != 0)
		r = err_set(err, errno, "print what was verified");
	return r < 0 ? r : differ > 0;
}

int policy_verify_main(int argc, char **argv, struct err *err)
{
	struct request request = { 0 };
	struct entries entries;
	int r = entries_options(&options, &request, argc, argv, 1, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return entries_walk(&entries, verify_entry, &request, err);
}
