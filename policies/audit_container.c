#include <string.h>
#include <strings.h>

#include "audit_internal.h"

static const char *at_container(const struct audit_subject *s, const char *key)
{
	return audit_text(s, "%s.%s", s->path, key);
}

static const struct yaml_value *own_security(const struct audit_subject *s)
{
	return yaml_get(s->container, "securityContext");
}

/* A finding at a member of the container's securityContext, or where it would be. */
static void report_security(const struct audit_subject *s, const char *key,
                            const char *missing)
{
	const struct yaml_value *security = own_security(s);
	const struct yaml_value *v = yaml_get(security, key);

	audit_report(s,
	             v          ? v
	             : security ? security
	                        : s->container,
	             audit_text(s, "%s.securityContext.%s", s->path, key),
	             v && v->text ? audit_text(s, "%s: %.60s", key, v->text) : missing);
}

const struct yaml_value *audit_security(const struct audit_subject *s, const char *key,
                                        const char **ret_path)
{
	const struct yaml_value *v = yaml_get(own_security(s), key);
	bool own = v && v->type != YAML_NULL;

	if (!own)
		v = yaml_get(yaml_get(s->pod, "securityContext"), key);
	if (ret_path)
		*ret_path = audit_text(s, "%s.securityContext.%s",
		                       own ? s->path : s->pod_path, key);
	return v && v->type != YAML_NULL ? v : NULL;
}

void audit_container_privileged(const struct audit_subject *s)
{
	if (audit_is(own_security(s), "privileged", true))
		report_security(s, "privileged", "");
}

void audit_container_escalation(const struct audit_subject *s)
{
	/* A privileged one has its own finding, which says more. */
	if (!audit_is(own_security(s), "allowPrivilegeEscalation", false) &&
	    !audit_is(own_security(s), "privileged", true))
		report_security(s, "allowPrivilegeEscalation",
		                "allowPrivilegeEscalation is not set, which is true");
}

void audit_container_root(const struct audit_subject *s)
{
	const char *path;
	const struct yaml_value *user = audit_security(s, "runAsUser", &path);
	const struct yaml_value *non_root = audit_security(s, "runAsNonRoot", NULL);
	bool never = non_root && non_root->type == YAML_BOOL && non_root->boolean;

	if (user && user->type == YAML_INT) {
		if (!strcmp(user->text, "0"))
			audit_report(s, user, path, "runAsUser: 0");
	} else if (!never) {
		report_security(s, "runAsNonRoot",
		                "neither runAsNonRoot nor runAsUser: the image says who");
	}
}

static const char *bare(const char *name)
{
	return strncasecmp(name, "CAP_", 4) ? name : name + 4;
}

const struct yaml_value *audit_has_capability(const struct yaml_value *list,
                                              const char *name)
{
	if (!list || list->type != YAML_LIST)
		return NULL;
	for (const struct yaml_value *v = list->first; v; v = v->next)
		if (v->text && !strcasecmp(bare(v->text), name))
			return v;
	return NULL;
}

static const struct yaml_value *capabilities(const struct audit_subject *s,
                                             const char *key)
{
	return yaml_get(yaml_get(own_security(s), "capabilities"), key);
}

bool audit_holds(const struct audit_subject *s, const char *capability)
{
	const struct yaml_value *add = capabilities(s, "add");
	const struct yaml_value *drop = capabilities(s, "drop");

	if (audit_has_capability(add, capability) || audit_has_capability(add, "ALL"))
		return true;
	return !audit_has_capability(drop, "ALL") &&
	       !audit_has_capability(drop, capability);
}

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcasecmp(*names, bare(name)))
			return true;
	return false;
}

/* With one of these, root of the container is root of what owns its user namespace. */
static const char *const dangerous[] = {
	"ALL",        "BPF",       "DAC_READ_SEARCH", "MAC_ADMIN", "MAC_OVERRIDE",
	"NET_ADMIN",  "PERFMON",   "SYS_ADMIN",       "SYS_BOOT",  "SYS_MODULE",
	"SYS_PTRACE", "SYS_RAWIO", "SYSLOG",          NULL,
};

