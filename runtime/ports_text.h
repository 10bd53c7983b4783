#ifndef PORTS_TEXT_H
#define PORTS_TEXT_H

#include "base/arena.h"
#include "netns/publish.h"
#include "policies/json.h"

/* What the record of a workspace has about its published ports. */

/**
 * ports_read() - A line of the record
 * @line:	as ports_list() makes it
 * @arena:	where scratch goes
 * @ret:	written on success only: one port
 * @ret_automatic: whether -p auto opened it
 * @err:	filled in on failure
 *
 * Return: 0; -EINVAL.
 */
int ports_read(const char *line, struct arena *arena, struct publish *ret,
               bool *ret_automatic, struct err *err);

/* As "berth port --format json" has it. */
void ports_put_json(struct json *json, const struct publish *publish, bool automatic);

/**
 * ports_column() - All of them as docker ps shows them
 * @line, @n:	of the record
 * @arena:	where the text goes
 *
 * Neighbours are one range: "0.0.0.0:8080-8089->80-89/tcp, [::]:8080-8089->80-89/tcp".
 *
 * Return: the text; "" without ports. NULL where memory is short (@arena->failed).
 */
const char *ports_column(const char *const *line, size_t n, struct arena *arena);

#endif
