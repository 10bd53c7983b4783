#include <inttypes.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>

#include "policies/seccomp_choice.h"

static const char *arch_name(uint32_t arch)
{
	static const struct {
		uint32_t arch;
		const char *name;
	} names[] = {
		{ AUDIT_ARCH_X86_64, "x86_64" },   { AUDIT_ARCH_I386, "x86" },
		{ AUDIT_ARCH_AARCH64, "aarch64" }, { AUDIT_ARCH_ARM, "arm" },
		{ AUDIT_ARCH_RISCV64, "riscv64" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].arch == arch)
			return names[i].name;
	return "unknown";
}

static void print_action(const char *indent, int answer, FILE *out)
{
	if (answer == SECCOMP_ALLOW)
		(void)fprintf(out, "%saction ALLOW;\n", indent);
	else
		(void)fprintf(out, "%saction ERRNO(%d);\n", indent, answer);
}

static bool counts(const struct seccomp_set *set, const struct seccomp_rule *rule,
                   const char *call)
{
	return seccomp_rule_has(rule, call) &&
	       !(rule->mask && set->waive && seccomp_rule_has(rule, set->waive));
}

/* The rules of one call, down to the one for whatever arguments. */
static void print_call(const struct seccomp_set *set, const struct seccomp_call *call,
                       FILE *out)
{
	(void)fprintf(out, "  # filter for syscall \"%s\" (%" PRIu32 ")\n", call->name,
	              call->nr);
	(void)fprintf(out, "  if ($syscall == %" PRIu32 ")\n", call->nr);
	for (size_t i = 0; i < set->n; i++) {
		const struct seccomp_rule *rule = &set->rules[i];

		if (!counts(set, rule, call->name))
			continue;
		if (!rule->mask) {
			print_action("    ", rule->answer, out);
			return;
		}
		(void)fprintf(out,
		              "    if ($a%u.lo32 & 0x%08" PRIx32 " == %" PRIu32 ")\n",
		              rule->arg, rule->mask, rule->value);
		print_action("      ", rule->answer, out);
	}
}

static bool is_named(const struct seccomp_set *set, const char *call)
{
	for (size_t i = 0; i < set->n; i++)
		if (counts(set, &set->rules[i], call))
			return true;
	return false;
}

bool seccomp_explain(const struct seccomp_set *set, const char *call, FILE *out)
{
	bool found = false;

	for (size_t i = 0; i < set->n; i++) {
		const struct seccomp_rule *rule = &set->rules[i];
		char where[80] = "";

		if (!counts(set, rule, call))
			continue;
		found = true;
		if (rule->mask)
			(void)snprintf(where, sizeof(where),
			               " where argument %u & %#" PRIx32 " is %#" PRIx32,
			               rule->arg + 1, rule->mask, rule->value);
		(void)fprintf(out, "system call %s%s: %s: %s\n", call, where,
		              rule->answer == SECCOMP_ALLOW ? "allowed"
		                                            : strerror(rule->answer),
		              rule->why);
		if (!rule->mask)
			break;
	}
	return found;
}

void seccomp_print(const struct seccomp_set *set, FILE *out)
{
	(void)fprintf(out, "#\n# pseudo filter code start\n#\n");
	for (size_t i = 0; i < (set->compat ? seccomp_abis_n : 1); i++) {
		const struct seccomp_abi *abi = &seccomp_abis[i];

		(void)fprintf(out, "# filter for arch %s (%" PRIu32 ")\n",
		              arch_name(abi->arch), abi->arch);
		(void)fprintf(out, "if ($arch == %" PRIu32 ")\n", abi->arch);
		for (size_t j = 0; j < abi->n; j++)
			if (is_named(set, abi->call[j].name))
				print_call(set, &abi->call[j], out);
		(void)fprintf(out, "  # default action\n  action ERRNO(38);\n");
	}
	(void)fprintf(out, "# invalid architecture action\naction ERRNO(38);\n"
	                   "#\n# pseudo filter code end\n#\n");
}
