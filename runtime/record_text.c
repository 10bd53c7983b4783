#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/json.h"
#include "state_internal.h"

/*
 * Arguments and paths are bytes, JSON is UTF-8. Each byte that is not, and each of a
 * real U+FFFD, is written as U+FFFD and two hexadecimal digits.
 */
#define ESCAPE "\xef\xbf\xbd"

char *record_escape(const char *text)
{
	size_t size = strlen(text), n = 0;
	char *ret = malloc(size * 5 + 1);

	if (!ret)
		return NULL;
	while (size > 0) {
		size_t len = json_utf8(text, size);

		if (len > 0 && strncmp(text, ESCAPE, 3) != 0) {
			memcpy(ret + n, text, len);
			n += len;
		} else {
			len = 1;
			n += (size_t)sprintf(ret + n, ESCAPE "%02x",
			                     (unsigned char)*text);
		}
		text += len;
		size -= len;
	}
	ret[n] = '\0';
	return ret;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

const char *record_unescape(const char *text, struct arena *arena, struct err *err)
{
	char *ret = arena_alloc(arena, strlen(text) + 1);
	size_t n = 0;

	if (!ret) {
		(void)err_set(err, ENOMEM, "read a text");
		return NULL;
	}
	while (*text) {
		int high, low;

		if (strncmp(text, ESCAPE, 3) != 0) {
			ret[n++] = *text++;
			continue;
		}
		high = hex(text[3]);
		low = high < 0 ? -1 : hex(text[4]);
		if (low < 0 || high * 16 + low == 0) {
			(void)err_set(err, EINVAL, "a broken escape in a text");
			return NULL;
		}
		ret[n++] = (char)(high * 16 + low);
		text += 5;
	}
	return ret;
}
