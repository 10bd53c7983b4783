#include <string.h>

#include "netns/resolver.h"
#include "plan.h"

/* The files by which the workspace finds names: hosts, and whom to ask. */

static void file(struct plan *plan, const char *path, const char *content,
                 const char *why)
{
	struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_FILE, why);

	s->target = path;
	s->number = 0644;
	s->value = content;
}

/* The image's file is covered, and stays as it is. */
static void cover(struct plan *plan, const char *name, const char *content,
                  const char *why)
{
	struct arena *arena = &plan->arena;
	struct step *s;

	file(plan, arena_printf(arena, "/dev/.berth/%s", name), content, why);
	s = plan_add(plan, ACTOR_WARDEN, STEP_BIND, "the image's file stays as it is");
	s->source = arena_printf(arena, "/dev/.berth/%s", name);
	s->target = arena_printf(arena, "/etc/%s", name);
	s->via = "inside";
}

/*
 * Whom the workspace asks: the gateway; with pasta its end of the tap, of a family that the pod
 * has a name server of.
 */
static const struct ip *name_server(const struct plan *plan)
{
	const struct relay_config *relay = &plan->relay;
	const struct ip *far = plan->pasta.far;

	if (plan->net == NET_RELAY)
		return &plan->gateway.gateway[IP_V4];
	for (unsigned int i = 0; i < relay->nameservers; i++)
		if (endpoint_is_v4(&relay->nameserver[i]))
			return &far[IP_V4];
	return relay->nameservers > 0 && far[IP_V6].family ? &far[IP_V6] : &far[IP_V4];
}

/* In a root that changes nothing for others it may be made where it is missing. */
static void plan_hosts(struct plan *plan, const struct config *config,
                       const struct facts *facts)
{
	static const char why[] = "localhost, own name, and those of --add-host";

	if (!strcmp(config->rootfs, "host") ||
	    (!plan_has_gateway(plan) && config->host_n == 0))
		return;
	if (facts->root.has_hosts)
		cover(plan, "hosts", plan_hosts_text(plan, config, facts), why);
	else if (config->overlay)
		file(plan, "/etc/hosts", plan_hosts_text(plan, config, facts), why);
}

void plan_names(struct plan *plan, const struct config *config, const struct facts *facts)
{
	static const char why[] =
		"the gateway passes questions on to the pod's name servers";
	const bool host = !strcmp(config->rootfs, "host");
	struct arena *arena = &plan->arena;
	const char *resolv;

	plan_hosts(plan, config, facts);
	if (!plan_has_gateway(plan))
		return;
	resolv = resolver_text(arena, facts->net->resolv_conf, name_server(plan));
	if (host) {
		file(plan, "/etc/resolv.conf", resolv, why);
		return;
	}
	if (!facts->root.resolv_conf_link) {
		cover(plan, "resolv.conf", resolv, why);
		return;
	}
	/* A link is to what systemd-resolved writes; it asks what a drop-in says. */
	if (plan->init == INIT_SYSTEMD)
		file(plan, "/run/systemd/resolved.conf.d/berth.conf",
		     resolver_resolved_text(arena, facts->net->resolv_conf,
		                            name_server(plan)),
		     "systemd-resolved asks the gateway");
	else
		file(plan, facts->root.resolv_conf_link, resolv, why);
}
