#include "cgroups/knobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

/* The scheduler's usual period, cpu.max (cgroup-v2.rst), microseconds. */
#define CPU_PERIOD_US 100000

/* The kernel's largest NR_CPUS (arch/x86/Kconfig). */
#define CPUS_MAX 8192

/* A limit of memory is rounded down to pages, of 64 KiB at most. */
#define PAGE_MAX_BYTES 65536

#define KIB UINT64_C(1024)
#define PIB (UINT64_C(1) << 50)

/* clang-format off */
const struct knob_info knob_info[KNOB_N] = {
	[KNOB_CPUS] = {
		"cpus", "N.N", "CPU time, in CPUs: 1.5 is one and a half",
		"cpu", "cpu.max", KNOB_CPU_TIME, 1, 8192, "CPUs", false, NULL,
		"cpu", "cpu.cfs_quota_us" },
	[KNOB_CPU_WEIGHT] = {
		"cpu-weight", "N", "share of CPU time beside other groups, 1 to 10000 (100)",
		"cpu", "cpu.weight", KNOB_COUNT, 1, 10000, "", false, NULL,
		"cpu", "cpu.shares" },
	[KNOB_CPUSET] = {
		"cpuset", "LIST", "CPUs to run on: 0-3,7",
		"cpuset", "cpuset.cpus", KNOB_CPU_LIST, 0, CPUS_MAX - 1, "", false, NULL,
		"cpuset", "cpuset.cpus" },
	[KNOB_MEMORY] = {
		"memory", "SIZE", "memory, the page cache included; above it processes are killed",
		"memory", "memory.max", KNOB_SIZE, 1024 * KIB, PIB, "bytes", false, NULL,
		"memory", "memory.limit_in_bytes" },
	[KNOB_MEMORY_HIGH] = {
		"memory-high", "SIZE", "memory above which processes are slowed down",
		"memory", "memory.high", KNOB_SIZE, 1024 * KIB, PIB, "bytes", false, NULL,
		"memory", NULL },
	[KNOB_SWAP] = {
		"swap", "SIZE", "swap space alone, memory not counted",
		"memory", "memory.swap.max", KNOB_SIZE, 0, PIB, "bytes", false, NULL,
		"memory", "memory.memsw.limit_in_bytes" },
	[KNOB_PIDS] = {
		"pids", "N", "processes and threads, all of the workspace together",
		"pids", "pids.max", KNOB_COUNT, 1, 4194304, "", false, NULL,
		"pids", "pids.max" },
	[KNOB_IO] = {
		"io", "DEV:KEY=N", "rate of a block device: rbps, wbps (bytes/s), riops, wiops",
		"io", "io.max", KNOB_DEVICE_RATE, 1, PIB, "bytes/s", true, NULL,
		"blkio", "blkio.throttle.%s_device" },
	[KNOB_HUGETLB] = {
		"hugetlb", "PAGE:SIZE", "memory in huge pages of that size: 2m:64m",
		"hugetlb", "hugetlb.%s.max", KNOB_PAGE_SIZE, 0, PIB, "bytes", true, NULL,
		"hugetlb", "hugetlb.%s.limit_in_bytes" },
	[KNOB_MAX_DESCENDANTS] = {
		"max-descendants", "N", "cgroups inside (4096)",
		NULL, "cgroup.max.descendants", KNOB_COUNT, 1, 1000000, "", false, "4096",
		NULL, NULL },
	[KNOB_MAX_DEPTH] = {
		"max-depth", "N", "levels of cgroups inside (32)",
		NULL, "cgroup.max.depth", KNOB_COUNT, 1, 1000, "", false, "32",
		NULL, NULL },
};
/* clang-format on */

/* "1.5" as microseconds of a period; five digits are all that the kernel can tell. */
static int parse_cpus(const struct knob_info *knob, const char *text, struct arena *arena,
                      struct limit *ret, struct err *err)
{
	const char *dot = strchr(text, '.');
	size_t whole_len = dot ? (size_t)(dot - text) : strlen(text);
	size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;
	struct err ignored = { 0 };
	uint64_t whole = 0, part = 0;

	if ((dot && (digits == 0 || digits > 5 || dot[1 + digits])) || whole_len == 0 ||
	    number_parse(arena_printf(arena, "%.*s", (int)whole_len, text), 0, knob->max,
	                 &whole, &ignored) == -EINVAL)
		return err_set(err, EINVAL,
		               "'%s' is not a number of CPUs, such as 2 or 1.5", text);
	for (size_t i = 0; i < 5; i++)
		part = part * 10 + (i < digits ? (uint64_t)(dot[1 + i] - '0') : 0);
	part += whole * CPU_PERIOD_US;
	/* A quota below one millisecond is refused (kernel/sched/core.c). */
	if (ignored.code || part < CPU_PERIOD_US / 100 ||
	    part > knob->max * CPU_PERIOD_US)
		return err_set(err, ERANGE, "'%s' is not in 0.01..%" PRIu64 " CPUs", text,
		               knob->max);
	ret->value = arena_printf(arena, "%" PRIu64 " %d", part, CPU_PERIOD_US);
	return 0;
}

