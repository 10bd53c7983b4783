#include <string.h>
#include <strings.h>

#include "audit_internal.h"

bool audit_is(const struct yaml_value *map, const char *key, bool value)
{
	const struct yaml_value *v = yaml_get(map, key);

	return v && v->type == YAML_BOOL && v->boolean == value;
}

const char *audit_scalar(const struct yaml_value *map, const char *key)
{
	const struct yaml_value *v = yaml_get(map, key);

	return v && v->text && v->type != YAML_NULL ? v->text : NULL;
}

/* The path of a key of the pod. */
static const char *at_pod(const struct audit_subject *s, const char *key)
{
	return audit_text(s, "%s.%s", s->pod_path, key);
}

/* "key: text", cut. */
static const char *shown(const struct audit_subject *s, const struct yaml_value *v)
{
	if (!v->text)
		return audit_text(s, "%s is %s", v->key ? v->key : "it",
		                  yaml_type_name[v->type]);
	return v->key ? audit_text(s, "%.60s: %.120s", v->key, v->text)
	              : audit_text(s, "%.120s", v->text);
}

void audit_pod_true(const struct audit_subject *s)
{
	const struct yaml_value *v = yaml_get(s->pod, s->rule->arg);

	if (audit_is(s->pod, s->rule->arg, true))
		audit_report(s, v, at_pod(s, s->rule->arg), shown(s, v));
}

void audit_pod_host_users(const struct audit_subject *s)
{
	const struct yaml_value *v = yaml_get(s->pod, "hostUsers");

	if (!s->mapped)
		audit_report(s, v ? v : s->pod, at_pod(s, "hostUsers"),
		             v ? shown(s, v) : "hostUsers is not set, which is true");
}

void audit_pod_token(const struct audit_subject *s)
{
	const struct yaml_value *v = yaml_get(s->pod, "automountServiceAccountToken");

	if (!audit_is(s->pod, "automountServiceAccountToken", false))
		audit_report(s, v ? v : s->pod, at_pod(s, "automountServiceAccountToken"),
		             v ? shown(s, v)
		               : "automountServiceAccountToken is not set, which is true "
		                 "unless the service account says otherwise");
}

/* Calls @report for each volume that has a member @key, with its path up to that. */
static void each_volume(const struct audit_subject *s, const char *key,
                        void (*report)(const struct audit_subject *s,
                                       const struct yaml_value *source, const char *path))
{
	const struct yaml_value *list = yaml_get(s->pod, "volumes");
	size_t i = 0;

	for (const struct yaml_value *v = list ? list->first : NULL; v;
	     v = v->next, i++) {
		const struct yaml_value *source = yaml_get(v, key);

		if (source)
			report(s, source,
			       audit_text(s, "%s.volumes[%zu].%s", s->pod_path, i, key));
	}
}

enum host_path { HOST_OTHER, HOST_SYSTEM, HOST_SOCKET };

static enum host_path kind_of(const struct audit_subject *s, const char *text)
{
	const char *path = audit_clean_path(s->audit->arena, text);

	if (audit_runtime_socket(path))
		return HOST_SOCKET;
	return audit_system_path(path) ? HOST_SYSTEM : HOST_OTHER;
}

static void report_host_path(const struct audit_subject *s,
                             const struct yaml_value *source, const char *path,
                             enum host_path kind)
{
	const struct yaml_value *v = yaml_get(source, "path");
	const char *text = audit_scalar(source, "path");

	if (kind_of(s, text ? text : "") == kind)
		audit_report(s, v ? v : source, audit_text(s, "%s.path", path),
		             v ? shown(s, v) : "hostPath");
}

static void other_path(const struct audit_subject *s, const struct yaml_value *source,
                       const char *path)
{
	report_host_path(s, source, path, HOST_OTHER);
}

static void system_path(const struct audit_subject *s, const struct yaml_value *source,
                        const char *path)
{
	report_host_path(s, source, path, HOST_SYSTEM);
}

