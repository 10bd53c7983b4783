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
	relay->pace = plan->gateway.paced ? plan->gateway.rate[UPLOAD] : 0;
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
	if (plan_has_gateway(plan) || (!config->rate_down && !config->rate_up))
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

	if (plan_has_gateway(plan) || config->publish_n == 0)
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

	/* There the gateway's rules alone decide, and they deny for good. */
	if (plan->net == NET_PASTA && config->audit_permissive && has_egress(config)) {
		(void)err_set(err, EINVAL, "--audit-permissive with %s and --net pasta",
		              what);
		(void)err_hint(err,
		               "use --net relay, which can let through what it tells");
		return err_step(err, "net");
	}
	if (plan_has_gateway(plan) || !has_egress(config))
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
	egress->permissive = config->audit_permissive;
	egress->deny_rest =
		config->egress_default && !strcmp(config->egress_default, "deny");
	if (config->connections_per_minute != LIMIT_UNSET)
		egress->per_minute = (uint32_t)config->connections_per_minute;
	return 0;
}

/* --net pasta, asked for or chosen, and what it takes. */
static int check_pasta(const struct config *config, const struct net_facts *net,
                       struct err *err)
{
	if (!net->pasta) {
		(void)err_set(err, ENOENT, "--net 'pasta': there is no program 'pasta'");
		(void)err_hint(err, "install it (Debian: passt), or use --net relay, "
		                    "which takes no program");
	} else if (net->tun) {
		(void)err_set(err, net->tun,
		              "--net 'pasta': open the device '/dev/net/tun'");
		(void)err_hint(err, "give the pod that device, readable and writable, "
		                    "or use --net relay, which takes none");
	} else if (config->rate_up && net->undiverted) {
		(void)err_set(err, EOPNOTSUPP,
		              "--rate-up '%s' with --net pasta: the kernel has no ifb, "
		              "or no way into one",
		              config->rate_up);
		(void)err_hint(err, "have the modules ifb, act_mirred and cls_u32 loaded "
		                    "on the node, or use --net relay, which keeps the "
		                    "rate itself");
	} else {
		return 0;
	}
	return err_step(err, "net");
}

static int choose_mode(struct plan *plan, const struct config *config,
                       const struct net_facts *net, struct err *err)
{
	plan->net = config->net;
	if (config->net == NET_AUTO && !net) {
		plan->net = NET_NONE;
		plan_note(plan, "the pod's network could not be looked at, so the "
		                "workspace has none: see 'berth check'");
	} else if (config->net == NET_AUTO && net->unrelayed &&
	           (!net->pasta || net->tun)) {
		plan->net = NET_NONE;
		plan_note(plan, "the kernel lacks what berth's relay needs, and pasta "
		                "cannot be used, so the workspace has no network: see "
		                "'berth check'");
	} else if (config->net == NET_AUTO && net->unrelayed &&
	           !(config->rate_up && net->undiverted)) {
		plan->net = NET_PASTA;
		plan_note(plan, "the kernel lacks what berth's relay needs, so pasta "
		                "carries the workspace's connections: see 'berth check'");
	} else if (config->net == NET_AUTO) {
		plan->net = NET_RELAY;
	}
	return config->net == NET_PASTA ? check_pasta(config, net, err) : 0;
}

static int no_addresses(struct err *err)
{
	(void)err_set(err, EADDRNOTAVAIL,
	              "the pod has routes to every network that could lie between it and "
	              "a workspace");
	(void)err_hint(err, "leave one of 198.18.240.0/24, 100.127.240.0/24 or "
	                    "10.254.240.0/24 without a route, or use --net none");
	return err_step(err, "net");
}

/* The tap's network is the next one that is free. */
static int choose_tap(struct plan *plan, const struct net_facts *net, bool ipv6,
                      struct err *err)
{
	const struct ip *own = plan->gateway.gateway;
	struct ip *used =
		arena_alloc(&plan->arena, (net->used_n + IP_FAMILIES) * sizeof(*used));

	if (!used)
		return err_set(err, ENOMEM, "choose addresses");
	memcpy(used, own, IP_FAMILIES * sizeof(*used));
	if (net->used_n > 0)
		memcpy(used + IP_FAMILIES, net->used, net->used_n * sizeof(*used));
	return plan_addresses(used, net->used_n + IP_FAMILIES, ipv6, plan->pasta.far,
	                      plan->pasta.tap)
	               ? 0
	               : no_addresses(err);
}

