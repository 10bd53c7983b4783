#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "netns/egress.h"
#include "netns/rate.h"
#include "netns/resolver.h"
#include "plan.h"

/* Bounds of the relay, far beyond what a workspace needs, and below what hurts a pod. */
#define RELAY_CONNECTIONS 8192
#define RELAY_HELD 1024
#define RELAY_FLOWS 1024 /* each has one of the pod's ports */
#define DNS_PORT 53

static struct endpoint name_server(const struct ip *ip)
{
	struct endpoint endpoint = { .port = DNS_PORT };
	unsigned char *byte = endpoint.address.s6_addr;

	if (ip->family == AF_INET) {
		byte[10] = byte[11] = 0xff;
		memcpy(byte + 12, ip->byte, 4);
	} else {
		memcpy(byte, ip->byte, 16);
	}
	return endpoint;
}

static void choose_relay(struct plan *plan, const struct net_facts *net)
{
	struct relay_config *relay = &plan->relay;
	struct ip server[RELAY_NAMESERVERS];

	memcpy(relay->ifname, GATEWAY_IFNAME, sizeof(GATEWAY_IFNAME));
	memcpy(relay->gateway, plan->gateway.gateway, sizeof(relay->gateway));
	memcpy(relay->workspace, plan->gateway.workspace, sizeof(relay->workspace));
	relay->mtu = plan->gateway.mtu;
	relay->nameservers = (unsigned int)resolver_servers(net->resolv_conf, server,
	                                                    RELAY_NAMESERVERS);
	for (unsigned int i = 0; i < relay->nameservers; i++)
		relay->nameserver[i] = name_server(&server[i]);
	relay->connections = RELAY_CONNECTIONS;
	relay->held = RELAY_HELD;
	relay->flows = RELAY_FLOWS;
	relay->report = -EBADF; /* which the launch makes */
}

static int check_rates(const struct config *config, const struct plan *plan,
                       struct err *err)
{
	if (plan->net == NET_RELAY || (!config->rate_down && !config->rate_up))
		return 0;
	(void)err_set(err, EINVAL, "%s '%s' with --net %s",
	              config->rate_down ? "--rate-down" : "--rate-up",
	              config->rate_down ? config->rate_down : config->rate_up,
	              net_mode_name[config->net]);
	(void)err_hint(err, "a rate is kept in the workspace's own gateway: use --net "
	                    "relay");
	return err_step(err, "net");
}

static int check_publish(const struct config *config, const struct plan *plan,
                         struct err *err)
{
	char text[PUBLISH_TEXT_MAX];

	if (plan->net == NET_RELAY || config->publish_n == 0)
		return 0;
	(void)err_set(err, EINVAL, "-p '%s' with --net %s",
	              publish_text(&config->publish[0], text),
	              net_mode_name[config->net]);
	(void)err_hint(
		err, "%s",
		plan->net == NET_HOST
			? "with --net host the workspace opens ports of the pod itself: "
			  "leave -p out, or use --net relay"
			: "a port leads through the workspace's own gateway: use --net "
			  "relay");
	return err_step(err, "net");
}

static bool has_egress(const struct config *config)
{
	return config->egress_n > 0 || config->egress_default ||
	       config->connections_per_minute != LIMIT_UNSET;
}

/* What is asked of a network that is not the workspace's own cannot be kept there. */
static int check_egress(const struct config *config, struct plan *plan, struct err *err)
{
	const char *what = config->egress_n > 0     ? "--egress"
	                   : config->egress_default ? "--egress-default"
	                                            : "--connections-per-minute";

	if (plan->net == NET_RELAY || !has_egress(config))
		return 0;
	if (plan->net == NET_NONE) {
		plan_note(plan, arena_printf(&plan->arena,
		                             "%s: without a network nothing goes out at "
		                             "all: see --net",
		                             what));
		return 0;
	}
	(void)err_set(err, EINVAL, "%s '%s' with --net %s", what,
	              config->egress_n > 0 ? config->egress[0]
	              : config->egress_default
	                      ? config->egress_default
	                      : arena_printf(&plan->arena, "%" PRIu64,
	                                     config->connections_per_minute),
	              net_mode_name[config->net]);
	(void)err_hint(err, "where the workspace may go is decided in its own gateway: "
	                    "use --net relay");
	return err_step(err, "net");
}