static void socket_path(const struct audit_subject *s, const struct yaml_value *source,
                        const char *path)
{
	report_host_path(s, source, path, HOST_SOCKET);
}

void audit_pod_host_path(const struct audit_subject *s)
{
	each_volume(s, "hostPath", other_path);
}

void audit_pod_system_path(const struct audit_subject *s)
{
	each_volume(s, "hostPath", system_path);
}

void audit_pod_socket(const struct audit_subject *s)
{
	each_volume(s, "hostPath", socket_path);
}

static void git_repo(const struct audit_subject *s, const struct yaml_value *source,
                     const char *path)
{
	audit_report(s, source, path, "gitRepo");
}

void audit_pod_git_repo(const struct audit_subject *s)
{
	each_volume(s, "gitRepo", git_repo);
}

static void memory_volume(const struct audit_subject *s, const struct yaml_value *source,
                          const char *path)
{
	const char *medium = audit_scalar(source, "medium");

	if (medium && !strcmp(medium, "Memory") && !audit_scalar(source, "sizeLimit"))
		audit_report(s, yaml_get(source, "medium"),
		             audit_text(s, "%s.sizeLimit", path),
		             "medium: Memory without sizeLimit");
}

void audit_pod_memory_volume(const struct audit_subject *s)
{
	each_volume(s, "emptyDir", memory_volume);
}

static void token_volume(const struct audit_subject *s, const struct yaml_value *source,
                         const char *path)
{
	const struct yaml_value *list = yaml_get(source, "sources");
	size_t i = 0;

	for (const struct yaml_value *v = list ? list->first : NULL; v;
	     v = v->next, i++) {
		const struct yaml_value *token = yaml_get(v, "serviceAccountToken");

		/* One for another audience opens nothing of the cluster. */
		if (token && !audit_scalar(token, "audience"))
			audit_report(s, token,
			             audit_text(s, "%s.sources[%zu].serviceAccountToken",
			                        path, i),
			             "a token for the API server");
	}
}

void audit_pod_token_volume(const struct audit_subject *s)
{
	each_volume(s, "projected", token_volume);
}

void audit_pod_sysctl(const struct audit_subject *s)
{
	static const char *const safe[] = {
		"kernel.shm_rmid_forced",           "net.ipv4.ip_local_port_range",
		"net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_unprivileged_port_start",
		"net.ipv4.ping_group_range",        "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_keepalive_intvl",     "net.ipv4.tcp_keepalive_probes",
		"net.ipv4.tcp_keepalive_time",      "net.ipv4.tcp_rmem",
		"net.ipv4.tcp_syncookies",          "net.ipv4.tcp_wmem",
	};
	const struct yaml_value *list =
		yaml_get(yaml_get(s->pod, "securityContext"), "sysctls");
	size_t i = 0;

	for (const struct yaml_value *v = list ? list->first : NULL; v;
	     v = v->next, i++) {
		const char *name = audit_scalar(v, "name");
		bool known = !name;

		for (size_t j = 0; !known && j < sizeof(safe) / sizeof(safe[0]); j++)
			known = !strcmp(safe[j], name);
		if (!known)
			audit_report(s, yaml_get(v, "name"),
			             audit_text(s, "%s.securityContext.sysctls[%zu].name",
			                        s->pod_path, i),
			             shown(s, yaml_get(v, "name")));
	}
}

static void selinux(const struct audit_subject *s, const struct yaml_value *holder,
                    const char *path)
{
	static const char *const types[] = { "", "container_t", "container_init_t",
		                             "container_kvm_t", "container_engine_t" };
	static const char *const keys[] = { "user", "role", "type" };
	const struct yaml_value *options =
		yaml_get(yaml_get(holder, "securityContext"), "seLinuxOptions");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = audit_scalar(options, keys[i]);
		bool good = !value || !*value;

		for (size_t j = 0;
		     !good && i == 2 && j < sizeof(types) / sizeof(types[0]); j++)
			good = !strcmp(types[j], value);
		if (!good)
			audit_report(s, yaml_get(options, keys[i]),
			             audit_text(s, "%s.securityContext.seLinuxOptions.%s",
			                        path, keys[i]),
			             shown(s, yaml_get(options, keys[i])));
	}
}