/* What Pod Security's baseline lets a pod add. */
static const char *const harmless[] = {
	"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
	"KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
	"SETPCAP",     "SETUID", "SYS_CHROOT",       NULL,
};

static void report_added(const struct audit_subject *s, bool want_dangerous)
{
	const struct yaml_value *add = capabilities(s, "add");
	size_t i = 0;

	for (const struct yaml_value *v = add ? add->first : NULL; v; v = v->next, i++) {
		bool is_dangerous = v->text && listed(dangerous, v->text);

		/* NET_RAW has a rule of its own. */
		if (!v->text || is_dangerous != want_dangerous ||
		    (!is_dangerous && (listed(harmless, v->text) ||
		                       !strcasecmp(bare(v->text), "NET_RAW"))))
			continue;
		audit_report(s, v,
		             audit_text(s, "%s.securityContext.capabilities.add[%zu]",
		                        s->path, i),
		             audit_text(s, "%.60s", v->text));
	}
}

void audit_container_added(const struct audit_subject *s)
{
	report_added(s, false);
}

void audit_container_dangerous(const struct audit_subject *s)
{
	report_added(s, true);
}

void audit_container_kept(const struct audit_subject *s)
{
	if (!audit_has_capability(capabilities(s, "drop"), "ALL"))
		report_security(s, "capabilities", "capabilities.drop does not have ALL");
}

void audit_container_net_raw(const struct audit_subject *s)
{
	const struct yaml_value *added =
		audit_has_capability(capabilities(s, "add"), "NET_RAW");

	if (added)
		audit_report(s, added,
		             at_container(s, "securityContext.capabilities.add"),
		             "NET_RAW is added");
	else if (audit_holds(s, "NET_RAW"))
		report_security(s, "capabilities", "NET_RAW is not dropped");
}

void audit_container_proc(const struct audit_subject *s)
{
	const char *mount = audit_scalar(own_security(s), "procMount");

	if (mount && strcmp(mount, "Default") != 0)
		report_security(s, "procMount", "");
}

static const char *profile_type(const struct yaml_value *profile)
{
	return audit_scalar(profile, "type");
}

void audit_container_seccomp(const struct audit_subject *s)
{
	const char *path;
	const struct yaml_value *profile = audit_security(s, "seccompProfile", &path);
	const char *type = profile_type(profile);

	if (type && !strcmp(type, "Unconfined"))
		audit_report(s, yaml_get(profile, "type"), audit_text(s, "%s.type", path),
		             "type: Unconfined");
}

void audit_container_seccomp_unset(const struct audit_subject *s)
{
	/* privileged takes any profile away, and has its own finding. */
	if (!audit_security(s, "seccompProfile", NULL) &&
	    !audit_is(own_security(s), "privileged", true))
		report_security(s, "seccompProfile", "seccompProfile is not set");
}

/* The annotation of before Kubernetes 1.30. */
static const struct yaml_value *apparmor_annotation(const struct audit_subject *s)
{
	const char *name = audit_scalar(s->container, "name");

	return yaml_get(yaml_get(s->meta, "annotations"),
	                audit_text(s, "container.apparmor.security.beta.kubernetes.io/%s",
	                           name ? name : ""));
}

void audit_container_apparmor(const struct audit_subject *s)
{
	const char *path;
	const struct yaml_value *profile = audit_security(s, "appArmorProfile", &path);
	const struct yaml_value *annotation = apparmor_annotation(s);
	const char *type = profile_type(profile);

	if (type && !strcmp(type, "Unconfined"))
		audit_report(s, yaml_get(profile, "type"), audit_text(s, "%s.type", path),
		             "type: Unconfined");
	else if (!profile && annotation && annotation->text &&
	         !strcmp(annotation->text, "unconfined"))
		audit_report(s, annotation, audit_text(s, "%s.annotations", s->meta_path),
		             "the annotation says unconfined");
}