/* Rules for which nothing is left are most likely in the wrong order. */
static void note_covered(struct plan *plan, const struct config *config,
                         const struct egress *egress, unsigned int at)
{
	for (unsigned int i = 0; i < at; i++) {
		if (!egress_covers(&egress->rule[i], &egress->rule[at]))
			continue;
		plan_note(plan,
		          arena_printf(&plan->arena,
		                       egress->rule[i].deny == egress->rule[at].deny
		                               ? "egress: '%s' adds nothing to '%s', "
		                                 "which stands before it"
		                               : "egress: '%s' never counts: '%s' "
		                                 "stands before it and says the "
		                                 "contrary",
		                       config->egress[at], config->egress[i]));
		return;
	}
}

static int choose_egress(struct plan *plan, const struct config *config, struct err *err)
{
	struct egress *egress = &plan->relay.egress;

	for (size_t i = 0; i < config->egress_n; i++) {
		int r = egress_parse(config->egress[i], &egress->rule[egress->n], err);

		if (r < 0)
			return err_step(err, "net");
		note_covered(plan, config, egress, egress->n++);
	}
	egress->deny_rest =
		config->egress_default && !strcmp(config->egress_default, "deny");
	if (config->connections_per_minute != LIMIT_UNSET)
		egress->per_minute = (uint32_t)config->connections_per_minute;
	return 0;
}

int plan_net(struct plan *plan, const struct config *config, const struct facts *facts,
             struct err *err)
{
	const struct net_facts *net = facts->net;
	struct gateway *gateway = &plan->gateway;
	const char *const rate[DIRECTIONS] = { config->rate_down, config->rate_up };
	int r;

	plan->net = config->net;
	if (plan->net == NET_AUTO) {
		plan->net = net ? NET_RELAY : NET_NONE;
		if (!net)
			plan_note(plan,
			          "the pod's network could not be looked at, so the "
			          "workspace has none: see 'berth check'");
	}
	r = check_rates(config, plan, err);
	if (r == 0)
		r = check_publish(config, plan, err);
	if (r == 0)
		r = check_egress(config, plan, err);
	if (r < 0 || plan->net != NET_RELAY)
		return r;
	/* A rate is a limit: the workspace has it or does not start. */
	plan->net_optional =
		config->net == NET_AUTO && !rate[0] && !rate[1] && config->publish_n == 0;
	for (int i = 0; i < DIRECTIONS; i++)
		if (rate[i] && rate_parse(rate[i], &gateway->rate[i], err) < 0)
			return err_step(err, "net");
	gateway->mtu = gateway_mtu(gateway->rate);
	if (!plan_addresses(net->used, net->used_n, net->ipv6, gateway->gateway,
	                    gateway->workspace)) {
		(void)err_set(
			err, EADDRNOTAVAIL,
			"the pod has routes to every network that could lie between "
			"it and a workspace");
		(void)err_hint(err, "leave one of 198.18.240.0/24, 100.127.240.0/24 or "
		                    "10.254.240.0/24 without a route, or use --net none");
		return err_step(err, "net");
	}
	choose_relay(plan, net);
	return choose_egress(plan, config, err);
}

static const char *addresses(struct arena *arena, const struct ip ip[IP_FAMILIES])
{
	char four[IP_TEXT_MAX], six[IP_TEXT_MAX];

	return ip[IP_V6].family
	               ? arena_printf(arena, "%s %s", ip_text(&ip[IP_V4], true, four),
	                              ip_text(&ip[IP_V6], true, six))
	               : arena_dup(arena, ip_text(&ip[IP_V4], true, four));
}

void plan_gateway(struct plan *plan)
{
	struct step *s;

	if (plan->net != NET_RELAY)
		return;
	s = plan_add(plan, ACTOR_WARDEN, STEP_RELAY,
	             "stays in the pod's network when the warden leaves it: what the "
	             "workspace sends goes on from there, by sockets alone");
	s->optional = plan->net_optional;
	s = plan_add(plan, ACTOR_WARDEN, STEP_GATEWAY,
	             "the workspace's way out: root inside cannot see what is set here");
	s->optional = plan->net_optional;
	s = plan_add(plan, ACTOR_WARDEN, STEP_VETH,
	             "its other end is born in the workspace's network namespace");
	s->target = WORKSPACE_IFNAME;
	s->source = GATEWAY_IFNAME;
	s->value = addresses(&plan->arena, plan->gateway.gateway);
	s->number = plan->gateway.mtu;
	s->optional = plan->net_optional;
}

/* The policy in one line, for the plan; NULL where it says nothing. */
static const char *egress_words(struct plan *plan, const struct config *config)
{
	struct arena *arena = &plan->arena;
	const char *text = "";

	if (!has_egress(config))
		return NULL;
	for (size_t i = 0; i < config->egress_n; i++)
		text = arena_printf(arena, "%s%s ", text, config->egress[i]);
	text = arena_printf(arena, "%s%s:any", text,
	                    plan->relay.egress.deny_rest ? "deny" : "allow");
	if (plan->relay.egress.per_minute)
		text = arena_printf(arena, "%s, %u a minute", text,
		                    plan->relay.egress.per_minute);
	return text;
}

