#include <stdio.h>
#include <string.h>

#include "audit_internal.h"
#include "base/nearest.h"

/* Whether a manifest is what Kubernetes takes: types of values, names of fields. */

/* Types */

struct typed {
	const char *in; /* member of the pod or container, NULL for itself */
	const char *key;
	enum yaml_type type;
};

static void check_types(const struct audit_subject *s, const struct yaml_value *holder,
                        const char *path, const struct typed *typed, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct yaml_value *map =
			typed[i].in ? yaml_get(holder, typed[i].in) : holder;
		const struct yaml_value *v = yaml_get(map, typed[i].key);

		if (!v || v->type == YAML_NULL || v->type == typed[i].type)
			continue;
		audit_report(s, v,
		             typed[i].in ? audit_text(s, "%s.%s.%s", path, typed[i].in,
		                                      typed[i].key)
		                         : audit_text(s, "%s.%s", path, typed[i].key),
		             v->text ? audit_text(s, "'%.60s' is %s, not %s", v->text,
		                                  yaml_type_name[v->type],
		                                  yaml_type_name[typed[i].type])
		                     : audit_text(s, "%s, not %s",
		                                  yaml_type_name[v->type],
		                                  yaml_type_name[typed[i].type]));
	}
}

void audit_pod_types(const struct audit_subject *s)
{
	static const struct typed typed[] = {
		{ NULL, "hostNetwork", YAML_BOOL },
		{ NULL, "hostPID", YAML_BOOL },
		{ NULL, "hostIPC", YAML_BOOL },
		{ NULL, "hostUsers", YAML_BOOL },
		{ NULL, "automountServiceAccountToken", YAML_BOOL },
		{ NULL, "shareProcessNamespace", YAML_BOOL },
		{ NULL, "securityContext", YAML_MAP },
		{ NULL, "volumes", YAML_LIST },
		{ "securityContext", "runAsNonRoot", YAML_BOOL },
		{ "securityContext", "runAsUser", YAML_INT },
		{ "securityContext", "runAsGroup", YAML_INT },
		{ "securityContext", "fsGroup", YAML_INT },
		{ "securityContext", "seccompProfile", YAML_MAP },
		{ "securityContext", "appArmorProfile", YAML_MAP },
	};

	check_types(s, s->pod, s->pod_path, typed, sizeof(typed) / sizeof(typed[0]));
}

void audit_container_types(const struct audit_subject *s)
{
	static const struct typed typed[] = {
		{ NULL, "image", YAML_STRING },
		{ NULL, "securityContext", YAML_MAP },
		{ NULL, "env", YAML_LIST },
		{ NULL, "resources", YAML_MAP },
		{ "securityContext", "privileged", YAML_BOOL },
		{ "securityContext", "allowPrivilegeEscalation", YAML_BOOL },
		{ "securityContext", "readOnlyRootFilesystem", YAML_BOOL },
		{ "securityContext", "runAsNonRoot", YAML_BOOL },
		{ "securityContext", "runAsUser", YAML_INT },
		{ "securityContext", "runAsGroup", YAML_INT },
		{ "securityContext", "capabilities", YAML_MAP },
		{ "securityContext", "seccompProfile", YAML_MAP },
		{ "securityContext", "appArmorProfile", YAML_MAP },
	};
	const struct yaml_value *env = yaml_get(s->container, "env");
	size_t i = 0;

	check_types(s, s->container, s->path, typed, sizeof(typed) / sizeof(typed[0]));
	for (const struct yaml_value *v = env ? env->first : NULL; v; v = v->next, i++) {
		const struct yaml_value *value = yaml_get(v, "value");

		if (value && value->type != YAML_STRING && value->type != YAML_NULL)
			audit_report(s, value,
			             audit_text(s, "%s.env[%zu].value", s->path, i),
			             audit_text(s, "%s, not a string",
			                        yaml_type_name[value->type]));
	}
}

/* Fields */

enum fields { POD_FIELDS, POD_SECURITY, CONTAINER_FIELDS, CONTAINER_SECURITY, FIELDS_N };

