#include <stdint.h>
#include <stdio.h>

#include "policies/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The contract: 0 and findings that print, or a code, a text and nothing found. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct err err = { 0 };
	FILE *out = fopen("/dev/null", "w");
	int r = audit_manifest(&audit, "f", (const char *)data, size, &err);

	if (r != -err.code || (r < 0) != (err.text[0] != '\0') ||
	    (r < 0 && (audit.first || audit.tier)))
		__builtin_trap();
	if (r == 0 && out) {
		audit_print(&audit, out);
		if (audit_print_json(&audit, out, &err) < 0)
			__builtin_trap();
		/* It has all rules each time, which takes long. */
		if (size % 16 == 0 && audit_print_sarif(&audit, "0", out, &err) < 0)
			__builtin_trap();
	}
	if (out)
		(void)fclose(out);
	arena_done(&arena);
	return 0;
}
