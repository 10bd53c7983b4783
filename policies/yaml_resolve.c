#include <string.h>

#include "yaml.h"

/* Words as the reader of Kubernetes (go-yaml 2) has them. */

static bool one_of(const char *const *words, const char *text)
{
	for (; *words; words++)
		if (!strcmp(*words, text))
			return true;
	return false;
}

/* [-+]?(0x.., 0b.., 0o.., digits), with underscores between. */
static bool is_int(const char *text)
{
	const char *digits = "0123456789_";

	text += *text == '-' || *text == '+';
	if (text[0] == '0' && text[1] && strchr("xbo", text[1])) {
		digits = text[1] == 'x'   ? "0123456789abcdefABCDEF_"
		         : text[1] == 'b' ? "01_"
		                          : "01234567_";
		text += 2;
	} else if (*text == '_') {
		return false;
	}
	return *text && text[strspn(text, digits)] == '\0';
}

static bool is_float(const char *text)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF", ".nan",
		                             ".NaN", ".NAN", NULL };
	size_t whole, part = 0;

	text += *text == '-' || *text == '+';
	if (one_of(words, text))
		return true;
	whole = strspn(text, "0123456789");
	text += whole;
	if (*text == '.') {
		part = strspn(++text, "0123456789");
		text += part;
	}
	if (whole + part == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		if (!*text)
			return false;
		text += strspn(text, "0123456789");
	}
	return *text == '\0';
}

enum yaml_type yaml_resolve(const char *text, bool *ret_boolean)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "Yes", "YES",
		                           "on",   "On",   "ON",   "y",   "Y",   NULL };
	static const char *const no[] = { "false", "False", "FALSE", "no", "No", "NO",
		                          "off",   "Off",   "OFF",   "n",  "N",  NULL };

	*ret_boolean = false;
	if (strlen(text) > 5) /* no word is longer */
		return is_int(text)     ? YAML_INT
		       : is_float(text) ? YAML_FLOAT
		                        : YAML_STRING;
	*ret_boolean = one_of(yes, text);
	if (*ret_boolean || one_of(no, text))
		return YAML_BOOL;
	if (one_of(nulls, text))
		return YAML_NULL;
	if (is_int(text))
		return YAML_INT;
	return is_float(text) ? YAML_FLOAT : YAML_STRING;
}
