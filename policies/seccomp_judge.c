#include <linux/seccomp.h>

#include "policies/seccomp_choice.h"

/* The name of a number, NULL where it has none here. */
static const char *name_of(uint32_t arch, uint32_t nr)
{
	for (size_t i = 0; i < seccomp_abis_n; i++) {
		const struct seccomp_abi *abi = &seccomp_abis[i];
		size_t low = 0, high = abi->n;

		if (abi->arch != arch)
			continue;
		while (low < high) {
			const size_t middle = low + (high - low) / 2;

			if (abi->call[middle].nr == nr)
				return abi->call[middle].name;
			if (abi->call[middle].nr < nr)
				low = middle + 1;
			else
				high = middle;
		}
	}
	return NULL;
}

bool seccomp_judge(const struct seccomp_set *set, const struct seccomp_data *data,
                   const char **ret_call, struct seccomp_verdict *ret)
{
	const char *call = name_of(data->arch, (uint32_t)data->nr);
	struct seccomp_verdict verdict = { 0 };

	for (size_t i = 0; call && i < set->n; i++) {
		const struct seccomp_rule *rule = &set->rules[i];

		if (!seccomp_rule_has(rule, call))
			continue;
		if (rule->mask) {
			/* Low words, as the filter does. */
			verdict.has_value = true;
			verdict.value = (uint32_t)data->args[rule->arg];
			if ((verdict.value & rule->mask) != rule->value)
				continue;
		}
		verdict.rule = rule;
		verdict.never = seccomp_never_allowed(call);
		*ret_call = call;
		*ret = verdict;
		return true;
	}
	return false;
}
