#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/v1.h"

/* cpu.weight's 100 is cpu.shares' 1024; kernel/sched/sched.h has the range. */
#define SHARES_USUAL 1024
#define SHARES_MIN 2
#define WEIGHT_USUAL 100

static const char *shares(uint64_t weight, struct arena *arena)
{
	uint64_t number = weight * SHARES_USUAL / WEIGHT_USUAL;

	return arena_printf(arena, "%" PRIu64, number < SHARES_MIN ? SHARES_MIN : number);
}

/* "8:0 rbps=1048576 wiops=100": a file for each key. */
static size_t rates(const char *value, struct arena *arena,
                    struct knob_write ret[KNOB_V1_WRITES])
{
	static const char *const files[][2] = { { "rbps", "read_bps" },
		                                { "wbps", "write_bps" },
		                                { "riops", "read_iops" },
		                                { "wiops", "write_iops" } };
	const int device = (int)strcspn(value, " ");
	size_t n = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *last = NULL, *key;

		/* As the kernel takes io.max: a later one of the same key counts. */
		for (key = value + device; *key; key += 1 + strcspn(key + 1, " "))
			if (!strncmp(key + 1, files[i][0], strlen(files[i][0])))
				last = strchr(key, '=') + 1;
		if (!last)
			continue;
		ret[n++] = (struct knob_write){
			.file = arena_printf(arena, "blkio.throttle.%s_device",
			                     files[i][1]),
			.value = arena_printf(arena, "%.*s %.*s", device, value,
			                      (int)strcspn(last, " "), last),
			/* block/blk-throttle.c, throtl_pd_init(): the parent counts on
			 * the unified hierarchy only. */
			.flat = true,
		};
	}
	return n;
}

size_t knob_v1(const struct limit *limit, const struct limit *memory, struct arena *arena,
               struct knob_write ret[KNOB_V1_WRITES], const char **ret_why)
{
	const struct knob_info *info = &knob_info[limit->knob];

	ret[0] = (struct knob_write){ .file = info->file_v1, .value = limit->value };
	*ret_why = "cgroup v1 has nothing like it";
	if (!info->file_v1)
		return 0;
	if (info->kind == KNOB_DEVICE_RATE)
		return rates(limit->value, arena, ret);
	if (info->kind == KNOB_CPU_TIME) {
		/* Its period is the one that a new group has. */
		ret[0].value = arena_printf(
			arena, "%.*s", (int)strcspn(limit->value, " "), limit->value);
	} else if (info->kind == KNOB_PAGE_SIZE) {
		const char *page = strchr(limit->file, '.') + 1;

		ret[0].file = arena_printf(arena, "hugetlb.%.*s.limit_in_bytes",
		                           (int)strcspn(page, "."), page);
	} else if (limit->knob == KNOB_CPU_WEIGHT) {
		ret[0].value = shares(limit->number, arena);
	} else if (limit->knob == KNOB_SWAP) {
		*ret_why = "cgroup v1 limits swap together with memory only, and there "
			   "is no --memory";
		if (!memory)
			return 0;
		ret[0].value =
			arena_printf(arena, "%" PRIu64, memory->number + limit->number);
	}
	return 1;
}