void audit_container_writable(const struct audit_subject *s)
{
	if (!audit_is(own_security(s), "readOnlyRootFilesystem", true))
		report_security(s, "readOnlyRootFilesystem",
		                "readOnlyRootFilesystem is not set, which is false");
}

void audit_container_limit(const struct audit_subject *s)
{
	const struct yaml_value *resources = yaml_get(s->container, "resources");
	const struct yaml_value *limits = yaml_get(resources, "limits");
	const char *of_pod = audit_scalar(
		yaml_get(yaml_get(s->pod, "resources"), "limits"), s->rule->arg);
	const char *own = audit_scalar(limits, s->rule->arg);

	/* 0 means none. */
	if (s->ephemeral || (own && strcmp(own, "0") != 0) ||
	    (of_pod && strcmp(of_pod, "0") != 0))
		return;
	audit_report(s,
	             limits      ? limits
	             : resources ? resources
	                         : s->container,
	             audit_text(s, "%s.resources.limits.%s", s->path, s->rule->arg),
	             own ? audit_text(s, "%s: 0", s->rule->arg)
	                 : audit_text(s, "no limit of %s", s->rule->arg));
}

/* The part behind the last "/" and ":" of an image, NULL for none; @ret_digest: "@...". */
static const char *tag_of(const char *image, const char **ret_digest)
{
	const char *slash = strrchr(image, '/');
	const char *name = slash ? slash + 1 : image;
	const char *tag = strchr(name, ':');

	*ret_digest = strchr(name, '@');
	return tag && (!*ret_digest || tag < *ret_digest) ? tag + 1 : NULL;
}

void audit_container_latest(const struct audit_subject *s)
{
	const struct yaml_value *image = yaml_get(s->container, "image");
	const char *digest, *tag;

	if (!image || !image->text || !*image->text)
		return;
	tag = tag_of(image->text, &digest);
	if (!digest && (!tag || !strcmp(tag, "latest")))
		audit_report(s, image, at_container(s, "image"),
		             audit_text(s, "image: %.200s", image->text));
}

void audit_container_digest(const struct audit_subject *s)
{
	const struct yaml_value *image = yaml_get(s->container, "image");
	const char *digest, *tag;

	if (!image || !image->text)
		return;
	tag = tag_of(image->text, &digest);
	if (!digest && tag && strcmp(tag, "latest") != 0)
		audit_report(s, image, at_container(s, "image"),
		             audit_text(s, "image: %.200s", image->text));
}

void audit_container_secret_value(const struct audit_subject *s)
{
	const struct yaml_value *env = yaml_get(s->container, "env");
	size_t i = 0;

	for (const struct yaml_value *v = env ? env->first : NULL; v; v = v->next, i++) {
		const struct yaml_value *value = yaml_get(v, "value");
		const char *name = audit_scalar(v, "name");

		/* "$(OTHER)" is a reference, and empty is nothing. */
		if (!name || !value || !value->text || !*value->text ||
		    !strncmp(value->text, "$(", 2))
			continue;
		if (audit_secret_name(name, strlen(name)) ||
		    audit_secret_value(value->text))
			audit_report(s, value,
			             audit_text(s, "%s.env[%zu].value", s->path, i),
			             audit_text(s, "the value of %.60s", name));
	}
}

void audit_container_secret_reference(const struct audit_subject *s)
{
	const struct yaml_value *env = yaml_get(s->container, "env");
	const struct yaml_value *from = yaml_get(s->container, "envFrom");
	size_t i = 0;

	for (const struct yaml_value *v = env ? env->first : NULL; v; v = v->next, i++) {
		const struct yaml_value *key =
			yaml_get(yaml_get(v, "valueFrom"), "secretKeyRef");
		const char *name = audit_scalar(v, "name");

		if (key)
			audit_report(s, key,
			             audit_text(s, "%s.env[%zu].valueFrom.secretKeyRef",
			                        s->path, i),
			             audit_text(s, "%.60s comes from a secret",
			                        name ? name : "a variable"));
	}
	i = 0;
	for (const struct yaml_value *v = from ? from->first : NULL; v; v = v->next, i++)
		if (yaml_get(v, "secretRef"))
			audit_report(
				s, yaml_get(v, "secretRef"),
				audit_text(s, "%s.envFrom[%zu].secretRef", s->path, i),
				"all of a secret");
}

