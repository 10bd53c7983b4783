#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "policies/policy.h"
#include "run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What it says is read as the options that mean the same are. */
static void complete(const struct policy *policy)
{
	struct arena arena = { 0 };
	struct config config;
	struct err err = { 0 };
	int r = config_from_policy(policy, &arena, &config, &err);

	if (r != -err.code || (r < 0) != (err.text[0] != '\0'))
		__builtin_trap();
	for (size_t i = 0; r == 0 && i < config.hook_n; i++)
		if (config.hook[i].argv[0][0] != '/')
			__builtin_trap();
	arena_done(&arena);
}

/* The contract: 0 and settings that print, or a code and a text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int memory = -1;
	struct arena arena = { 0 };
	struct policy policy;
	struct err err = { 0 };
	char path[64];
	FILE *out;
	int r;

	if (memory < 0)
		memory = memfd_create("policy", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, 0) < 0 ||
	    pwrite(memory, data, size, 0) != (ssize_t)size)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	r = policy_load(path, &arena, &policy, &err);
	if (r != -err.code || (r < 0) != (err.text[0] != '\0'))
		__builtin_trap();
	out = r == 0 ? fopen("/dev/null", "w") : NULL;
	if (out) {
		if (policy_print(&policy, out, &err) < 0)
			__builtin_trap();
		(void)fclose(out);
		complete(&policy);
	}
	arena_done(&arena);
	return 0;
}