void plan_uplink(struct plan *plan, const struct config *config)
{
	const struct {
		enum direction direction;
		const char *name, *value, *why;
	} rates[] = {
		{ DOWNLOAD, "download", config->rate_down,
		  "asked for with --rate-down; kept where packets leave for the "
		  "workspace, "
		  "in the gateway" },
		{ UPLOAD, "upload", config->rate_up,
		  "asked for with --rate-up; kept where packets come from the workspace, "
		  "before any rule sees them" },
	};
	struct step *s;

	if (plan->net != NET_RELAY)
		return;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (!rates[i].value)
			continue;
		s = plan_add(plan, ACTOR_WARDEN, STEP_SHAPE, rates[i].why);
		s->target = rates[i].name;
		s->value = rates[i].value;
		s->number = rates[i].direction;
	}
	s = plan_add(plan, ACTOR_WARDEN, STEP_UPLINK,
	             "routes and rules in the gateway, and the relay serves: loopback of "
	             "pod and node, and link-local addresses, stay out of reach");
	s->value = plan->gateway.gateway[IP_V6].family ? "IPv4 and IPv6" : "IPv4";
	s->source = egress_words(plan, config);
	s->optional = plan->net_optional;
}

void plan_net_inside(struct plan *plan)
{
	struct step *s;

	if (plan->net != NET_RELAY)
		return;
	s = plan_add(plan, ACTOR_INIT, STEP_ADDRESS,
	             "its own end, localhost, and the default route to the gateway");
	s->target = WORKSPACE_IFNAME;
	s->value = addresses(&plan->arena, plan->gateway.workspace);
	s->optional = plan->net_optional;
	s = plan_add(
		plan, ACTOR_INIT, STEP_LOOKOUT,
		"published ports: by these sockets the relay asks the kernel how the "
		"workspace would answer a client, and the supervisor who listens");
	s->optional = plan->net_optional;
}

void plan_publish(struct plan *plan, const struct config *config)
{
	for (size_t i = 0; i < config->publish_n; i++) {
		const struct publish *publish = &config->publish[i];
		char text[PUBLISH_TEXT_MAX];
		struct step *s =
			plan_add(plan, ACTOR_SUPERVISOR, STEP_PUBLISH,
		                 publish->automatic ? "what begins to listen inside "
		                                      "appears on the pod, and goes "
		                                      "when it ends"
		                                    : "before anything is made, so that "
		                                      "a port in use says so");

		s->target = arena_dup(&plan->arena, publish_text(publish, text));
		s->number = i;
		if (publish->automatic)
			s->value = arena_printf(
				&plan->arena, "%s%s%s",
				config->publish_allow ? config->publish_allow
						      : "1-65535/tcp",
				config->publish_deny ? " without " : "",
				config->publish_deny ? config->publish_deny : "");
	}
}

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

void plan_names(struct plan *plan, const struct config *config, const struct facts *facts)
{
	static const char why[] =
		"the gateway passes questions on to the pod's name servers";
	const bool host = !strcmp(config->rootfs, "host");
	const struct ip *gateway = plan->gateway.gateway;
	struct arena *arena = &plan->arena;
	char address[IP_TEXT_MAX];
	const char *resolv;

	if (plan->net != NET_RELAY)
		return;
	resolv = resolver_text(arena, facts->net->resolv_conf, &gateway[IP_V4]);
	if (host) {
		file(plan, "/etc/resolv.conf", resolv, why);
		return;
	}
	if (facts->root.has_hosts)
		cover(plan, "hosts",
		      arena_printf(
			      arena,
			      "127.0.0.1 localhost\n"
			      "::1 localhost ip6-localhost ip6-loopback\n"
			      "%s %s\n",
			      ip_text(&plan->gateway.workspace[IP_V4], false, address),
			      config->hostname),
		      "localhost, and own name");
	if (!facts->root.resolv_conf_link) {
		cover(plan, "resolv.conf", resolv, why);
		return;
	}
	/* A link is to what systemd-resolved writes; it asks what a drop-in says. */
	if (plan->init == INIT_SYSTEMD)
		file(plan, "/run/systemd/resolved.conf.d/berth.conf",
		     resolver_resolved_text(arena, facts->net->resolv_conf, gateway),
		     "systemd-resolved asks the gateway");
	else
		file(plan, facts->root.resolv_conf_link, resolv, why);
}
