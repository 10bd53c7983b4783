#include <ctype.h>
#include <string.h>

#include "check.h"
#include "policies/json.h"

#define GREEN "\033[32m"
#define RED "\033[31m"
#define FAINT "\033[2m"
#define PLAIN "\033[0m"

#define WIDTH 78
#define INDENT 26

static const char *paint(bool colour, const char *sequence)
{
	return colour ? sequence : "";
}

/*
 * @text in lines of at most WIDTH characters, each but the first behind INDENT blanks. What
 * the kernel or a file said may hold anything: a terminal gets printable characters only.
 */
static void put_wrapped(const char *text, FILE *out)
{
	size_t column = INDENT;

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, " ");

		if (column > INDENT && column + 1 + len > WIDTH) {
			(void)fprintf(out, "\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			(void)fputc(' ', out);
			column++;
		}
		for (size_t i = 0; i < len; i++)
			(void)fputc(isprint((unsigned char)p[i]) ? p[i] : '?', out);
		column += len;
		p += len + strspn(p + len, " ");
	}
	(void)fputc('\n', out);
}

static const char *result_colour(int outcome)
{
	return outcome == OUTCOME_YES ? GREEN : outcome == OUTCOME_NO ? RED : FAINT;
}

/* "no (B)": without it there is no tier B. */
static void put_result(const struct check *check, const struct check_result *result,
                       bool colour, FILE *out)
{
	const char *word = outcome_name[result->outcome];
	const char *tier = result->outcome != OUTCOME_YES && check->tier < TIER_D
	                           ? tier_name[check->tier]
	                           : NULL;

	(void)fprintf(out, "%s%s%s%*s", paint(colour, result_colour(result->outcome)),
	              word, paint(colour, PLAIN), (int)(8 - strlen(word)), "");
	(void)fprintf(out, "%-2s", tier ? tier : "");
}

static void put_remedy(const char *remedy, FILE *out)
{
	(void)fprintf(out, "%*s> ", INDENT - 2, "");
	put_wrapped(remedy, out);
}

static void put_row(const struct report *report, size_t i, bool colour, FILE *out)
{
	const struct check_result *result = &report->result[i];

	(void)fprintf(out, "%-16s", checks[i].name);
	put_result(&checks[i], result, colour, out);
	put_wrapped(*result->detail ? result->detail : checks[i].what, out);
	if (report->remedy[i])
		put_remedy(report->remedy[i], out);
}

/* What stands between this tier and the next better one. */
static void put_missing(const struct report *report, FILE *out)
{
	const enum tier better = report->tier - 1;
	char text[512];
	size_t n = (size_t)snprintf(text, sizeof(text),
	                            "for tier %s it lacks:", tier_name[better]);

	for (size_t i = 0; i < CHECK_MAX && n < sizeof(text); i++)
		if (checks[i].tier == better && report->result[i].outcome != OUTCOME_YES)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s",
			                      checks[i].name);
	(void)fprintf(out, "%*s", INDENT, "");
	put_wrapped(text, out);
}

/* One controller has many limits: what mends them is said where it is first of use. */
static bool is_told(const struct report *report, size_t limit)
{
	const char *remedy = report->limit[limit].remedy;

	for (size_t i = 0; i < CHECK_MAX; i++)
		if (report->remedy[i] && !strcmp(report->remedy[i], remedy))
			return true;
	for (size_t i = 0; i < limit; i++)
		if (report->limit[i].remedy && !strcmp(report->limit[i].remedy, remedy))
			return true;
	return false;
}

void check_print(const struct report *report, bool colour, FILE *out)
{
	(void)fprintf(out, "%-16s%-10s%s\n", "FEATURE", "RESULT", "DETAIL");
	for (size_t i = 0; i < CHECK_MAX; i++)
		put_row(report, i, colour, out);

	(void)fprintf(out, "\n%-16s%s%s%s%*s", "tier",
	              paint(colour, report->tier == TIER_A ? GREEN : RED),
	              tier_name[report->tier], paint(colour, PLAIN), INDENT - 17, "");
	put_wrapped(tier_meaning[report->tier], out);
	if (report->tier > TIER_A)
		put_missing(report, out);

	(void)fprintf(out, "\nlimits:\n");
	for (size_t i = 0; i < CHECK_LIMITS_N; i++) {
		const struct check_limit *limit = &report->limit[i];

		(void)fprintf(out, "%-18s%s%s%s%*s", limit->name,
		              paint(colour, limit->enforced ? GREEN : RED),
		              limit->enforced ? "yes" : "no", paint(colour, PLAIN),
		              limit->enforced ? 5 : 6, "");
		put_wrapped(limit->by, out);
		if (limit->remedy && !is_told(report, i))
			put_remedy(limit->remedy, out);
	}
}

static void put_check(struct json *json, const struct report *report, size_t i)
{
	const struct check_result *result = &report->result[i];

	json_object(json);
	json_put_string(json, "name", checks[i].name);
	json_put_string(json, "what", checks[i].what);
	json_put_string(json, "result", outcome_name[result->outcome]);
	json_put_string(json, "detail", result->detail);
	json_put_string(json, "needed_for",
	                checks[i].tier < TIER_D ? tier_name[checks[i].tier] : NULL);
	json_put_string(json, "remedy", report->remedy[i]);
	json_object_end(json);
}

int check_print_json(const struct report *report, enum tier required, FILE *out,
                     struct err *err)
{
	struct json *json = json_open(out, true);
	int r;

	json_object(json);
	json_put_number(json, "version", 1);
	json_put_string(json, "tier", tier_name[report->tier]);
	json_put_string(json, "meaning", tier_meaning[report->tier]);
	json_put_string(json, "context", report->pod ? "pod" : "machine");
	json_put_string(json, "required", required < TIER_D ? tier_name[required] : NULL);
	json_put_bool(json, "met", report->tier <= required);
	json_key(json, "checks");
	json_array(json);
	for (size_t i = 0; i < CHECK_MAX; i++)
		put_check(json, report, i);
	json_array_end(json);
	json_key(json, "limits");
	json_array(json);
	for (size_t i = 0; i < CHECK_LIMITS_N; i++) {
		const struct check_limit *limit = &report->limit[i];

		json_object(json);
		json_put_string(json, "name", limit->name);
		json_put_bool(json, "enforced", limit->enforced);
		json_put_string(json, "by", limit->by);
		json_put_string(json, "remedy", limit->remedy);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "write the report") : 0;
}
