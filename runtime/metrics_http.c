#include "metrics_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "metrics_link.h"

#define PLACES 64
#define ADMITTED_PER_TURN 16
/* Of a request: one that is larger is refused. */
#define REQUEST_MAX 16384

/* From the first byte to the last one, whatever comes between. */
#define VISIT_MS 10000
/* How long the supervisor may take. */
#define ANSWER_MS 5000
/* How often to look whether one of these is over. */
#define LOOK_MS 200

#define TEXT "text/plain; charset=utf-8"
#define EXPOSITION "text/plain; version=0.0.4; charset=utf-8"

/* What became of the question that a visitor waits for. */
enum outcome { NOT_ASKED, ANSWERED, FAILED };

/**
 * struct visitor - A connection
 * @connection:	the library's; NULL: the place is free
 * @fd:		its socket, the library's
 * @since_ms:	when it came
 * @from:	whose address, or his network of 64 bits
 * @waiting:	for the supervisor's answer; the library leaves it alone meanwhile
 */
struct visitor {
	struct MHD_Connection *connection;
	int fd;
	int64_t since_ms;
	uint64_t from;
	bool waiting;
	enum outcome outcome;
};

/**
 * struct metrics_http - What serves
 * @asked:	a question is under way, since @asked_ms; who comes meanwhile waits for its answer
 * @answer:	the last one
 */
struct metrics_http {
	struct MHD_Daemon *daemon;
	int listener, link, epoll;
	struct visitor visitor[PLACES];
	bool asked;
	int64_t asked_ms;
	struct metrics_answer answer;
};

/* Takes @text. One answer a connection: who asks often does so by new ones. */
static enum MHD_Result say(struct MHD_Connection *connection, unsigned int status,
                           const char *type, char *text, size_t size)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result r;

	if (!response) {
		free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
	                              "no-store");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
		                              "GET, HEAD");
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result say_line(struct MHD_Connection *connection, unsigned int status,
                                const char *line)
{
	char *text = strdup(line);

	return text ? say(connection, status, TEXT, text, strlen(text)) : MHD_NO;
}

static enum MHD_Result say_metrics(const struct metrics_http *http,
                                   struct MHD_Connection *connection)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return MHD_NO;
	metrics_print(out, &http->answer.metrics, 1);
	if (fclose(out) != 0) {
		free(text);
		return MHD_NO;
	}
	return say(connection, MHD_HTTP_OK, EXPOSITION, text, size);
}

static enum MHD_Result reply(const struct metrics_http *http,
                             struct MHD_Connection *connection,
                             const struct visitor *visitor, const char *path)
{
	if (visitor->outcome == FAILED)
		return say_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		                "the supervisor does not answer\n");
	if (!strcmp(path, "/metrics"))
		return say_metrics(http, connection);
	if (!strcmp(path, "/healthz") || http->answer.metrics.ready)
		return say_line(connection, MHD_HTTP_OK, "ok\n");
	return say_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready\n");
}

static void wait_for_answer(struct metrics_http *http, struct visitor *visitor)
{
	const char question = METRICS_ASK;

	visitor->waiting = true;
	MHD_suspend_connection(visitor->connection);
	if (http->asked)
		return;
	http->asked = true;
	http->asked_ms = clock_ms(CLOCK_MONOTONIC);
	/* What does not go through is not answered, and so becomes a failure. */
	(void)send(http->link, &question, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_known(const char *path)
{
	return !strcmp(path, "/metrics") || !strcmp(path, "/healthz") ||
	       !strcmp(path, "/readyz");
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Called with the head of a request, then for each part of a body, then at its end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **seen)
{
	struct visitor *visitor = visitor_of(connection);
	struct metrics_http *http = ctx;

	(void)version;
	(void)upload;
	if (!visitor)
		return MHD_NO;
	if (!*seen) {
		*seen = visitor;
		if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
			return say_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			                "GET or HEAD\n");
		if (!is_known(path))
			return say_line(connection, MHD_HTTP_NOT_FOUND,
			                "/metrics, /healthz or /readyz\n");
		return MHD_YES;
	}
	if (*upload_size > 0)
		return MHD_NO;
	if (visitor->outcome != NOT_ASKED)
		return reply(http, connection, visitor, path);
	wait_for_answer(http, visitor);
	return MHD_YES;
}

static struct visitor *find_place(struct metrics_http *http)
{
	for (size_t i = 0; i < PLACES; i++)
		if (!http->visitor[i].connection)
			return &http->visitor[i];
	return NULL;
}

/* Neighbours in one network of IPv6 are one, who may have as many addresses as he likes. */
static uint64_t comes_from(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	uint64_t from = 0;

	if (!info || !info->client_addr)
		return 0;
	if (info->client_addr->sa_family == AF_INET) {
		from = ((const struct sockaddr_in *)(const void *)info->client_addr)
		               ->sin_addr.s_addr;
	} else if (info->client_addr->sa_family == AF_INET6) {
		const struct in6_addr *in =
			&((const struct sockaddr_in6 *)(const void *)info->client_addr)
				 ->sin6_addr;

		memcpy(&from, &in->s6_addr[IN6_IS_ADDR_V4MAPPED(in) ? 8 : 0],
		       sizeof(from));
	}
	return from;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **visitor,
                          enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct visitor *place = *visitor;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (place)
			place->connection = NULL;
		return;
	}
	place = find_place(ctx);
	*visitor = place;
	if (place && info)
		*place = (struct visitor){ .connection = connection,
			                   .fd = info->connect_fd,
			                   .from = comes_from(connection),
			                   .since_ms = clock_ms(CLOCK_MONOTONIC) };
}