void audit_pod_selinux(const struct audit_subject *s)
{
	selinux(s, s->pod, s->pod_path);
}

void audit_container_selinux(const struct audit_subject *s)
{
	selinux(s, s->container, s->path);
}

static void windows(const struct audit_subject *s, const struct yaml_value *holder,
                    const char *path)
{
	const struct yaml_value *options =
		yaml_get(yaml_get(holder, "securityContext"), "windowsOptions");

	if (audit_is(options, "hostProcess", true))
		audit_report(s, yaml_get(options, "hostProcess"),
		             audit_text(s,
		                        "%s.securityContext.windowsOptions.hostProcess",
		                        path),
		             "hostProcess: true");
}

void audit_pod_windows(const struct audit_subject *s)
{
	windows(s, s->pod, s->pod_path);
}

void audit_container_windows(const struct audit_subject *s)
{
	windows(s, s->container, s->path);
}

void audit_pod_priority(const struct audit_subject *s)
{
	const char *name = audit_scalar(s->pod, "priorityClassName");
	const char *space = audit_scalar(yaml_get(s->owner, "metadata"), "namespace");

	if (name && !strncmp(name, "system-", 7) &&
	    !(space && !strcmp(space, "kube-system")))
		audit_report(s, yaml_get(s->pod, "priorityClassName"),
		             at_pod(s, "priorityClassName"),
		             shown(s, yaml_get(s->pod, "priorityClassName")));
}

void audit_pod_toleration(const struct audit_subject *s)
{
	const struct yaml_value *list = yaml_get(s->pod, "tolerations");
	size_t i = 0;

	for (const struct yaml_value *v = list ? list->first : NULL; v;
	     v = v->next, i++) {
		const char *key = audit_scalar(v, "key");
		const char *operator= audit_scalar(v, "operator");

		if ((!key || !*key) && operator&& !strcmp(operator, "Exists"))
			audit_report(
				s, v,
				audit_text(s, "%s.tolerations[%zu]", s->pod_path, i),
				"operator: Exists without a key tolerates every taint");
	}
}

void audit_pod_node_name(const struct audit_subject *s)
{
	const struct yaml_value *v = yaml_get(s->pod, "nodeName");
	const char *name = audit_scalar(s->pod, "nodeName");

	if (name && *name)
		audit_report(s, v, at_pod(s, "nodeName"), shown(s, v));
}

static bool is_zero(const struct yaml_value *v)
{
	return v && v->type == YAML_INT && !strcmp(v->text, "0");
}

void audit_pod_groups(const struct audit_subject *s)
{
	const struct yaml_value *security = yaml_get(s->pod, "securityContext");
	const struct yaml_value *list = yaml_get(security, "supplementalGroups");
	const struct yaml_value *fs_group = yaml_get(security, "fsGroup");
	size_t i = 0;

	for (const struct yaml_value *v = list ? list->first : NULL; v; v = v->next, i++)
		if (is_zero(v))
			audit_report(
				s, v,
				audit_text(s,
			                   "%s.securityContext.supplementalGroups[%zu]",
			                   s->pod_path, i),
				"group 0");
	if (is_zero(fs_group))
		audit_report(s, fs_group, at_pod(s, "securityContext.fsGroup"),
		             "fsGroup: 0");
}

void audit_pod_namespace(const struct audit_subject *s)
{
	const struct yaml_value *v =
		yaml_get(yaml_get(s->owner, "metadata"), "namespace");

	if (v && v->text && !strcmp(v->text, "default"))
		audit_report(s, v, "metadata.namespace", shown(s, v));
}