/* Bit i of @set: CPU i. Return: false for what is no list. */
static bool read_list(const char *text, uint64_t set[CPUS_MAX / 64])
{
	const char *p = text;

	memset(set, 0, CPUS_MAX / 8);
	for (;;) {
		unsigned long first, last;
		char *end;

		if (*p < '0' || *p > '9')
			return false;
		first = last = strtoul(p, &end, 10);
		if (*end == '-') {
			p = end + 1;
			if (*p < '0' || *p > '9')
				return false;
			last = strtoul(p, &end, 10);
		}
		if (first > last || last >= CPUS_MAX)
			return false;
		for (; first <= last; first++)
			set[first / 64] |= UINT64_C(1) << first % 64;
		if (*end == '\0' || (*end == '\n' && end[1] == '\0'))
			return true;
		if (*end != ',')
			return false;
		p = end + 1;
	}
}

bool knob_cpus_within(const char *inner, const char *outer)
{
	uint64_t in[CPUS_MAX / 64], out[CPUS_MAX / 64];

	if (!read_list(inner, in) || !read_list(outer, out))
		return false;
	for (size_t i = 0; i < CPUS_MAX / 64; i++)
		if (in[i] & ~out[i])
			return false;
	return true;
}

static int parse_list(const char *text, struct limit *ret, struct err *err)
{
	uint64_t set[CPUS_MAX / 64];

	if (strchr(text, '\n') || !read_list(text, set))
		return err_set(err, EINVAL,
		               "'%s' is not a list of CPUs in 0..%d, such as 0-3,7", text,
		               CPUS_MAX - 1);
	ret->value = text;
	return 0;
}

static bool is_device_number(const char *text)
{
	size_t major = strspn(text, "0123456789");
	size_t minor = text[major] == ':' ? strspn(text + major + 1, "0123456789") : 0;

	return major > 0 && major < 10 && minor > 0 && minor < 10 &&
	       text[major + 1 + minor] == '\0';
}

static int parse_rate(const char *word, char *key, uint64_t *ret, struct err *err)
{
	static const char *const keys[] = { "rbps", "wbps", "riops", "wiops" };
	const char *equals = strchr(word, '=');

	for (size_t i = 0; equals && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i]) != (size_t)(equals - word) ||
		    strncmp(word, keys[i], (size_t)(equals - word)) != 0)
			continue;
		memcpy(key, keys[i], strlen(keys[i]) + 1);
		/* riops and wiops are 32 bits wide (block/blk-throttle.c). */
		return keys[i][1] == 'b'
		               ? size_parse(equals + 1, 1, PIB, ret, err)
		               : number_parse(equals + 1, 1, UINT32_MAX - 1, ret, err);
	}
	return err_set(err, EINVAL, "'%s' is not rbps=, wbps=, riops= or wiops=", word);
}

/* "DEV:rbps=1m,wiops=100" as "rbps=1048576 wiops=100". */
static int parse_io(const char *text, struct arena *arena, struct limit *ret,
                    struct err *err)
{
	const char *equals = strchr(text, '='), *colon = equals, *value = "";
	const char *word;

	while (colon && colon > text && *colon != ':')
		colon--;
	if (!colon || colon == text)
		return err_set(err, EINVAL, "'%s' is not DEV:KEY=N, such as 8:0:wbps=10m",
		               text);
	ret->device = arena_printf(arena, "%.*s", (int)(colon - text), text);
	if (ret->device[0] != '/' && !is_device_number(ret->device))
		return err_set(err, EINVAL,
		               "'%s': the device '%s' is neither MAJOR:MINOR nor an "
		               "absolute path",
		               text, ret->device);
	for (word = colon + 1;; word++) {
		size_t len = strcspn(word, ",");
		uint64_t number = 0;
		char key[8];
		int r = parse_rate(arena_printf(arena, "%.*s", (int)len, word), key,
		                   &number, err);

		if (r < 0)
			return r;
		value = arena_printf(arena, "%s%s%s=%" PRIu64, value, *value ? " " : "",
		                     key, number);
		word += len;
		if (*word == '\0')
			break;
	}
	ret->value = value;
	return 0;
}

