#ifndef AUDIT_INTERNAL_H
#define AUDIT_INTERNAL_H

#include "audit.h"
#include "yaml.h"

/**
 * struct audit_subject - What the check of a rule looks at
 * @audit, @rule: where reports go
 * @file:	of a manifest
 * @name:	"Deployment web"
 * @mapped:	the pod has hostUsers: false
 * @pod, @pod_path: the pod's spec, and the path to it
 * @meta, @meta_path: its metadata, may be NULL
 * @owner:	the object that holds it, for the namespace
 * @container, @path: of AUDIT_CONTAINER
 * @ephemeral:	that container is one; it can have no limits
 * @policy:	of AUDIT_POLICY and AUDIT_WORKSPACE
 * @workspace:	of AUDIT_WORKSPACE
 */
struct audit_subject {
	struct audit *audit;
	const struct audit_rule *rule;
	const char *file, *name;
	bool mapped;
	const struct yaml_value *pod, *meta, *owner;
	const char *pod_path, *meta_path;
	const struct yaml_value *container;
	const char *path;
	bool ephemeral;
	const struct policy *policy;
	const struct audit_workspace *workspace;
};

/**
 * audit_report() - A finding in a manifest
 * @s:		what was looked at
 * @at:		the value, or for what is missing the nearest one above it
 * @path:	of the key, from audit_path()
 * @detail:	what stands there
 */
void audit_report(const struct audit_subject *s, const struct yaml_value *at,
                  const char *path, const char *detail);

/* A finding in a policy: @at is the setting, NULL for one that is missing. */
void audit_report_key(const struct audit_subject *s, const struct policy_setting *at,
                      const char *key, const char *detail);

/* A string in the arena of the findings. */
const char *audit_text(const struct audit_subject *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Looks at one subject by all rules of a scope. */
void audit_run(struct audit_subject *s, enum audit_scope scope);

/* Shared by checks of manifests and policies (audit_words.c). */

/* Whether the name of a variable, or its value, says that it is a secret. */
bool audit_secret_name(const char *name, size_t len);
bool audit_secret_value(const char *value);

/* A path without "//", "." and "..", and /var/run as /run. */
const char *audit_clean_path(struct arena *arena, const char *path);

/* Whether a clean path is @directory, clean, too, or lies below it. */
bool audit_below(const char *path, const char *directory);

/* Whether a clean path is the socket of a container runtime, or a directory with one. */
bool audit_runtime_socket(const char *path);

/* Whether a clean path is the system's: who has it has the node. */
bool audit_system_path(const char *path);

/* For manifests (audit_pod.c). */

/* The value where it is a boolean. */
bool audit_is(const struct yaml_value *map, const char *key, bool value);

/* The text of a scalar member, NULL where there is none. */
const char *audit_scalar(const struct yaml_value *map, const char *key);

/* A member of securityContext, of the container or else of the pod; *@ret_path gets its
 * path where that is not NULL. */
const struct yaml_value *audit_security(const struct audit_subject *s, const char *key,
                                        const char **ret_path);

/* Whether a container holds a capability, without "CAP_", that runtimes give by default. */
bool audit_holds(const struct audit_subject *s, const char *capability);

/* Whether a list has a word; capabilities are compared without "CAP_" and case. */
const struct yaml_value *audit_has_capability(const struct yaml_value *list,
                                              const char *name);

/* For policies (audit_policy.c). */

/* The first setting of a key, NULL where nothing is said. */
const struct policy_setting *audit_setting(const struct audit_subject *s,
                                           const char *key);

/* Whether it is said, and as @value. */
bool audit_setting_is(const struct audit_subject *s, const char *key, const char *value);

/* The end of one file or workspace. Return: 0; -E2BIG for too many findings; -ENOMEM. */
int audit_finish(struct audit *audit, const char *name, struct err *err);

/* What berth could do in a container (audit_tier.c). */
void audit_add_tier(const struct audit_subject *s);

/* Checks, named in the table of rules. */
typedef void audit_check(const struct audit_subject *s);
audit_check audit_pod_true, audit_pod_host_users, audit_pod_token, audit_pod_host_path,
	audit_pod_system_path, audit_pod_socket, audit_pod_sysctl, audit_pod_selinux,
	audit_pod_windows, audit_pod_git_repo, audit_pod_memory_volume,
	audit_pod_token_volume, audit_pod_priority, audit_pod_toleration,
	audit_pod_node_name, audit_pod_groups, audit_pod_namespace, audit_pod_types,
	audit_pod_fields;
audit_check audit_container_privileged, audit_container_escalation, audit_container_root,
	audit_container_added, audit_container_dangerous, audit_container_kept,
	audit_container_net_raw, audit_container_proc, audit_container_seccomp,
	audit_container_seccomp_unset, audit_container_apparmor, audit_container_writable,
	audit_container_limit, audit_container_latest, audit_container_digest,
	audit_container_secret_value, audit_container_secret_reference,
	audit_container_secret_argument, audit_container_propagation,
	audit_container_device, audit_container_port, audit_container_probe_host,
	audit_container_sub_path, audit_container_selinux, audit_container_windows,
	audit_container_types, audit_container_fields;
audit_check audit_policy_missing, audit_policy_network_missing, audit_policy_uplink,
	audit_policy_auto, audit_policy_writable, audit_policy_system_path,
	audit_policy_socket, audit_policy_token, audit_policy_secret,
	audit_policy_best_effort, audit_policy_egress, audit_policy_publish,
	audit_policy_passed, audit_policy_swap, audit_policy_host_root,
	audit_policy_shared_root, audit_policy_escapes, audit_policy_calls,
	audit_policy_i386, audit_policy_nf_tables, audit_policy_permissive,
	audit_policy_hook, audit_policy_exposed_hook, audit_policy_device,
	audit_policy_unmasked, audit_policy_realtime, audit_policy_root_id;
audit_check audit_workspace_limit, audit_workspace_group, audit_workspace_net,
	audit_workspace_oom, audit_workspace_pids;

#endif