/* "--password=x", or "--password" and a word after it. */
static bool is_secret_argument(const struct yaml_value *v)
{
	const char *name = v->text + strspn(v->text, "-");
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;

	if (name == v->text)
		return audit_secret_value(v->text);
	if (!value && v->next && v->next->text && v->next->text[0] != '-')
		value = v->next->text;
	if (!value || !*value || !strncmp(value, "$(", 2) || strchr("/$", *value))
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '-' && !strncasecmp(name + i, "-file", 5))
			return false;
	return audit_secret_name(name, len) || audit_secret_value(value);
}

void audit_container_secret_argument(const struct audit_subject *s)
{
	static const char *const keys[] = { "command", "args" };

	for (size_t k = 0; k < 2; k++) {
		const struct yaml_value *list = yaml_get(s->container, keys[k]);
		size_t i = 0;

		for (const struct yaml_value *v = list ? list->first : NULL; v;
		     v = v->next, i++)
			if (v->text && is_secret_argument(v))
				audit_report(
					s, v,
					audit_text(s, "%s.%s[%zu]", s->path, keys[k], i),
					audit_text(s, "the value of %.*s",
				                   (int)strcspn(v->text, "="),
				                   v->text[0] == '-' ? v->text
				                                     : "a word"));
	}
}

/* The member @key of each item of a list of the container; for those with a value. */
static void each_member(const struct audit_subject *s, const char *list_name,
                        const char *key, const char *only)
{
	const struct yaml_value *list = yaml_get(s->container, list_name);
	size_t i = 0;

	for (const struct yaml_value *v = list ? list->first : NULL; v;
	     v = v->next, i++) {
		const char *text = audit_scalar(v, key);

		if (text && *text && strcmp(text, "0") != 0 &&
		    (!only || !strcmp(text, only)))
			audit_report(s, yaml_get(v, key),
			             audit_text(s, "%s.%s[%zu].%s", s->path, list_name, i,
			                        key),
			             audit_text(s, "%s: %.120s", key, text));
	}
}

void audit_container_propagation(const struct audit_subject *s)
{
	each_member(s, "volumeMounts", "mountPropagation", "Bidirectional");
}

void audit_container_device(const struct audit_subject *s)
{
	each_member(s, "volumeDevices", "devicePath", NULL);
}

void audit_container_port(const struct audit_subject *s)
{
	each_member(s, "ports", "hostPort", NULL);
}

void audit_container_sub_path(const struct audit_subject *s)
{
	each_member(s, "volumeMounts", "subPath", NULL);
	each_member(s, "volumeMounts", "subPathExpr", NULL);
}

void audit_container_probe_host(const struct audit_subject *s)
{
	static const char *const probes[][2] = {
		{ NULL, "livenessProbe" },  { NULL, "readinessProbe" },
		{ NULL, "startupProbe" },   { "lifecycle", "postStart" },
		{ "lifecycle", "preStop" },
	};
	static const char *const actions[] = { "httpGet", "tcpSocket" };

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		const struct yaml_value *holder =
			probes[i][0] ? yaml_get(s->container, probes[i][0])
				     : s->container;
		const struct yaml_value *probe = yaml_get(holder, probes[i][1]);

		for (size_t j = 0; j < 2; j++) {
			const struct yaml_value *v =
				yaml_get(yaml_get(probe, actions[j]), "host");

			if (v && v->text && *v->text && v->type != YAML_NULL)
				audit_report(s, v,
				             audit_text(s, "%s.%s%s%s.%s.host", s->path,
				                        probes[i][0] ? probes[i][0] : "",
				                        probes[i][0] ? "." : "",
				                        probes[i][1], actions[j]),
				             audit_text(s, "host: %.120s", v->text));
		}
	}
}
