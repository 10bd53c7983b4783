#include <errno.h>
#include <string.h>

#include "plan.h"

/*
 * /etc/hosts. "The host" of a workspace is its pod: host.docker.internal, and host-gateway of
 * --add-host, are the address by which the pod reaches others, and at which its services are
 * reached that do not listen at loopback alone.
 */

static const struct ip loopback = { AF_INET, 32, { 127, 0, 0, 1 } };

/* NULL where there is none. */
static const struct ip *host_address(const struct plan *plan, const struct facts *facts)
{
	if (plan->net == NET_HOST)
		return &loopback;
	if (!plan_has_gateway(plan))
		return NULL;
	for (int i = 0; i < IP_FAMILIES; i++)
		if (facts->net->own[i].family)
			return &facts->net->own[i];
	return NULL;
}

int plan_check_hosts(const struct plan *plan, const struct config *config,
                     const struct facts *facts, struct err *err)
{
	for (size_t i = 0; i < config->host_n; i++) {
		const struct extra_host *host = &config->host[i];

		if (host->address.family || host_address(plan, facts))
			continue;
		(void)err_set(err, EADDRNOTAVAIL, "--add-host '%s:" HOST_GATEWAY "': %s",
		              host->name,
		              plan->net == NET_NONE
		                      ? "without a network there is no way to the pod"
		                      : "the pod has no address with a way to others");
		(void)err_hint(err, "%s",
		               plan->net == NET_NONE ? "use --net relay"
		                                     : "give an address instead");
		return err_step(err, "hosts");
	}
	if (config->host_n == 0 || !strcmp(config->rootfs, "host") || config->overlay ||
	    facts->root.has_hosts)
		return 0;
	(void)err_set(err, ENOENT, "--add-host '%s': '%s' has no /etc/hosts to cover",
	              config->host[0].name, config->rootfs);
	(void)err_hint(err, "make an empty one there, or leave the directory as it is "
	                    "with --rootfs DIR:O");
	return err_step(err, "hosts");
}

static const char *one(struct arena *arena, const char *text, const struct ip *address,
                       const char *name)
{
	char buffer[IP_TEXT_MAX];

	return arena_printf(arena, "%s%s %s\n", text, ip_text(address, false, buffer),
	                    name);
}

/* Its first lines: those of the pod whose network it is, or our own. */
static const char *first_lines(struct plan *plan, const struct config *config,
                               const struct facts *facts)
{
	struct arena *arena = &plan->arena;
	const char *text =
		"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
	char address[IP_TEXT_MAX];

	if (plan->net == NET_HOST && facts->hosts) {
		const size_t len = strlen(facts->hosts);

		return arena_printf(arena, "%s%s", facts->hosts,
		                    len > 0 && facts->hosts[len - 1] != '\n' ? "\n" : "");
	}
	return arena_printf(
		arena, "%s%s %s\n", text,
		plan_has_gateway(plan)
			? ip_text(&plan->gateway.workspace[IP_V4], false, address)
			: "127.0.1.1",
		config->hostname);
}

const char *plan_hosts_text(struct plan *plan, const struct config *config,
                            const struct facts *facts)
{
	static const char *const usual = "host.docker.internal";
	const struct ip *pod = host_address(plan, facts);
	struct arena *arena = &plan->arena;
	const char *text = first_lines(plan, config, facts);
	bool said = false;

	for (size_t i = 0; i < config->host_n; i++) {
		const struct extra_host *host = &config->host[i];

		said |= !strcmp(host->name, usual);
		text = one(arena, text, host->address.family ? &host->address : pod,
		           host->name);
	}
	return pod && !said && plan_has_gateway(plan) ? one(arena, text, pod, usual)
	                                              : text;
}