/* Of Kubernetes 1.34; each with a blank before and behind. */
static const char *const known_fields[FIELDS_N] = {
	[POD_FIELDS] =
		" activeDeadlineSeconds affinity automountServiceAccountToken containers "
		"dnsConfig dnsPolicy enableServiceLinks ephemeralContainers hostAliases "
		"hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride "
		"imagePullSecrets initContainers nodeName nodeSelector os overhead "
		"preemptionPolicy priority priorityClassName readinessGates "
		"resourceClaims resources restartPolicy runtimeClassName schedulerName "
		"schedulingGates securityContext serviceAccount serviceAccountName "
		"setHostnameAsFQDN shareProcessNamespace subdomain "
		"terminationGracePeriodSeconds tolerations topologySpreadConstraints "
		"volumes ",
	[POD_SECURITY] =
		" appArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot "
		"runAsUser seLinuxChangePolicy seLinuxOptions seccompProfile "
		"supplementalGroups supplementalGroupsPolicy sysctls windowsOptions ",
	[CONTAINER_FIELDS] =
		" args command env envFrom image imagePullPolicy lifecycle livenessProbe "
		"name ports readinessProbe resizePolicy resources restartPolicy "
		"restartPolicyRules securityContext startupProbe stdin stdinOnce "
		"targetContainerName terminationMessagePath terminationMessagePolicy tty "
		"volumeDevices volumeMounts workingDir ",
	[CONTAINER_SECURITY] =
		" allowPrivilegeEscalation appArmorProfile capabilities cgroupOptions "
		"privileged procMount readOnlyRootFilesystem runAsGroup runAsNonRoot "
		"runAsUser seLinuxOptions seccompProfile windowsOptions ",
};

static bool is_known(enum fields fields, const char *key)
{
	size_t len = strlen(key);

	if (len == 0 || strchr(key, ' '))
		return false;
	for (const char *at = known_fields[fields]; (at = strstr(at + 1, key));)
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

/* The nearest of them, in @buf, "" for none. */
static void near_field(enum fields fields, const char *key, char *buf, size_t size)
{
	struct nearest near;
	char word[64];

	*buf = '\0';
	nearest_begin(&near, key);
	for (const char *at = known_fields[fields]; at[1];) {
		size_t len = strcspn(++at, " ");

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, at);
		near.ret = *buf ? buf : NULL; /* the earlier of two is kept */
		nearest_try(&near, word);
		if (near.ret == word)
			(void)snprintf(buf, size, "%s", word);
		at += len;
	}
}

/* A misspelt or misplaced field; one that is merely new is none of ours. */
static void check_fields(const struct audit_subject *s, const struct yaml_value *map,
                         const char *path, enum fields fields)
{
	static const char *const place[FIELDS_N] = { "the pod's spec",
		                                     "the pod's securityContext",
		                                     "a container",
		                                     "a container's securityContext" };

	if (!map || map->type != YAML_MAP)
		return;
	for (const struct yaml_value *v = map->first; v; v = v->next) {
		const char *detail = NULL;
		char near[64];

		if (v->merge || strlen(v->key) > 60 || is_known(fields, v->key))
			continue;
		near_field(fields, v->key, near, sizeof(near));
		if (*near)
			detail = audit_text(s, "no field '%s', did you mean '%s'?",
			                    v->key, near);
		for (int i = 0; i < FIELDS_N && !detail; i++)
			if (is_known((enum fields)i, v->key))
				detail = audit_text(s, "'%s' is a field of %s", v->key,
				                    place[i]);
		if (detail)
			audit_report(s, v, audit_text(s, "%s.%s", path, v->key), detail);
	}
}

void audit_pod_fields(const struct audit_subject *s)
{
	check_fields(s, s->pod, s->pod_path, POD_FIELDS);
	check_fields(s, yaml_get(s->pod, "securityContext"),
	             audit_text(s, "%s.securityContext", s->pod_path), POD_SECURITY);
}

void audit_container_fields(const struct audit_subject *s)
{
	check_fields(s, s->container, s->path, CONTAINER_FIELDS);
	check_fields(s, yaml_get(s->container, "securityContext"),
	             audit_text(s, "%s.securityContext", s->path), CONTAINER_SECURITY);
}
