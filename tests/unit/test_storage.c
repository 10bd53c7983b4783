#include "storage.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "hold.h"
#include "tests/unit/unit.h"

static void test_targets(void **state)
{
	static const struct {
		const char *target;
		bool layers;
	} rows[] = {
		{ "/var/lib/docker", true },
		{ "/var/lib/docker/overlay2", true },
		{ "/var/lib/containerd", true },
		{ "/var/lib/containers/storage", true },
		{ "/var/lib", true },
		{ "/var", true },
		{ "/var/lib/docker-x", false },
		{ "/var/lib/dock", false },
		{ "/var/libs", false },
		{ "/home", false },
		{ "/srv/var/lib/docker", false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		print_message("  %s\n", rows[i].target);
		assert_int_equal(storage_has_layers(rows[i].target), rows[i].layers);
	}
}

static void test_look(void **state)
{
	struct storage_fact fact, missing;

	(void)state;
	assert_true(storage_look("/tmp", &fact));
	assert_true(storage_look("/tmp/berth-no-such/below/it", &missing));
	assert_string_equal(fact.fstype, missing.fstype);
	assert_int_equal(fact.noexec, missing.noexec);
	assert_true(storage_look("/proc", &fact));
	/* A file system that counts nothing is not full. */
	assert_true(fact.bytes == UINT64_MAX && fact.inodes == UINT64_MAX);
	assert_false(storage_refuses_layers(&fact));
	fact.fstype = "nfs";
	assert_true(storage_refuses_layers(&fact));
}

static void test_locks(void **state)
{
	static const struct {
		const char *line;
		int64_t pid;
	} rows[] = {
		{ "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF\n2: ...", 4711 },
		{ "77: FLOCK  ADVISORY  READ 1 08:01:1234 0 EOF", 1 },
		/* Of another PID namespace. */
		{ "1: FLOCK  ADVISORY  WRITE 0 08:01:1234 0 EOF", 0 },
		/* Another file, another file system, another kind; who waits; and none. */
		{ "1: FLOCK  ADVISORY  WRITE 4711 08:01:1235 0 EOF", -1 },
		{ "1: FLOCK  ADVISORY  WRITE 4711 08:02:1234 0 EOF", -1 },
		{ "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF", -1 },
		{ "1: -> FLOCK  ADVISORY  WRITE 4712 08:01:1234 0 EOF", -1 },
		{ "1: FLOCK  ADVISORY  WRITE", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(hold_read_lock(rows[i].line, makedev(8, 1), 1234),
		                 rows[i].pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
