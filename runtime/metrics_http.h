#ifndef METRICS_HTTP_H
#define METRICS_HTTP_H

#include "base/err.h"

struct metrics_http;

/**
 * metrics_http_start() - Make what serves HTTP; nobody is let in yet
 * @listener:	borrowed
 * @link:	to the supervisor, borrowed
 * @err:	filled in on failure
 *
 * Return: it, or NULL. It lives as long as the process.
 */
struct metrics_http *metrics_http_start(int listener, int link, struct err *err);

/**
 * metrics_http_serve() - Serve until the supervisor is gone
 * @http:	started
 *
 * Should: answer GET and HEAD of /metrics, /healthz and /readyz.
 * Mustn't: keep anybody for longer than ten seconds, or the idle in the way of the others:
 * when all places are taken who came first loses his.
 */
void metrics_http_serve(struct metrics_http *http);

#endif
