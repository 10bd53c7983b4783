#include "netns/resolver.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define BLANK " \t"

/* Whether a line begins with a word; @ret_rest is what comes after the blanks. */
static bool keyword(const char *line, const char *word, const char **ret_rest)
{
	const size_t n = strlen(word);

	if (strncmp(line, word, n) != 0 || !line[n] || !strchr(BLANK, line[n]))
		return false;
	*ret_rest = line + n + strspn(line + n, BLANK);
	return true;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

size_t resolver_servers(const char *text, struct ip *ret, size_t max)
{
	size_t n = 0;

	for (const char *line = text; *line && n < max; line = next_line(line)) {
		char word[IP_TEXT_MAX];
		const char *rest;
		size_t len;

		if (!keyword(line, "nameserver", &rest))
			continue;
		len = strcspn(rest, BLANK "\r\n;#");
		if (len == 0 || len >= sizeof(word))
			continue;
		(void)snprintf(word, sizeof(word), "%.*s", (int)len, rest);
		if (!strchr(word, '/') && ip_parse(word, &ret[n]))
			n++;
	}
	return n;
}

/* It becomes a file of the workspace, and a line of the plan. */
static bool printable(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)line[i]) && line[i] != '\t')
			return false;
	return true;
}

const char *resolver_text(struct arena *arena, const char *text, const struct ip *server)
{
	static const char *const kept[] = { "search", "domain", "options" };
	char address[IP_TEXT_MAX];
	const char *made =
		arena_printf(arena, "nameserver %s\n", ip_text(server, false, address));

	for (const char *line = text; *line; line = next_line(line)) {
		const size_t len = strcspn(line, "\r\n");
		const char *rest;

		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			if (keyword(line, kept[i], &rest) && printable(line, len))
				made = arena_printf(arena, "%s%.*s\n", made, (int)len,
				                    line);
	}
	return made;
}

const char *resolver_resolved_text(struct arena *arena, const char *text,
                                   const struct ip *server)
{
	char address[IP_TEXT_MAX];
	const char *made = arena_printf(arena, "[Resolve]\nDNS=%s\n",
	                                ip_text(server, false, address));

	for (const char *line = text; *line; line = next_line(line)) {
		const size_t len = strcspn(line, "\r\n");
		const char *rest;

		if ((keyword(line, "search", &rest) || keyword(line, "domain", &rest)) &&
		    printable(line, len))
			made = arena_printf(arena, "%sDomains=%.*s\n", made,
			                    (int)(line + len - rest), rest);
	}
	return made;
}