static void resume(struct visitor *visitor, enum outcome outcome)
{
	visitor->outcome = outcome;
	if (!visitor->waiting)
		return;
	visitor->waiting = false;
	MHD_resume_connection(visitor->connection);
}

static void resume_all(struct metrics_http *http, enum outcome outcome)
{
	http->asked = false;
	for (size_t i = 0; i < PLACES; i++)
		if (http->visitor[i].connection && http->visitor[i].waiting)
			resume(&http->visitor[i], outcome);
}

/* Shows its visitor the door; the library finds the connection ended. */
static void dismiss(struct visitor *visitor)
{
	(void)shutdown(visitor->fd, SHUT_RDWR);
	if (visitor->waiting)
		resume(visitor, FAILED);
}

static size_t places_of(const struct metrics_http *http, uint64_t from)
{
	size_t n = 0;

	for (size_t i = 0; i < PLACES; i++)
		n += http->visitor[i].from == from;
	return n;
}

/*
 * All places are taken: of those that have not asked yet the oldest goes, of whom most came. Who
 * waits for his answer gets it; where all do there is no place.
 */
static void make_place(struct metrics_http *http)
{
	struct visitor *goes = NULL;
	size_t most = 0;

	for (size_t i = 0; i < PLACES; i++) {
		struct visitor *visitor = &http->visitor[i];
		const size_t n = visitor->waiting ? 0 : places_of(http, visitor->from);

		if (n > most ||
		    (n > 0 && n == most && visitor->since_ms < goes->since_ms)) {
			goes = visitor;
			most = n;
		}
	}
	if (!goes)
		return;
	dismiss(goes);
	(void)MHD_run(http->daemon);
}

static void admit(struct metrics_http *http)
{
	for (int i = 0; i < ADMITTED_PER_TURN; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t size = sizeof(address);
		int fd = accept4(http->listener, (struct sockaddr *)&address, &size,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (!find_place(http))
			make_place(http);
		if (!find_place(http)) {
			(void)close(fd);
			continue;
		}
		/* From here it is the library's, also when it does not want it. */
		(void)MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address,
		                         size);
		(void)MHD_run(http->daemon);
	}
}

/* Return: whether the supervisor lives. */
static bool take_answer(struct metrics_http *http)
{
	struct metrics_answer answer;
	const ssize_t n = recv(http->link, &answer, sizeof(answer), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (n != sizeof(answer) || answer.size != sizeof(answer)) {
		resume_all(http, FAILED);
		return true;
	}
	http->answer = answer;
	resume_all(http, ANSWERED);
	return true;
}

static void expire(struct metrics_http *http)
{
	const int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (http->asked && now - http->asked_ms > ANSWER_MS)
		resume_all(http, FAILED);
	for (size_t i = 0; i < PLACES; i++)
		if (http->visitor[i].connection &&
		    now - http->visitor[i].since_ms > VISIT_MS)
			dismiss(&http->visitor[i]);
}

static int patience(const struct metrics_http *http)
{
	MHD_UNSIGNED_LONG_LONG wanted = LOOK_MS;

	for (size_t i = 0; i < PLACES; i++)
		if (http->visitor[i].connection) {
			(void)MHD_get_timeout(http->daemon, &wanted);
			return wanted < LOOK_MS ? (int)wanted : LOOK_MS;
		}
	return -1;
}

struct metrics_http *metrics_http_start(int listener, int link, struct err *err)
{
	struct metrics_http *http = calloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info;

	if (!http) {
		(void)err_set(err, ENOMEM, "start a server of HTTP");
		return NULL;
	}
	http->listener = listener;
	http->link = link;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
		NULL, NULL, on_request, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
		http, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)PLACES,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MAX, MHD_OPTION_END);
	info = http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)
	                    : NULL;
	if (!info) {
		(void)err_set(err, EIO, "start a server of HTTP");
		free(http);
		return NULL;
	}
	http->epoll = info->epoll_fd;
	return http;
}

void metrics_http_serve(struct metrics_http *http)
{
	for (;;) {
		struct pollfd source[] = {
			{ .fd = http->link, .events = POLLIN },
			{ .fd = http->epoll, .events = POLLIN },
			{ .fd = http->listener, .events = POLLIN },
		};

		if (poll(source, 3, patience(http)) < 0 && errno != EINTR)
			return;
		if (source[0].revents && !take_answer(http))
			return;
		if (source[2].revents)
			admit(http);
		expire(http);
		(void)MHD_run(http->daemon);
	}
}