/* "2m:64m"; the files are named as mm/hugetlb_cgroup.c, mem_fmt() does. */
static int parse_pages(const struct knob_info *knob, const char *text,
                       struct arena *arena, struct limit *ret, struct err *err)
{
	const char *colon = strchr(text, ':'), *name;
	uint64_t page = 0;
	int r;

	if (!colon)
		return err_set(err, EINVAL, "'%s' is not PAGE:SIZE, such as 2m:64m",
		               text);
	r = size_parse(arena_printf(arena, "%.*s", (int)(colon - text), text), 16 * KIB,
	               knob->max, &page, err);
	if (r == 0)
		r = size_parse(colon + 1, knob->min, knob->max, &ret->number, err);
	if (r < 0)
		return r;
	if (page & (page - 1))
		return err_set(err, EINVAL, "'%s': no page has %" PRIu64 " bytes", text,
		               page);
	name = page >> 30   ? arena_printf(arena, "%" PRIu64 "GB", page >> 30)
	       : page >> 20 ? arena_printf(arena, "%" PRIu64 "MB", page >> 20)
	                    : arena_printf(arena, "%" PRIu64 "KB", page >> 10);
	ret->file = arena_printf(arena, "hugetlb.%s.max", name);
	if (ret->number % page)
		return err_set(err, EINVAL, "'%s' is no multiple of the page's size",
		               text);
	ret->value = arena_printf(arena, "%" PRIu64, ret->number);
	return 0;
}

int knob_parse(enum knob knob, const char *text, struct arena *arena, struct limit *ret,
               struct err *err)
{
	const struct knob_info *info = &knob_info[knob];
	struct limit limit = { .knob = knob, .text = text, .file = info->file };
	int r = 0;

	switch (info->kind) {
	case KNOB_COUNT:
		r = number_parse(text, info->min, info->max, &limit.number, err);
		break;
	case KNOB_SIZE:
		r = size_parse(text, info->min, info->max, &limit.number, err);
		break;
	case KNOB_CPU_TIME:
		r = parse_cpus(info, text, arena, &limit, err);
		break;
	case KNOB_CPU_LIST:
		r = parse_list(text, &limit, err);
		break;
	case KNOB_DEVICE_RATE:
		r = parse_io(text, arena, &limit, err);
		break;
	case KNOB_PAGE_SIZE:
		r = parse_pages(info, text, arena, &limit, err);
		break;
	}
	if (r < 0)
		return r;
	if (!limit.value)
		limit.value = arena_printf(arena, "%" PRIu64, limit.number);
	if (arena->failed)
		return err_set(err, ENOMEM, "read '%s'", text);
	*ret = limit;
	return 0;
}

enum knob knob_find(const char *name, size_t len)
{
	enum knob knob = 0;

	while (knob < KNOB_N && (strncmp(knob_info[knob].name, name, len) != 0 ||
	                         knob_info[knob].name[len] != '\0'))
		knob++;
	return knob;
}

static bool same_size(const char *wanted, const char *shown)
{
	uint64_t a = strtoull(wanted, NULL, 10), b = strtoull(shown, NULL, 10);

	return shown[0] >= '0' && shown[0] <= '9' && b <= a && a - b < PAGE_MAX_BYTES;
}

/* @wanted is "8:0 wbps=1048576"; a line of @shown has all four keys. */
static bool same_rates(const char *wanted, const char *shown)
{
	size_t device = strcspn(wanted, " ");
	const char *line = shown;

	while (strncmp(line, wanted, device + 1) != 0) {
		line = strchr(line, '\n');
		if (!line++)
			return false;
	}
	for (const char *word = wanted + device; *word;) {
		size_t len = 1 + strcspn(word + 1, " ");
		const char *at = line + device;

		while (*at && *at != '\n' &&
		       (strncmp(at, word, len) != 0 || !strchr(" \n", at[len])))
			at++;
		if (*at != ' ')
			return false;
		word += len;
	}
	return true;
}

bool knob_holds(enum knob knob, const char *wanted, const char *shown)
{
	uint64_t a[CPUS_MAX / 64], b[CPUS_MAX / 64];
	size_t len = strlen(wanted);

	switch (knob_info[knob].kind) {
	case KNOB_SIZE:
	case KNOB_PAGE_SIZE:
		return same_size(wanted, shown);
	case KNOB_CPU_LIST:
		return read_list(wanted, a) && read_list(shown, b) &&
		       !memcmp(a, b, sizeof(a));
	case KNOB_DEVICE_RATE:
		return same_rates(wanted, shown);
	case KNOB_COUNT:
	case KNOB_CPU_TIME:
		break;
	}
	return !strncmp(shown, wanted, len) && (shown[len] == '\n' || shown[len] == '\0');
}
