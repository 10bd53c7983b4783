#include "metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_address.h"
#include "tests/unit/unit.h"

static char *print(const struct metrics *metrics, size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	metrics_print(out, metrics, n);
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct metrics nothing(const char *name)
{
	struct metrics m = { .watchers_max = { UINT64_MAX, UINT64_MAX, UINT64_MAX,
		                               UINT64_MAX } };

	(void)snprintf(m.workspace, sizeof(m.workspace), "%s", name);
	return m;
}

static void has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no '%s' in:\n%s", line, text);
}

/* Lines that are no comments. */
static size_t samples(const char *text)
{
	size_t n = 0;

	for (; *text; text = strchr(text, '\n') + 1)
		n += *text != '#';
	return n;
}

static void test_nothing(void **state)
{
	const struct metrics m = nothing("a");
	char *text = print(&m, 1), *none = print(NULL, 0);

	(void)state;
	/* What it is, ready, since when, and what counts without a group: three kinds of hits. */
	assert_int_equal(samples(text), 6);
	has(text, "berth_ready{workspace=\"a\"} 0\n");
	has(text, "# HELP berth_io_read_bytes_total Bytes read from a device.\n"
	          "# TYPE berth_io_read_bytes_total counter\n");
	/* Every name is there without a workspace. */
	assert_int_equal(samples(none), 0);
	has(none, "# TYPE berth_egress_limited_total counter\n");
	free(text);
	free(none);
}

static void test_all(void **state)
{
	struct metrics m[2] = { nothing("a"), nothing("b-1.x") };
	char *text;

	(void)state;
	(void)strcpy(m[0].tier, "A");
	(void)strcpy(m[0].init, "berth");
	(void)strcpy(m[0].net, "relay");
	m[0].ready = m[0].has_group = m[0].has_watchers = m[0].has_network = true;
	m[0].started_ms = 1700000000123;
	m[0].group = (struct cgroup_usage){ .has_cpu = true,
		                            .has_quota = true,
		                            .has_memory = true,
		                            .has_swap = true,
		                            .has_pids = true,
		                            .has_io = true,
		                            .user_us = 1500000,
		                            .system_us = 7,
		                            .throttled_us = 60000001,
		                            .cpu_milli = 1500,
		                            .memory = UINT64_C(1) << 60,
		                            .memory_max = UINT64_MAX,
		                            .swap_max = 0,
		                            .pids = 3,
		                            .pids_max = 64,
		                            .io = { { 8, 16, 1, 2, 3, 4 } },
		                            .io_n = 1 };
	m[0].watchers[WATCHER_WATCHES] = 430;
	m[0].watchers_max[WATCHER_WATCHES] = 500;
	m[0].network.way[UPLOAD].bytes = 99;
	m[0].network.rate[DOWNLOAD] = 12500000;
	m[0].network.denied = 5;
	m[0].network.permitted = 6;
	text = print(m, 2);
	has(text, "berth_workspace_info{workspace=\"a\",version=\"" PACKAGE_VERSION
	          "\",tier=\"A\",init=\"berth\",net=\"relay\"} 1\n");
	has(text, "berth_start_time_seconds{workspace=\"a\"} 1700000000.123\n");
	has(text, "berth_cpu_seconds_total{workspace=\"a\",mode=\"user\"} 1.500000\n"
	          "berth_cpu_seconds_total{workspace=\"a\",mode=\"system\"} 0.000007\n"
	          "# HELP");
	has(text, "berth_cpu_limit_cores{workspace=\"a\"} 1.500\n");
	has(text, "berth_cpu_throttled_seconds_total{workspace=\"a\"} 60.000001\n");
	has(text, "berth_memory_bytes{workspace=\"a\"} 1152921504606846976\n");
	assert_null(strstr(text, "berth_memory_limit_bytes{"));
	has(text, "berth_swap_limit_bytes{workspace=\"a\"} 0\n");
	has(text, "berth_io_writes_total{workspace=\"a\",device=\"8:16\"} 4\n");
	has(text, "berth_watchers{workspace=\"a\",kind=\"inotify_watches\"} 430\n");
	has(text, "berth_watchers_limit{workspace=\"a\",kind=\"inotify_watches\"} 500\n"
	          "# HELP");
	has(text, "berth_network_bytes_total{workspace=\"a\",direction=\"upload\"} 99\n");
	has(text, "berth_network_rate_limit_bytes_per_second{workspace=\"a\","
	          "direction=\"download\"} 12500000\n");
	has(text, "berth_egress_denied_total{workspace=\"a\"} 5\n");
	has(text, "berth_egress_permitted_total{workspace=\"a\"} 6\n");
	/* Of one name all lines stand together, whoever's they are. */
	has(text, "berth_ready{workspace=\"a\"} 1\nberth_ready{workspace=\"b-1.x\"} 0\n");
	free(text);
}

/* More devices than there is room for, as a broken peer would say. */
static void test_bound(void **state)
{
	struct metrics m = nothing("a");
	char *text;

	(void)state;
	m.group.has_io = true;
	m.group.io_n = UINT32_MAX;
	text = print(&m, 1);
	assert_int_equal(samples(text), 6 + 4 * CGROUP_IO_MAX);
	free(text);
}

static const struct address_case {
	const char *text;
	int r;
	const char *path;
	unsigned char family;
	uint16_t port;
} address_cases[] = {
	{ "127.0.0.1:9090", 0, NULL, AF_INET, 9090 },
	{ "[::1]:1", 0, NULL, AF_INET6, 1 },
	{ "[::]:65535", 0, NULL, AF_INET6, 65535 },
	{ ":9090", 0, NULL, 0, 9090 },
	{ "unix:/run/a.sock", 0, "/run/a.sock", 0, 0 },
	{ "unix:a:9090", 0, "a:9090", 0, 0 },
	{ "", -EINVAL, NULL, 0, 0 },
	{ "9090", -EINVAL, NULL, 0, 0 },
	{ ":", -EINVAL, NULL, 0, 0 },
	{ ":0", -EINVAL, NULL, 0, 0 },
	{ ":65536", -EINVAL, NULL, 0, 0 },
	{ ":9090x", -EINVAL, NULL, 0, 0 },
	{ ": 9090", -EINVAL, NULL, 0, 0 },
	{ "localhost:9090", -EINVAL, NULL, 0, 0 },
	{ "::1:9090", -EINVAL, NULL, 0, 0 },
	{ "[127.0.0.1]:9090", -EINVAL, NULL, 0, 0 },
	{ "127.0.0.0/8:9090", -EINVAL, NULL, 0, 0 },
	{ "[fe80::1%eth0]:9090", -EINVAL, NULL, 0, 0 },
	{ "[]:9090", -EINVAL, NULL, 0, 0 },
	{ "unix:", -EINVAL, NULL, 0, 0 },
	{ "unix:/run/", -EINVAL, NULL, 0, 0 },
};

static void test_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(address_cases); i++) {
		const struct address_case *c = &address_cases[i];
		struct metrics_address address = { .port = 7 };
		struct err err = { 0 };

		print_message("  '%s'\n", c->text);
		assert_int_equal(metrics_address_parse(c->text, &address, &err), c->r);
		if (c->r < 0) {
			assert_non_null(strstr(err.text, c->text));
			assert_string_not_equal(err.hint, "");
			assert_int_equal(address.port, 7);
			continue;
		}
		assert_int_equal(address.port, c->port);
		assert_int_equal(address.ip.family, c->family);
		assert_int_equal(address.path != NULL, c->path != NULL);
		if (c->path)
			assert_string_equal(address.path, c->path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
