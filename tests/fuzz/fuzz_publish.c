#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netns/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is sound, and says the same when it is written and read again. */
static void check(const struct publish *publish)
{
	char text[PUBLISH_TEXT_MAX], second[PUBLISH_TEXT_MAX];
	struct publish again;
	struct err err = { 0 };

	if (!publish->automatic &&
	    (!publish->out || !publish->in || publish->n < 1 ||
	     publish->n > PUBLISH_MAX || publish->out + publish->n - 1 > UINT16_MAX ||
	     publish->in + publish->n - 1 > UINT16_MAX))
		__builtin_trap();
	if (publish_parse(publish_text(publish, text), &again, &err) < 0 ||
	    strcmp(publish_text(&again, second), text) != 0 ||
	    !publish_overlap(publish, &again))
		__builtin_trap();
}

/* A list that is taken has a first port, which is in it. */
static void check_list(const char *list)
{
	unsigned int port = 0;
	int used = 0;

	if (sscanf(list, "%5u%n", &port, &used) != 1 || port < 1 || port > UINT16_MAX)
		__builtin_trap();
	if (!publish_listed(list, (uint16_t)port, false) &&
	    !publish_listed(list, (uint16_t)port, true))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct publish publish;
	char text[256];
	int r;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	r = publish_parse(text, &publish, &err);
	if (r != -err.code || (r < 0) != (err.text[0] != '\0'))
		__builtin_trap();
	if (r == 0)
		check(&publish);
	err_clear(&err);
	r = publish_list_check(text, &err);
	if (r != -err.code)
		__builtin_trap();
	if (r == 0)
		check_list(text);
	return 0;
}