static int choose_addresses(struct plan *plan, const struct net_facts *net,
                            struct err *err)
{
	const bool pasta = plan->net == NET_PASTA;
	const bool ipv6 = net->ipv6 && (!pasta || net->forwards6);
	struct gateway *gateway = &plan->gateway;

	if (net->ipv6 && !ipv6)
		plan_note(plan,
		          "/proc/sys is read-only here, so IPv6 cannot be forwarded to "
		          "pasta, and the workspace has none: use --net relay");
	if (!plan_addresses(net->used, net->used_n, ipv6, gateway->gateway,
	                    gateway->workspace))
		return no_addresses(err);
	return pasta ? choose_tap(plan, net, ipv6, err) : 0;
}

int plan_net(struct plan *plan, const struct config *config, const struct facts *facts,
             struct err *err)
{
	const struct net_facts *net = facts->net;
	struct gateway *gateway = &plan->gateway;
	const char *const rate[DIRECTIONS] = { config->rate_down, config->rate_up };
	int r = choose_mode(plan, config, net, err);

	if (r == 0)
		r = check_rates(config, plan, err);
	if (r == 0)
		r = check_publish(config, plan, err);
	if (r == 0)
		r = check_egress(config, plan, err);
	if (r < 0 || !plan_has_gateway(plan))
		return r;
	/* A rate is a limit: the workspace has it or does not start. */
	plan->net_optional =
		config->net == NET_AUTO && !rate[0] && !rate[1] && config->publish_n == 0;
	for (int i = 0; i < DIRECTIONS; i++)
		if (rate[i] && rate_parse(rate[i], &gateway->rate[i], err) < 0)
			return err_step(err, "net");
	gateway->mtu = gateway_mtu(gateway->rate);
	gateway->paced = gateway->rate[UPLOAD] && net->undiverted;
	gateway->patient = plan->net == NET_PASTA;
	r = choose_addresses(plan, net, err);
	if (r < 0)
		return r;
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

void plan_gateway(struct plan *plan, const struct facts *facts)
{
	struct step *s;

	if (!plan_has_gateway(plan))
		return;
	s = plan_add(
		plan, ACTOR_WARDEN, STEP_RELAY,
		plan->net == NET_RELAY
			? "stays in the pod's network when the warden leaves it: what "
			  "the workspace sends goes on from there, by sockets alone"
			: "stays in the pod's network when the warden leaves it: who "
			  "comes by a published port goes on from there");
	s->optional = plan->net_optional;
	if (plan->net == NET_PASTA) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_PASTA,
		             "stays in the pod's network when the warden leaves it; its "
		             "tap is the gateway's, never the workspace's");
		s->target = facts->net->pasta;
		s->value = addresses(&plan->arena, plan->pasta.tap);
		s->optional = plan->net_optional;
	}
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

	if (!plan_has_gateway(plan))
		return;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (!rates[i].value)
			continue;
		s = plan_add(plan, ACTOR_WARDEN, STEP_SHAPE, rates[i].why);
		s->target = rates[i].name;
		s->value = rates[i].value;
		s->number = rates[i].direction;
		if (plan->gateway.paced && rates[i].direction == UPLOAD) {
			s->source = "relay";
			s->why =
				"asked for with --rate-up; kept by what the relay reads, "
				"since the kernel has no ifb, or no way into one";
		}
	}
	s = plan_add(
		plan, ACTOR_WARDEN, STEP_UPLINK,
		plan->net == NET_RELAY
			? "routes and rules in the gateway, and the relay serves: "
			  "loopback of pod and node, and link-local addresses, stay "
			  "out of reach"
			: "rules in the gateway, which forwards to the tap what they "
			  "allow, and the relay serves published ports: loopback of pod "
			  "and node, and link-local "
			  "addresses, stay out of reach");
	s->value = plan->gateway.gateway[IP_V6].family ? "IPv4 and IPv6" : "IPv4";
	s->source = egress_words(plan, config);
	s->optional = plan->net_optional;
}

void plan_net_inside(struct plan *plan)
{
	struct step *s;

	if (!plan_has_gateway(plan))
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
