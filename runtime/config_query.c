#include <string.h>

#include "config.h"
#include "ns.h"

/* What is asked of a config that is complete. */

const struct limit *config_limit(const struct config *config, enum knob knob)
{
	for (size_t i = config->limit_n; i > 0; i--)
		if (config->limit[i - 1].knob == knob)
			return &config->limit[i - 1];
	return NULL;
}

bool config_stops_idle(const struct config *config)
{
	return config->idle_stop_s != LIMIT_UNSET && config->idle_stop_s > 0;
}

bool config_best_effort(const struct config *config, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = config->best_effort; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, name, len) && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

unsigned int config_namespaces(const struct config *config)
{
	const unsigned int all = NS_BIT(NS_MAX) - 1;

	return config->net == NET_HOST ? all & ~NS_BIT(NS_NET) : all;
}
